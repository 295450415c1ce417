// Log lines as text and as JSON: nobody but us decides where one ends.

import Testing

@testable import Bridge

struct LogTests {
  private func line(_ format: LogFormat, _ message: String, _ fields: [(String, String)] = []) -> String {
    StandardErrorLogHandler.line(format, time: "T", level: "info", message: message, fields: fields)
  }

  @Test func writesText() {
    #expect(line(.text, "hello there", [("a", "b"), ("n", "1.5")]) == "T info    hello there a=b n=1.5")
  }

  @Test func writesJSON() throws {
    let value = try JSONValue(parsing: line(.json, "say \"hi\"", [("a", "b\n")]))
    #expect(value == ["time": "T", "level": "info", "message": "say \"hi\"", "a": "b\n"])
  }

  @Test func numbersAreNumbers() throws {
    let text = StandardErrorLogHandler.line(
      .json, time: "T", level: "info", message: "m", fields: [("a", "5"), ("b", "5"), ("c", "1.5")],
      numbers: ["b", "c"])
    #expect(
      try JSONValue(parsing: text)
        == ["time": "T", "level": "info", "message": "m", "a": "5", "b": 5, "c": .number("1.5")])
  }

  @Test(arguments: [
    ("", "a=\"\""), ("b c", "a=\"b c\""), ("b=c", "a=\"b=c\""), ("b\"c", "a=\"b\\\"c\""), ("é", "a=é"),
    ("/p:1", "a=/p:1"),
  ])
  func quotesWhatIsNoWord(_ value: String, _ field: String) {
    #expect(line(.text, "m", [("a", value)]) == "T info    m \(field)")
  }

  static let forgeries = [
    "x\nT error    you are hacked", "x\r\nT error", "x\rT error", "\u{1B}[2J\u{1B}[31mred", "\u{7}", "\u{8}\u{8}",
    "a\0b",
    "\u{85}next", "\u{2028}next", "\u{2029}next", "\u{9B}31m", "\u{7F}", "\u{202E}desrever", "\u{200B}",
    "\u{FEFF}",
  ]

  private func isForging(_ scalar: UnicodeScalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  @Test(arguments: forgeries)
  func textLinesCannotBeForged(_ text: String) {
    for line in [line(.text, text), line(.text, "m", [("a", text)])] {
      #expect(!line.unicodeScalars.contains(where: isForging))
      #expect(!line.unicodeScalars.contains("\u{202E}"))
    }
  }

  /// A terminal may show these too, and tools that split lines know more line ends than one.
  @Test(arguments: forgeries)
  func jsonLinesCannotBeForged(_ text: String) {
    for line in [line(.json, text), line(.json, "m", [("a", text)])] {
      #expect(!line.unicodeScalars.contains(where: isForging))
    }
  }

  @Test(arguments: forgeries)
  func jsonLinesKeepTheText(_ text: String) throws {
    let value = try JSONValue(parsing: line(.json, text, [("a", text)]))
    #expect(value["message"] == .string(text))
    #expect(value["a"] == .string(text))
  }

  /// The time is the only part that differs from line to line; its form is what tools parse.
  @Test func timesAreRFC3339() {
    let pattern = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/
    #expect(timestamp().wholeMatch(of: pattern) != nil)
  }
}
