// Base64 in the forms that clients write.

import FoundationEssentials
import Testing

@testable import Bridge

struct Base64Tests {
  @Test(
    arguments: [
      ("", []), ("AA==", [0]), ("AA", [0]), ("AAE=", [0, 1]), ("AAE", [0, 1]), ("AAEC", [0, 1, 2]),
      ("+/+/", [0xFB, 0xFF, 0xBF]), ("-_-_", [0xFB, 0xFF, 0xBF]), ("+_-/", [0xFB, 0xFF, 0xBF]),
      ("AA\r\nEC", [0, 1, 2]), (" A A E C ", [0, 1, 2]), ("AAE%3D", [0, 1]), ("%2B%2f%2B/", [0xFB, 0xFF, 0xBF]),
      // Bits that stand for nothing.
      ("AB==", [0]),
    ] as [(String, [UInt8])])
  func reads(_ text: String, _ bytes: [UInt8]) { #expect(Base64.decode(text.utf8.span) == bytes) }

  @Test(arguments: [
    "A", "AAAAA", "A=", "A===", "AA=", "AAA==", "AA==AA", "=", "A*AA", "%%%", "%3", "AA%3Dx", "é", "AAAA=",
  ])
  func refuses(_ text: String) { #expect(Base64.decode(text.utf8.span) == nil) }

  @Test func readsWhatOthersWrite() {
    var random = SeededGenerator(4)
    for count in 0..<200 {
      let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
      let text = Data(bytes).base64EncodedString()
      #expect(Base64.encode(bytes) == text)
      let bare = String(text.prefix { $0 != "=" })
      let safe = String(bare.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
      for form in [text, bare, safe] { #expect(Base64.decode(form.utf8.span) == bytes) }
      #expect(Base64.decodeCanonical(text.utf8.span) == bytes)
    }
  }

  /// All that can be read, and would be written in another way.
  @Test(arguments: [
    "AA", "AAE", "AB==", "AP==", "AAF=", "AAD=", "-_-_", "+_-/", "AA\r\nEC", "AAEC\n", " AAEC", "AAE%3D", "%2B+/",
    "AA\n\n", "AAE ", "AAE=\n\n\n\n", "AAEC AAEC   ",
  ])
  func onlyOneFormIsCanonical(_ text: String) {
    #expect(Base64.decodeCanonical(text.utf8.span) == nil)
    #expect(Base64.decode(text.utf8.span) != nil)
  }

  @Test(arguments: [
    "A", "A===", "====", "=AAA", "A=AA", "AA=A", "AA==AA==", "AAE=AAEC", "AAEC====", "A*AA", "AAE*", "A*==", "é==",
    "AA\u{0}A",
  ])
  func whatCannotBeReadIsNotCanonical(_ text: String) {
    #expect(Base64.decodeCanonical(text.utf8.span) == nil)
  }
}
