// Reads the instructions for the demo model from the user's message. Pure.

/// The script of one answer of the demo model: a line that begins with `demo:` in the last user message.
///
/// `Tests/README.md` describes the words of a script. The fake engine of the tests understands most of the same words.
struct DemoScript: Sendable, Equatable {
  enum Answer: Sendable, Equatable {
    /// A sentence that repeats what the user said.
    case friendly
    case tokens(Int)
    case say(String)
    /// A call of the shell with this command, then a message with its output.
    case run(String)
    /// A call of a tool, then a message with its output.
    case call(name: String, arguments: JSONValue)
    /// All messages that the model was sent, a line each.
    case history
  }

  var answer = Answer.friendly
  /// The pause after each token.
  var delay = Duration.milliseconds(30)
  /// The pause before the first token.
  var firstDelay = Duration.zero
  /// The prefix of the tokens of `tokens`.
  var id: String?
  var reasoningDeltas = 0
  /// Input, cached input, output and reasoning tokens; defaults stand in for those at the end that are missing.
  var usage: [Int] = []
  /// The HTTP status that the request is refused with.
  var status: Int?
  /// The error code that goes with `status`.
  var errorCode: String?
  /// The error code of a `response.failed` at the end.
  var failure: String?
  /// The reason of a `response.incomplete` at the end.
  var incomplete: String?
  /// The number of tokens after which the connection is cut.
  var cutAfter: Int?
  /// Whether `cutAfter`, `status` and `failure` count only the first time that the same message comes.
  var isOnce = false
  var hasCommentary = false
  /// Whether the command of `run` asks to be run outside the sandbox.
  var escalates = false

  init(message: String) {
    let lines = message.split { $0 == "\n" || $0 == "\r\n" }.map { $0.trimmingSpaces() }
    guard let line = lines.last(where: { $0.hasPrefix("demo:") }) else { return }
    answer = .say("ok")
    delay = .zero
    var rest = Substring(line.dropFirst(5))
    while !rest.isEmpty {
      rest = rest.drop { $0 == " " }
      if rest.hasPrefix("say=") {
        answer = .say(String(rest.dropFirst(4)))
        return
      }
      if rest.hasPrefix("run=") {
        answer = .run(String(rest.dropFirst(4)))
        return
      }
      if rest.hasPrefix("call=") {
        answer = Self.call(rest.dropFirst(5))
        return
      }
      let word = rest.prefix { $0 != " " }
      rest = rest.dropFirst(word.count)
      apply(word)
    }
  }

  private static func call(_ text: Substring) -> Answer {
    let name = text.prefix { $0 != " " }
    let arguments = try? JSONValue(parsing: String(text.dropFirst(name.count)).trimmingSpaces())
    return .call(name: String(name), arguments: arguments ?? [:])
  }

  private mutating func apply(_ word: Substring) {
    let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
    guard let name = parts.first else { return }
    let text = parts.count > 1 ? parts[1] : ""
    let number = Int(text).map { max(0, $0) }
    switch name {
    case "tokens": answer = .tokens(min(number ?? 0, 1_000_000))
    case "delay": delay = .milliseconds(min(number ?? 0, 3_600_000))
    case "first": firstDelay = .milliseconds(min(number ?? 0, 3_600_000))
    case "id": id = text
    case "reasoning": reasoningDeltas = min(number ?? 0, 10_000)
    case "usage": usage = text.split(separator: ",").compactMap { Int($0) }
    case "status": status = number
    case "code": errorCode = text
    case "fail": failure = text
    case "incomplete": incomplete = text
    case "cut": cutAfter = number
    case "once": isOnce = true
    case "commentary": hasCommentary = true
    case "history": answer = .history
    case "escalate": escalates = true
    default: break
    }
  }

  /// The tokens of an answer.
  func tokens(count: Int) -> [String] {
    let prefix = id.map { "\($0)-" } ?? "t"
    return (0..<count).map { "\(prefix)\($0) " }
  }

  /// Splits a text into tokens, after each space and line feed.
  static func words(_ text: String) -> [String] {
    var result: [String] = []
    var word = ""
    for character in text {
      word.append(character)
      if character == " " || character == "\n" {
        result.append(word)
        word = ""
      }
    }
    return word.isEmpty ? result : result + [word]
  }
}

/// Makes a small value that fits a JSON schema, so that structured output can be tried without a real model.
enum DemoInstance {
  static func make(_ schema: JSONValue, root: JSONValue? = nil, depth: Int = 0) -> JSONValue {
    let root = root ?? schema
    guard depth < 12 else { return .null }
    if let name = schema["$ref"]?.stringValue?.split(separator: "/").last,
      let target = (root["$defs"] ?? root["definitions"])?[String(name)]
    {
      return make(target, root: root, depth: depth + 1)
    }
    if let first = schema["enum"]?.arrayValue?.first { return first }
    if let value = schema["const"] { return value }
    if let first = (schema["anyOf"] ?? schema["oneOf"] ?? schema["allOf"])?.arrayValue?.first {
      return make(first, root: root, depth: depth + 1)
    }
    switch schema["type"]?.stringValue ?? schema["type"]?.arrayValue?.first?.stringValue {
    case "object":
      let members = schema["properties"]?.objectValue?.members ?? []
      return .object(
        JSONObject(members.map { .init(key: $0.key, value: make($0.value, root: root, depth: depth + 1)) }))
    case "array": return .array(schema["items"].map { [make($0, root: root, depth: depth + 1)] } ?? [])
    case "integer": return .int(schema["minimum"]?.intValue ?? 1)
    case "number": return .number("1.5")
    case "boolean": return true
    case "null": return .null
    default: return "demo"
    }
  }
}
