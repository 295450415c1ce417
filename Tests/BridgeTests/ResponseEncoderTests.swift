// Response heads as bytes.

import Testing

@testable import Bridge

struct ResponseEncoderTests {
  private func head(
    _ status: Int = 200, _ fields: ResponseFields = [:],
    _ framing: ResponseEncoder.Framing = .none,
    keepsAlive: Bool = true
  ) -> String {
    var buffer = ByteBuffer()
    ResponseEncoder.appendHead(
      to: &buffer, opening: ResponseEncoder.opening(status: status, date: "today"), requestID: "r", fields: fields,
      framing: framing, keepsAlive: keepsAlive)
    return String(decoding: buffer.array(), as: UTF8.self)
  }

  @Test func writesALength() {
    #expect(
      head(200, ["A": "b"], .length(5))
        == "HTTP/1.1 200 OK\r\nDate: today\r\nx-request-id: r\r\nA: b\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"
    )
  }

  @Test func writesALengthOfZero() { #expect(head(200, [:], .length(0)).contains("\r\nContent-Length: 0\r\n")) }

  @Test func writesChunks() {
    let text = head(200, [:], .chunked)
    #expect(text.contains("\r\nTransfer-Encoding: chunked\r\n"))
    #expect(!text.lowercased().contains("content-length"))
  }

  /// RFC 9110 §8.6 and RFC 9112 §6.1 forbid both fields in a 204.
  @Test func saysNothingOfABodyThatCannotBe() {
    let text = head(204).lowercased()
    #expect(!text.contains("content-length"))
    #expect(!text.contains("transfer-encoding"))
  }

  @Test func endsABodyByClosing() {
    let text = head(200, [:], .close, keepsAlive: false).lowercased()
    #expect(text.contains("\r\nconnection: close\r\n"))
    #expect(!text.contains("content-length"))
    #expect(!text.contains("transfer-encoding"))
  }

  @Test func writesUnknownStatusesWithoutPhrase() {
    #expect(head(299).hasPrefix("HTTP/1.1 299 \r\n"))
  }

  @Test func hasNoServerBanner() { #expect(!head().lowercased().contains("server:")) }

  @Test(arguments: ["a\r\nSet-Cookie: b=c", "a\nb", "a\rb", "a\0b", "a\u{7F}b", "\r\n\r\n<html>"])
  func valuesCannotBreakOut(_ value: String) {
    let text = head(200, ["X": value])
    #expect(text.components(separatedBy: "\r\n").count == 7)
    #expect(!text.contains("\0"))
    #expect(text.utf8.count == head(200, ["X": String(repeating: "x", count: value.utf8.count)]).utf8.count)
  }

  @Test func everyLineIsWellFormed() {
    for status in 200..<600 {
      let lines = head(status, ["A": "b"], .length(1)).components(separatedBy: "\r\n")
      #expect(lines.first?.hasPrefix("HTTP/1.1 \(status) ") == true)
      #expect(lines.suffix(2) == ["", ""])
    }
  }
}

extension String {
  /// The pieces between separators, empty ones included.
  func components(separatedBy separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
