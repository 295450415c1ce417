// What a setting is: its name, its type, and how its text is read. The table itself is in Settings.swift.

/// One setting of the bridge, read from flags, environment or `.env` files.
package struct Setting<Value: Sendable & Equatable>: Sendable {
  /// The environment variable.
  package let name: String
  /// The value when nobody sets one.
  package let fallback: Value
  /// What the value may look like, for people: "a number from 1 to 65535".
  package let allowed: String
  /// One sentence of help.
  package let help: String
  /// Its own flag on the command line, without the dashes; nil if `--set NAME=VALUE` is enough.
  package let flag: String?
  /// Whether the value must never be shown.
  package let isSecret: Bool
  /// How the default is described where its value says too little.
  package let fallbackText: String
  /// All values there are, where these are few; else empty.
  package let choices: [String]
  let parse: @Sendable (String) -> Value?

  init(
    _ name: String,
    _ syntax: SettingSyntax<Value>,
    default fallback: Value,
    flag: String? = nil,
    isSecret: Bool = false,
    defaultText: String? = nil,
    _ help: String
  ) {
    self.name = name
    self.fallback = fallback
    self.allowed = syntax.allowed
    self.choices = syntax.choices
    self.parse = syntax.parse
    self.help = help
    self.flag = flag
    self.isSecret = isSecret
    self.fallbackText = defaultText ?? syntax.text(fallback)
  }
}

/// A setting without its value type, as the table and the documents see it.
package protocol AnySetting: Sendable {
  /// The environment variable.
  var name: String { get }
  /// What the value may look like.
  var allowed: String { get }
  /// One sentence of help.
  var help: String { get }
  /// Its own flag on the command line, without the dashes.
  var flag: String? { get }
  /// Whether the value must never be shown.
  var isSecret: Bool { get }
  /// All values there are, where these are few; else empty.
  var choices: [String] { get }
  /// The default as text, empty when there is none.
  var fallbackText: String { get }
  /// Reads a value from text; nil if it is not allowed.
  func read(_ text: String) -> (any Sendable)?
}

extension Setting: AnySetting {
  /// Reads a value from text; nil if it is not allowed.
  package func read(_ text: String) -> (any Sendable)? { parse(text) }
}

/// How text becomes a value and back.
struct SettingSyntax<Value: Sendable & Equatable>: Sendable {
  let allowed: String
  let parse: @Sendable (String) -> Value?
  let text: @Sendable (Value) -> String
  /// All values there are, where these are few.
  var choices: [String] = []
}

extension SettingSyntax<String> {
  static func text(_ allowed: String = "text") -> Self {
    Self(allowed: allowed, parse: { $0 }, text: { $0 })
  }
}

extension SettingSyntax<String?> {
  static func optionalText(_ allowed: String = "text") -> Self {
    Self(allowed: allowed, parse: { .some($0.isEmpty ? nil : $0) }, text: { $0 ?? "" })
  }
}

extension SettingSyntax<[String]> {
  /// `isAllowed` looks at each entry.
  static func list(
    _ allowed: String, separator: Character = ",",
    where isAllowed: @escaping @Sendable (String) -> Bool = { _ in true }
  ) -> Self {
    Self(
      allowed: "\(allowed), separated by “\(separator)”",
      parse: { text in
        let entries = text.split(separator: separator).map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
        return entries.allSatisfy(isAllowed) ? entries : nil
      },
      text: { $0.joined(separator: String(separator)) }
    )
  }

  /// Pages as browsers name them in the Origin field (RFC 6454 §6.2), or `*`.
  static func origins(_ allowed: String) -> Self {
    list(allowed) { $0 == "*" || $0.wholeMatch(of: origin) != nil }
  }

  /// What Codex takes after `-c`.
  static func overrides(_ allowed: String) -> Self {
    list(allowed, separator: ";") { $0.contains("=") && !$0.hasPrefix("=") }
  }

