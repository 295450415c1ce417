// Looking header fields up.

import Testing

@testable import Bridge

struct HeaderFieldsTests {
  private func fields(_ lines: String) throws -> HeaderFields {
    try ParsedRequest.head("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n").fields
  }

  @Test func findsNamesInAnyCase() throws {
    let fields = try fields("X-ReQuest-ID: 7")
    #expect(fields["x-request-id"] == "7")
    #expect(fields["x-request-i"] == nil)
    #expect(fields["x-request-idd"] == nil)
  }

  /// `@` and a backtick differ from each other by the bit that tells the cases of letters apart.
  @Test func doesNotFoldWhatIsNoLetter() throws {
    #expect(try fields("X^: 1")["x~"] == nil)
    #expect(try fields("X_: 1")["x\u{7F}"] == nil)
  }

  @Test func takesTheFirstAndListsAll() throws {
    let fields = try fields("X: 1\r\nY: 2\r\nx: 3")
    #expect(fields["x"] == "1")
    #expect(fields.values("x") == ["1", "3"])
    #expect(fields.values("z") == [])
    #expect(fields.all.map(\.name) == ["host", "x", "y", "x"])
    #expect(fields.lines.count == 4)
  }

  @Test(arguments: [
    ("close", true), ("Close", true), ("TE, close", true), (" close ,TE", true), (",close,", true),
    ("closed", false), ("close;x", false), ("\"close\"", false), ("", false),
  ])
  func findsTokensInLists(_ value: String, _ isFound: Bool) throws {
    #expect(try fields("Connection: \(value)").contains("connection", token: "close") == isFound)
  }

  @Test func keepsBytesOfValues() throws {
    #expect(try fields("X: a  b\tc é")["x"] == "a  b\tc é")
  }
}
