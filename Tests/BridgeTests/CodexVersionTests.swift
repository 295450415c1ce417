// Versions out of the texts Codex shows.

import Testing

@testable import Bridge

struct CodexVersionTests {
  @Test(
    arguments: [
      ("codexbridge/0.163.0 (Debian 12.0.0; x86_64) unknown", "0.163.0"), ("codex-cli 0.163.0", "0.163.0"),
      ("bridge/0.163.0-alpha.3 (Ubuntu 24.4)", "0.163.0"), ("1.2.3", "1.2.3"), ("v10.20.30", "10.20.30"),
      ("a/0.163.0\n", "0.163.0"), ("", nil), ("codex", nil), ("1.2", nil), ("1..2", nil),
      ("9999999999999999999999.1.1", nil),
    ] as [(String, String?)])
  func isFoundInText(_ text: String, _ version: String?) {
    #expect(CodexVersion(in: text)?.description == version)
  }

  @Test func isOrderedByNumbers() throws {
    let texts = ["0.9.9", "0.10.0", "0.150.0", "0.150.1", "0.151.0", "1.0.0", "10.0.0"]
    let versions = try texts.map { try #require(CodexVersion(in: $0)) }
    #expect(versions.sorted() == versions)
    #expect(CodexVersion(0, 149, 9) < .required)
    #expect(CodexVersion(0, 150, 0) >= .required)
    #expect(CodexVersion(1, 0, 0) > .required)
  }
}
