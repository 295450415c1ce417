// What the demo model is told to do, read from the user's own message. Pure.

/// A script for one answer of the demo model: a line that begins with `demo:` in the last user message.
///
/// `Tests/README.md` describes its words, which the fake engine of the tests shares as far as it can.
struct DemoScript: Sendable, Equatable {
  enum Answer: Sendable, Equatable {
    /// A friendly sentence that repeats what the user said.
    case friendly
    case tokens(Int)
    case say(String)
    /// A shell command, then a message with its output.
    case run(String)
    /// A call of a tool, then a message with its output.
    case call(name: String, arguments: JSONValue)
    /// What the model was sent, one line per message.
    case history
  }

  var answer = Answer.friendly
  var delay = Duration.milliseconds(30)
  var firstDelay = Duration.zero
  var id: String?
  var reasoningDeltas = 0
  var usage: [Int] = []
  var status: Int?
  var errorCode: String?
  var failure: String?
  var incomplete: String?
  /// Tokens after which the connection is cut.
  var cutAfter: Int?
  /// Whether trouble strikes only the first time the same message comes.
  var isOnce = false
  var hasCommentary = false
  /// Whether a command asks to be run outside the sandbox.
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

  /// Text cut into tokens after each space.
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
