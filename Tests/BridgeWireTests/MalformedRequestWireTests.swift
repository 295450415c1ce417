// Requests that must be refused: malformed, ambiguous, too large. Each answer is the connection's last, and what
// follows in the same write is never taken for a request of its own.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoopWithoutLeaks)
struct MalformedRequestWireTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let request: String
    let statuses: [Int]

    init(_ name: String, _ request: String, _ statuses: Int...) {
      self.name = name
      self.request = request
      self.statuses = statuses
    }

    var testDescription: String { name }
  }

  private static func get(_ fields: String...) -> String {
    "GET /a HTTP/1.1\r\nHost: localhost\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  private static func post(_ fields: String..., body: String = "") -> String {
    "POST /a HTTP/1.1\r\nHost: localhost\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
  }

  private static func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked", body: body) }

  static let requestLines = [
    Case("two spaces", "GET  /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a leading space", " GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a trailing space", "GET /a HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
    Case("a tab for a space", "GET\t/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("no version", "GET /a\r\nHost: localhost\r\n\r\n", 400),
    Case("no target", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a method that is no token", "G@T /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a version in lower case", "GET /a http/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a version of two digits", "GET /a HTTP/1.10\r\nHost: localhost\r\n\r\n", 400),
    Case("HTTP/2", "GET /a HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    Case("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Case("HTTP/0.9", "GET /a\r\n", 400),
    Case("a target that is no path", "GET a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("an asterisk for GET", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a fragment", "GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a control character in the target", "GET /a\u{1} HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("an authority target", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400),
    Case("a bare line feed", "GET /a HTTP/1.1\nHost: localhost\r\n\r\n", 400),
    Case("a bare carriage return", "GET /a HTTP/1.1\rHost: localhost\r\n\r\n", 400),
    Case("two empty lines before", "\r\n\r\nGET /a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    Case("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n", 400),
    Case("a long target", "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    Case("an endless target", "GET /\(String(repeating: "a", count: 100_000))", 414),
  ]

  static let fields = [
    Case("no Host", "GET /a HTTP/1.1\r\n\r\n", 400),
    Case("two Hosts", get("Host: localhost"), 400),
    Case("a Host with a space", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    Case("a Host with user information", "GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    Case("a Host with a path", "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    Case("a folded line", get("X-A: b", " c"), 400),
    Case("a line folded with a tab", get("X-A: b", "\tc"), 400),
    Case("a folded first line", "GET /a HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
    Case("a space before the colon", get("X-A : b"), 400),
    Case("no colon", get("X-A"), 400),
    Case("an empty name", get(": b"), 400),
    Case("a name that is no token", get("X(A): b"), 400),
    Case("a NUL in a value", get("X-A: b\u{0}c"), 400),
    Case("a carriage return in a value", get("X-A: b\rc"), 400),
    Case("a line feed in a value", "GET /a HTTP/1.1\r\nHost: localhost\r\nX-A: b\nX-B: c\r\n\r\n", 400),
    Case("a DEL in a value", get("X-A: \u{7F}"), 400),
    Case("a long field", get("X-A: \(String(repeating: "a", count: 17_000))"), 431),
    Case("a field without an end", "GET /a HTTP/1.1\r\nX-A: \(String(repeating: "a", count: 100_000))", 431),
    Case("too many fields", get((0...100).map { "X-\($0): a" }.joined(separator: "\r\n")), 431),
    Case(
      "fields that are too long together",
      get((0..<5).map { "X-\($0): \(String(repeating: "a", count: 8000))" }.joined(separator: "\r\n")), 431),
    Case("another expectation", post("Expect: 200-maybe", "Content-Length: 1"), 417),
  ]

  static let framing = [
    Case("an empty length", post("Content-Length:"), 400),
    Case("a signed length", post("Content-Length: +5", body: "hello"), 400),
    Case("a negative length", post("Content-Length: -1"), 400),
    Case("a hexadecimal length", post("Content-Length: 0x5", body: "hello"), 400),
    Case("a length with a space", post("Content-Length: 5 5", body: "hello"), 400),
    Case("a list of lengths", post("Content-Length: 5, 6", body: "hello"), 400),
    Case("a length too large for a number", post("Content-Length: 99999999999999999999"), 400),
    Case("two lengths", post("Content-Length: 5", "Content-Length: 6", body: "hello!"), 400),
    Case("length and coding", post("Content-Length: 5", "Transfer-Encoding: chunked", body: "0\r\n\r\n"), 400),
    Case("coding and length", post("Transfer-Encoding: chunked", "Content-Length: 0", body: "0\r\n\r\n"), 400),
    Case(
      "coding in HTTP/1.0", "POST /a HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400),
    Case("another coding", post("Transfer-Encoding: gzip"), 501, 400),
    Case("a coding before chunked", post("Transfer-Encoding: gzip, chunked", body: "0\r\n\r\n"), 501, 400),
    Case("chunked twice", post("Transfer-Encoding: chunked, chunked", body: "0\r\n\r\n"), 501, 400),
    Case("chunked is not last", post("Transfer-Encoding: chunked, gzip", body: "0\r\n\r\n"), 501, 400),
    Case("identity", post("Transfer-Encoding: identity", "Content-Length: 0"), 501, 400),
    Case("almost chunked", post("Transfer-Encoding: xchunked", body: "0\r\n\r\n"), 501, 400),
    Case("chunked after a vertical tab", post("Transfer-Encoding: \u{B}chunked", body: "0\r\n\r\n"), 400),
    Case("chunked in quotes", post("Transfer-Encoding: \"chunked\"", body: "0\r\n\r\n"), 501, 400),
    Case("two codings", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body: "0\r\n\r\n"), 400),
    Case("a coding with an empty value", post("Transfer-Encoding:", "Content-Length: 0"), 400, 501),
  ]

  static let chunks = [
    Case("a size that is no number", chunked("zz\r\nhello\r\n0\r\n\r\n"), 400),
    Case("an empty size", chunked("\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a signed size", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a size too large for a number", chunked("FFFFFFFFFFFFFFFFF\r\nhello"), 400),
    Case("a size with a space before", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a size with a line feed only", chunked("5\nhello\r\n0\r\n\r\n"), 400),
    Case("a carriage return in a size", chunked("5\r5\r\nhello\r\n0\r\n\r\n"), 400),
    Case("more data than the size says", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400),
    Case("no line end after the data", chunked("5\r\nhello0\r\n\r\n"), 400),
    Case("a control character in an extension", chunked("5;a=\u{1}\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a line feed in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a long extension", chunked("5;\(String(repeating: "a", count: 5000))\r\nhello\r\n0\r\n\r\n"), 400),
    Case("a trailer that is no field", chunked("0\r\nhello\r\n\r\n"), 400),
    Case("a folded trailer", chunked("0\r\nX-A: b\r\n c\r\n\r\n"), 400),
    Case("endless trailers", chunked("0\r\n" + String(repeating: "X-A: b\r\n", count: 2000) + "\r\n"), 400),
  ]

  @Test(arguments: requestLines) @LoopActor
  func requestLineIsRefused(_ bad: Case) async throws { try await expectRefusal(bad) }

  @Test(arguments: fields) @LoopActor
  func fieldIsRefused(_ bad: Case) async throws { try await expectRefusal(bad) }

  @Test(arguments: framing) @LoopActor
  func framingIsRefused(_ bad: Case) async throws { try await expectRefusal(bad) }

  @Test(arguments: chunks) @LoopActor
  func chunkIsRefused(_ bad: Case) async throws { try await expectRefusal(bad) }

  /// A handler that never looks at the body must not keep a broken one from being noticed.
  @Test(arguments: chunks) @LoopActor
  func brokenBodyThatNobodyReadsEndsTheConnection(_ bad: Case) async throws {
    let server = try TestServer { _, writer in writer.send(Response(body: Array("done".utf8))) }
    let client = try await TestClient.connect(port: server.port)
    client.send(bad.request + Self.get("X-Smuggled: yes"))
    await client.waitForEnd()
    #expect(client.hasEnded)
    #expect(TestResponse.parse(bytes: client.received).count == 1)
    client.close()
    await server.stopWhenLeft()
  }

  @LoopActor
  private func expectRefusal(_ bad: Case) async throws {
    let handled = Handled()
    let server = try TestServer { request, writer in
      do throws(HTTPError) {
        _ = try await request.body.collect()
        handled.paths.append(request.head.path)
        writer.send(Response(body: Array("ok".utf8)))
      } catch {
        writer.send(APIError(error).response)
      }
    }
    let client = try await TestClient.connect(port: server.port)
    client.send(bad.request + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await client.waitForEnd()
    #expect(client.hasEnded, "the connection stays open")
    let responses = TestResponse.parse(bytes: client.received)
    let response = try #require(responses.first, "no answer but “\(client.text)”")
    #expect(responses.count == 1)
    #expect(bad.statuses.contains(response.status), "status \(response.status)")
    #expect(response.field("connection") == "close")
    #expect(response.field("x-request-id")?.isEmpty == false)
    #expect(response.field("date") != nil)
    #expect(response.error("message")?.stringValue?.isEmpty == false)
    for key in ["type", "param", "code"] { #expect(response.error(key) != nil, "error.\(key) is absent") }
    #expect(handled.paths.isEmpty, "handled: \(handled.paths)")
    client.close()
    let next = try await TestClient.exchange(port: server.port, Self.get())
    #expect(next?.status == 200)
    await server.stopWhenLeft()
  }
}

/// What a handler has seen.
@LoopActor
final class Handled {
  var paths: [String] = []
  var bodies: [String] = []
  var gone = 0
}
