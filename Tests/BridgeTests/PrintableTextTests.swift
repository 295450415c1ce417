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

  /// Every scalar of the planes that have any of these categories: none is left out by a table that is not ours.
  @Test func nothingElseIsChanged() {
    let all = [0...0x1FFFF, 0xE0000...0xE0FFF].joined().compactMap { UnicodeScalar(UInt32($0)) }
    let safe = String(String.UnicodeScalarView(all.filter { !Self.isUnsafe($0) }))
    #expect(safe.printable.unicodeScalars.elementsEqual(safe.unicodeScalars))
    for scalar in all where Self.isUnsafe(scalar) { #expect(String(scalar).printable != String(scalar)) }
  }
}
