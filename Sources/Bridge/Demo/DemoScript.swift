// Reads the instructions for the demo model from the user's message. Pure.

/// A script for the answers to one user message: the last of its lines that begins with `demo:`.
///
/// A script has a round for each call of the model; after a round that calls tools, Codex calls the model again with what
/// the tools gave. `Tests/README.md` describes the words, which the fake engine of the tests shares as far as it can.
struct DemoScript: Sendable, Equatable {
  /// What the model does in one call. Never empty.
  private(set) var rounds: [DemoRound]

  /// The script of a message; one without a `demo:` line gets a friendly answer.
  init(message: String) {
    let lines = message.split { $0 == "\n" || $0 == "\r\n" }.map { $0.trimmingSpaces() }
    guard let line = lines.last(where: { $0.hasPrefix("demo:") }) else {
      rounds = [.friendly]
      return
    }
    rounds = [DemoRound()]
    var rest = Substring(line.dropFirst("demo:".count))
    while !rest.isEmpty {
      rest = rest.drop { $0 == " " }
      let word = Self.takeWord(&rest)
      if word.name == "round" {
        rounds.append(rounds[rounds.count - 1].successor)
      } else if !word.name.isEmpty {
        rounds[rounds.count - 1].apply(word)
      }
    }
  }

  /// What the model does in the call after `index` others for the same message. Where nothing more is written, it tells what
  /// the tools gave; without a script it is as friendly as before.
  func round(_ index: Int) -> DemoRound {
    if rounds == [.friendly] { return .friendly }
    var round = index < rounds.count ? rounds[index] : rounds[rounds.count - 1].successor
    if index > 0, round.steps.isEmpty { round.steps = [.outputs] }
    return round
  }

  /// Takes the first word off `rest`.
  private static func takeWord(_ rest: inout Substring) -> DemoWord {
    let name = rest.prefix { $0 != " " && $0 != "=" }
    rest = rest.dropFirst(name.count)
    guard rest.first == "=" else { return DemoWord(name: String(name)) }
    rest = rest.dropFirst()
    switch name {
    case "say", "run": return DemoWord(name: String(name), value: takeText(&rest))
    case "call": return takeCall(&rest)
    default:
      let value = rest.prefix { $0 != " " }
      rest = rest.dropFirst(value.count)
      return DemoWord(name: String(name), value: String(value))
    }
  }

  /// A JSON string ends where it ends; any other text takes the rest of the line.
  private static func takeText(_ rest: inout Substring) -> String {
    if rest.first == "\"", let value = takeJSON(&rest), let text = value.stringValue { return text }
    defer { rest = "" }
    return String(rest)
  }

  private static func takeCall(_ rest: inout Substring) -> DemoWord {
    let tool = rest.prefix { $0 != " " && $0 != ":" }
    rest = rest.dropFirst(tool.count)
    var word = DemoWord(name: "call", value: String(tool))
    guard rest.first == ":" else { return word }
    rest = rest.dropFirst()
    if let value = takeJSON(&rest) {
      word.arguments = .value(value)
    } else {
      let text = rest.prefix { $0 != " " }
      rest = rest.dropFirst(text.count)
      word.arguments = .unreadable(String(text))
    }
    return word
  }

  /// Takes an object, an array or a string; leaves `rest` alone if there is none.
  private static func takeJSON(_ rest: inout Substring) -> JSONValue? {
    var depth = 0
    var isInString = false
    var isEscaped = false
    for index in rest.indices {
      switch rest[index] {
      case _ where isEscaped: isEscaped = false
      case "\\" where isInString: isEscaped = true
      case "\"": isInString.toggle()
      case _ where isInString: break
      case "{", "[": depth += 1
      case "}", "]": depth -= 1
      default: break
      }
      guard !isInString, depth <= 0 else { continue }
      let end = rest.index(after: index)
      guard let value = try? JSONValue(parsing: String(rest[..<end])) else { return nil }
      rest = rest[end...]
      return value
    }
    return nil
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