  /// Scheme, host and port. Browser extensions and desktop programs have schemes of their own.
  private static var origin: Regex<Substring> {
    /[a-zA-Z][a-zA-Z0-9+.\-]*:\/\/(?:\[[0-9a-fA-F:.]+\]|[^\s\/:?#@*\[\]]+)(?::[0-9]+)?/
  }
}

extension SettingSyntax<[String]> {
  /// A list with at least one entry.
  static func nonEmptyList(_ allowed: String) -> Self {
    let list = list(allowed)
    return Self(
      allowed: list.allowed, parse: { list.parse($0).flatMap { $0.isEmpty ? nil : $0 } }, text: list.text)
  }
}

extension SettingSyntax<Bool> {
  static var flag: Self {
    Self(
      allowed: "true or false",
      parse: {
        switch $0.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: nil
        }
      },
      text: { $0 ? "true" : "false" }
    )
  }
}

extension SettingSyntax<Int> {
  static func number(_ range: ClosedRange<Int>) -> Self {
    Self(
      allowed: "a number from \(range.lowerBound) to \(range.upperBound)",
      parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } },
      text: { String($0) }
    )
  }

  /// Sizes such as `512kb`, `10mb` or `1gb` (powers of 1024), or a number of bytes.
  static var byteSize: Self { byteSize(1...(1 << 30), "a size such as 512kb, 10mb or 1gb, at most 1gb") }

  /// The memory of a process, or 0.
  static var memorySize: Self { byteSize(0...(1 << 50), "0 or a size such as 512mb or 2gb") }

  private static func byteSize(_ range: ClosedRange<Int>, _ allowed: String) -> Self {
    Self(
      allowed: allowed,
      parse: { text in
        let units = [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)]
        let lower = text.lowercased()
        let (suffix, factor) = units.first { lower.hasSuffix($0.0) } ?? ("", 1)
        guard let number = Double(lower.dropLast(suffix.count).trimmingSpaces()), number.isFinite else {
          return nil
        }
        let bytes = number * Double(factor)
        return bytes >= Double(range.lowerBound) && bytes <= Double(range.upperBound) ? Int(bytes) : nil
      },
      text: { $0 % (1 << 20) == 0 ? "\($0 >> 20)mb" : $0 % 1024 == 0 ? "\($0 >> 10)kb" : String($0) }
    )
  }
}

extension SettingSyntax<ClosedRange<Int>> {
  /// `2`, or `1-4` for what may be anything from one to four.
  static func range(within limits: ClosedRange<Int>) -> Self {
    let number = SettingSyntax<Int>.number(limits)
    return Self(
      allowed: "\(number.allowed), or two such as 1-4",
      parse: { text in
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
          .compactMap { number.parse($0.trimmingSpaces()) }
        return switch ends.count {
        case 1 where !text.contains("-"): ends[0]...ends[0]
        case 2 where ends[0] <= ends[1]: ends[0]...ends[1]
        default: nil
        }
      },
      text: { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    )
  }
}

extension SettingSyntax<Duration> {
  /// Durations such as `500ms`, `30s`, `5m` or `2h`; a plain number counts seconds.
  static var duration: Self {
    Self(
      allowed: "a duration such as 500ms, 30s, 5m or 2h, or a number of seconds, above 0 and at most 365 days",
      parse: { text in seconds(text).flatMap { $0 > 0 ? .milliseconds(Int64(($0 * 1000).rounded(.up))) : nil } },
      text: { duration in
        let milliseconds = Int(duration.wholeMilliseconds)
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        let unit = units.first { milliseconds % $0.1 == 0 }
        return unit.map { "\(milliseconds / $0.1)\($0.0)" } ?? "\(milliseconds)ms"
      }
    )
  }

  /// A duration, or 0.
  static var durationOrZero: Self {
    let duration = duration
    return Self(
      allowed: "0 or a duration such as 500ms, 30s, 5m or 2h, or a number of seconds, at most 365 days",
      parse: { seconds($0) == 0 ? .zero : duration.parse($0) },
      text: { $0 == .zero ? "0" : duration.text($0) }
    )
  }

  /// From 0 to 365 days.
  private static func seconds(_ text: String) -> Double? {
    let units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]
    let lower = text.lowercased()
    let (suffix, factor) = units.first { lower.hasSuffix($0.0) } ?? ("", 1)
    guard let number = Double(lower.dropLast(suffix.count).trimmingSpaces()), number.isFinite else { return nil }
    let seconds = number * factor
    return seconds >= 0 && seconds <= 365 * 86400 ? seconds : nil
  }
}

extension SettingSyntax where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// One of the cases of an enum.
  static var choice: Self { choice(alsoReading: [:]) }

  /// One of the cases of an enum; `others` are spellings that are read but not offered.
  static func choice(alsoReading others: [String: Value]) -> Self {
    let values = Value.allCases.map(\.rawValue)
    return Self(
      allowed: "one of " + values.joined(separator: ", "),
      parse: { Value(rawValue: $0.lowercased()) ?? others[$0.lowercased()] },
      text: { $0.rawValue },
      choices: values
    )
  }
}

extension StringProtocol {
  /// The text without white space at its ends.
  func trimmingSpaces() -> String {
    let isSpace = { (character: Character) in character.isWhitespace }
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
      return ""
    }
    return String(self[first...last])
  }
}
