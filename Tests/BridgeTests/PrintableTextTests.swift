// What a terminal is never given.

import Testing

@testable import Bridge

struct PrintableTextTests {
  @Test(arguments: [
    ("a\u{1B}[2Jb", "a\\u{1B}[2Jb"), ("\u{9B}31m", "\\u{009B}31m"), ("a\u{202E}b", "a\\u{202E}b"),
    ("\u{7}", "\\u{07}"),
    ("\u{1B}]52;c;eQ==\u{7}", "\\u{1B}]52;c;eQ==\\u{07}"), ("a\u{7F}", "a\\u{7F}"), ("a\rb", "a\\rb"),
    ("\u{200B}\u{FEFF}\u{AD}", "\\u{200B}\\u{FEFF}\\u{00AD}"), ("\u{2066}", "\\u{2066}"),
    ("\u{E0041}", "\\u{000E0041}"),
    ("a\u{2028}b\u{2029}c\u{85}", "a\\u{2028}b\\u{2029}c\\u{0085}"), ("plain äöü 😀", "plain äöü 😀"), ("\0", "\\0"),
  ])
  func escapesWhatDrivesATerminal(_ text: String, _ shown: String) {
    #expect(text.printable == shown)
    #expect(text.printableLines == shown)
  }

  private static func isUnsafe(_ scalar: UnicodeScalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  @Test func linesAndTabsStayWhereThereMayBeLines() {
    #expect("a\n\tb".printableLines == "a\n\tb")
    #expect("a\n\tb".printable == "a\\n\\tb")
  }

  /// Every scalar there is: none is left out by a table that is not ours.
  @Test func nothingElseIsChanged() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = UnicodeScalar(value) else { continue }
      let isChanged = String(scalar).printable != String(scalar)
      if isChanged != Self.isUnsafe(scalar) { Issue.record("U+\(String(value, radix: 16))") }
    }
  }
}
