// Text that stays escaped on its way.

import Testing

@testable import Bridge

struct EscapedTextTests {
  @Test(arguments: [
    "", "a", "\"", "\\", "\\n", "\n", "\0", "é€😀", "e\u{301}", "\u{2028}", "a\"b\\c\nd", "\\u0041",
  ])
  func givesBackWhatWentIn(_ text: String) throws {
    let escaped = EscapedText(text)
    #expect(escaped.text == text)
    #expect(try JSONValue(parsing: "\"\(escaped.raw)\"") == .string(text))
    #expect(!escaped.raw.utf8.contains { $0 < 0x20 })
  }

  @Test(arguments: [
    ("a\\nb", "a\nb"), ("\\u00e9", "é"), ("\\ud83d\\ude00", "😀"), ("\\/", "/"), ("\\\"", "\""),
  ])
  func opensWhatTheEngineEscaped(_ raw: String, _ text: String) {
    let escaped = EscapedText(raw: raw)
    #expect(escaped.text == text)
  }

  @Test(arguments: ["\\", "\\x", "\\ud83d", "a\\u12"])
  func showsABrokenEscapeInsteadOfLosingIt(_ raw: String) {
    #expect(EscapedText(raw: raw).text == raw)
  }
}
