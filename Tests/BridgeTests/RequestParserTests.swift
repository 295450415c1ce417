// Requests that are read and requests that are refused, whole and cut at every byte.

import Testing

@testable import Bridge

struct RequestParserTests {
  // MARK: Refusals

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let status: Int
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ status: Int = 400) {
      self.name = name
      self.text = text
      self.status = status
    }

    /// A head with this request line.
    static func line(_ name: String, _ line: String, _ status: Int = 400) -> Refused {
      Refused("request line: \(name)", "\(line)\r\nHost: a\r\n\r\n", status)
    }

    /// A POST with these further header lines.
    static func field(_ name: String, _ lines: String, _ status: Int = 400, version: String = "1.1") -> Refused {
      Refused("field: \(name)", "POST / HTTP/\(version)\r\nHost: a\r\n\(lines)\r\n\r\nhello", status)
    }

    /// A GET with this as its Host line.
    static func host(_ name: String, _ value: String) -> Refused {
      Refused("host: \(name)", "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n")
    }

    /// A chunked POST with this body.
    static func chunks(_ name: String, _ body: String) -> Refused {
      Refused("chunks: \(name)", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
    }
  }

  static let refusedLines: [Refused] = [
    .line("one word", "GET"),
    .line("no version, as in HTTP/0.9", "GET /"),
    .line("a fourth word", "GET / HTTP/1.1 x"),
    .line("two spaces", "GET  / HTTP/1.1"),
    .line("a space in front", " GET / HTTP/1.1"),
    .line("a space at the end", "GET / HTTP/1.1 "),
    .line("tabs", "GET\t/\tHTTP/1.1"),
    .line("a colon in the method", "GE:T / HTTP/1.1"),
    .line("a NUL in the method", "GE\0T / HTTP/1.1"),
    .line("a method that is not ASCII", "GÉT / HTTP/1.1"),
    .line("a method without end", String(repeating: "A", count: 40) + " / HTTP/1.1"),
    .line("a control character in the target", "GET /\u{1} HTTP/1.1"),
    .line("a tab in the target", "GET /a\tb HTTP/1.1"),
    .line("DEL in the target", "GET /\u{7F} HTTP/1.1"),
    .line("a relative target", "GET index.html HTTP/1.1"),
    .line("an asterisk with GET", "GET * HTTP/1.1"),
    .line("an authority with CONNECT", "CONNECT a:443 HTTP/1.1"),
    .line("a fragment", "GET /a#b HTTP/1.1"),
    .line("a fragment in the query", "GET /a?b#c HTTP/1.1"),
    .line("user information in the target", "GET http://user@a/ HTTP/1.1"),
    .line("an absolute target without host", "GET http:///x HTTP/1.1"),
    .line("another scheme", "GET ftp://a/ HTTP/1.1"),
    .line("lower case version", "GET / http/1.1"),
    .line("half a version", "GET / HTTP/1"),
    .line("a version without point", "GET / HTTP/11"),
    .line("a version of two digits", "GET / HTTP/1.10"),
    .line("a version with a sign", "GET / HTTP/+1.1"),
    .line("another protocol", "GET / ICY/1.1"),
    .line("HTTP/0.9 spelled out", "GET / HTTP/0.9", 505),
    .line("HTTP/2.0", "GET / HTTP/2.0", 505),
    .line("HTTP/3.0", "GET / HTTP/3.0", 505),
    Refused("request line: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Refused("request line: a bare line feed", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    Refused("request line: a bare carriage return", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
    Refused("request line: a carriage return too many", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    Refused("two empty lines in front", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("a bare line feed in front", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Refused("TLS on the plain port", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\n"),
  ]

  static let refusedFields: [Refused] = [
    Refused("host: missing in HTTP/1.1", "GET / HTTP/1.1\r\n\r\n"),
    Refused("host: twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    Refused("host: twice in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    .host("a space", "a b"),
    .host("a path", "a/b"),
    .host("user information", "u@a"),
    .host("a list", "a, b"),
    .host("two ports", "a:1:2"),
    .host("a port that is no number", "a:http"),
    .host("an open bracket", "[::1"),
    .host("something after the bracket", "[::1]evil.example"),
    .host("IPv6 without brackets", "::1"),
    .field("no colon", "X"),
    .field("a space before the colon", "Content-Length : 5"),
    .field("a tab before the colon", "Content-Length\t: 5"),
    .field("no name", ": x"),
    .field("a control character in the name", "X\u{1}: y"),
    .field("a name that is not ASCII", "Ünïcode: y"),
    .field("a space in the name", "X Y: z"),
    .field("folded with a space", "X: a\r\n b"),
    .field("folded with a tab", "X: a\r\n\tb"),
    Refused("field: the first one folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    .field("a NUL in the value", "X: a\0b"),
    .field("a bare carriage return in the value", "X: a\rContent-Length: 5"),
    .field("a bare line feed between", "X: a\nY: b"),
    .field("an escape in the value", "X: \u{1B}[31m"),
    .field("DEL in the value", "X: \u{7F}"),
    Refused("field: the empty line is a bare line feed", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    .field("an unknown expectation", "Expect: 200-ok", 417),
    .field("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
    .field("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    .field("unknown coding and length", "Transfer-Encoding: gzip\r\nContent-Length: 5"),
    .field("two equal lengths", "Content-Length: 5\r\nContent-Length: 5"),
    .field("two different lengths", "Content-Length: 5\r\ncontent-length: 6"),
    .field("a list of equal lengths", "Content-Length: 5, 5"),
    .field("a negative length", "Content-Length: -5"),
    .field("a length with plus", "Content-Length: +5"),
    .field("a hexadecimal length", "Content-Length: 0x5"),
    .field("a length with a point", "Content-Length: 5.0"),
    .field("a length with an exponent", "Content-Length: 1e1"),
    .field("a length with a space inside", "Content-Length: 1 2"),
    .field("a length with an underscore", "Content-Length: 1_2"),
    .field("a quoted length", "Content-Length: \"5\""),
    .field("a length in other digits", "Content-Length: \u{0665}"),
    .field("an empty length", "Content-Length:"),
    .field("a length that overflows", "Content-Length: 18446744073709551621"),
    .field("a length that overflows signed", "Content-Length: 9223372036854775813"),
    .field("chunks in HTTP/1.0", "Transfer-Encoding: chunked", version: "1.0"),
    .field("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    .field("chunked, then identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
    .field("gzip, chunked", "Transfer-Encoding: gzip, chunked", 501),
    .field("chunked, gzip", "Transfer-Encoding: chunked, gzip", 501),
    .field("identity", "Transfer-Encoding: identity", 501),
    .field("an unknown coding", "Transfer-Encoding: xchunked", 501),
    .field("chunked in quotes", "Transfer-Encoding: \"chunked\"", 501),
    .field("chunked with a parameter", "Transfer-Encoding: chunked;q=1", 501),
    .field("no coding at all", "Transfer-Encoding:", 501),
    .field("a vertical tab before chunked", "Transfer-Encoding: \u{0B}chunked"),
    .field("a NUL after the name", "Transfer-Encoding\0: chunked"),
  ]

  static let refusedChunks: [Refused] = [
    .chunks("no size", "\r\nabc\r\n"),
    .chunks("not hexadecimal", "g\r\n"),
    .chunks("0x in front", "0x3\r\nabc\r\n"),
    .chunks("a space in front", " 3\r\nabc\r\n"),
    .chunks("a space behind", "3 \r\nabc\r\n"),
    .chunks("a tab behind", "3\t\r\nabc\r\n"),
    .chunks("a minus", "-3\r\nabc\r\n"),
    .chunks("a plus", "+3\r\nabc\r\n"),
    .chunks("a point", "3.0\r\nabc\r\n"),
    .chunks("a comma", "3,3\r\nabc\r\n"),
    .chunks("an underscore", "1_0\r\nabc\r\n"),
    .chunks("other digits", "\u{0663}\r\nabc\r\n"),
    .chunks("only an extension", ";x\r\nabc\r\n"),
    .chunks("sixteen digits", "0000000000000003\r\nabc\r\n"),
    .chunks("a size of 64 bits", "FFFFFFFFFFFFFFFF\r\n"),
    .chunks("a size that wraps to 3", "10000000000000003\r\nabc\r\n"),
    .chunks("a size line without carriage return", "3\nabc\r\n"),
    .chunks("a size line with a bare carriage return", "3\rabc\r\n"),
    .chunks("two carriage returns", "3\r\r\nabc\r\n"),
    .chunks("a NUL in the extension", "3;a\0\r\nabc\r\n"),
    .chunks("a bare carriage return in the extension", "3;a\rb\r\nabc\r\n"),
    .chunks("a bare line feed in the extension", "3;a\nb\r\nabc\r\n"),
    .chunks("more data than the size says", "3\r\nabcd\r\n"),
    .chunks("less data than the size says", "5\r\nabc\r\n0\r\n\r\n"),
    .chunks("data ended by a bare line feed", "3\r\nabc\n0\r\n\r\n"),
    .chunks("data ended by a bare carriage return", "3\r\nabc\r0\r\n\r\n"),
    .chunks("data not ended at all", "3\r\nabc0\r\n\r\n"),
    .chunks("a trailer without colon", "0\r\nX\r\n\r\n"),
    .chunks("a trailer with a space before its colon", "0\r\nX : y\r\n\r\n"),
    .chunks("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
    .chunks("a NUL in a trailer", "0\r\nX: \0\r\n\r\n"),
    .chunks("a trailer ended by a bare line feed", "0\r\nX: y\n\r\n"),
    .chunks("an end that is a bare line feed", "0\r\n\n"),
  ]

  static let refused = refusedLines + refusedFields + refusedChunks

  @Test(arguments: refused)
  func refuses(_ sample: Refused) throws {
    let failure = try #require(ParsedRequest(sample.text).failure, "accepted")
    #expect(failure.status == sample.status)
  }

  /// A refusal that came earlier or later by the luck of the packets would be a different protocol each time.
  @Test(arguments: refused)
  func refusesTheSameHoweverCut(_ sample: Refused) {
    let bytes = Array(sample.text.utf8)
    let whole = ParsedRequest(bytes)
    for pieces in ParsedRequest.cuts(bytes) { #expect(ParsedRequest(pieces) == whole) }
  }

  @Test func knowsEnoughWaysToSmuggle() { #expect(Self.refused.count >= 60) }

  @Test func staysRefusedWhateverFollows() {
    var parser = RequestParser()
    for text in ["GET / HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""] {
      var offset = 0
      let bytes = Array(text.utf8)
      guard case .failure(.unsupportedVersion) = parser.next(bytes.span, &offset) else {
        Issue.record("a parser that has given up went on")
        return
      }
    }
  }

  // MARK: Acceptance

  struct Accepted: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let head: String
    let body: String
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ head: String, body: String = "") {
      self.name = name
      self.text = text
      self.head = head
      self.body = body
    }

    var parts: [ParsedPart] {
      [.head(head)] + (body.isEmpty ? [] : [.body(Array(body.utf8))]) + [.end]
    }
  }

  private static let chunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
  private static let chunkedSummary = "POST / host=a 1.1 chunked keep"

  static let accepted: [Accepted] = [
    Accepted("a plain GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("one empty line in front", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("a query", "GET /x?y=1?2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y=1?2 host=a 1.1 none keep"),
    Accepted("an empty query", "GET /x? HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x? host=a 1.1 none keep"),
    Accepted("escapes left alone", "GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a%2Fb host=a 1.1 none keep"),
    Accepted(
      "slashes left alone", "GET //v1//x/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET //v1//x/ host=a 1.1 none keep"),
    Accepted(
      "an absolute target beats Host", "GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /x?y host=b:81 1.1 none keep"),
    Accepted(
      "an absolute target without path", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=b 1.1 none keep"),
    Accepted(
      "an absolute target with query only", "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /?q host=b 1.1 none keep"),
    Accepted("a scheme in capitals", "GET HTTP://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=b 1.1 none keep"),
    Accepted("OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * host=a 1.1 none keep"),
    Accepted("an unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "BREW /pot host=a 1.1 none keep"),
    Accepted(
      "a port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", "GET / host=a.example:8080 1.1 none keep"),
    Accepted("IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / host=[::1]:80 1.1 none keep"),
    Accepted("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / host= 1.1 none keep"),
    Accepted("no space after the colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("blanks around a value", "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("a tab inside a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\tc\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("UTF-8 in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: é\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("an empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", "GET / host=a 1.1 none keep"),
    Accepted("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / host=none 1.0 none close"),
    Accepted(
      "HTTP/1.0 that wants to stay", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
      "GET / host=none 1.0 none keep"),
    Accepted(
      "HTTP/1.0 that says both", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
      "GET / host=none 1.0 none close"),
    Accepted(
      "HTTP/1.1 that wants to leave", "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n",
      "GET / host=a 1.1 none close"),
    Accepted(
      "Connection in two lines", "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nConnection: close\r\n\r\n",
      "GET / host=a 1.1 none close"),
    Accepted(
      "a word that only contains close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
      "GET / host=a 1.1 none keep"),
    Accepted(
      "a length", "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\nhello",
      "POST / host=a 1.1 length(5) keep",
      body: "hello"),
    Accepted(
      "a length of 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST / host=a 1.1 none keep"),
    Accepted(
      "a length with zeros in front", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello",
      "POST / host=a 1.1 length(5) keep", body: "hello"),
    Accepted(
      "a body of line feeds", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
      "POST / host=a 1.1 length(4) keep", body: "\r\n\r\n"),
    Accepted(
      "a body with GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
      "GET / host=a 1.1 length(2) keep",
      body: "hi"),
    Accepted(
      "an expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
      "POST / host=a 1.1 length(2) keep continue", body: "hi"),
    Accepted(
      "an expectation of HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
      "POST / host=none 1.0 length(2) close", body: "hi"),
    Accepted("no chunk", chunkedHead + "0\r\n\r\n", chunkedSummary),
    Accepted("one chunk", chunkedHead + "5\r\nhello\r\n0\r\n\r\n", chunkedSummary, body: "hello"),
    Accepted("chunks", chunkedHead + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", chunkedSummary, body: "hello"),
    Accepted("capital digits", chunkedHead + "A\r\n0123456789\r\n0\r\n\r\n", chunkedSummary, body: "0123456789"),
    Accepted("small digits", chunkedHead + "a\r\n0123456789\r\n0\r\n\r\n", chunkedSummary, body: "0123456789"),
    Accepted("fifteen digits", chunkedHead + "000000000000001\r\nx\r\n000\r\n\r\n", chunkedSummary, body: "x"),
    Accepted("an extension", chunkedHead + "1;a=\"b\"\r\nx\r\n0;z\r\n\r\n", chunkedSummary, body: "x"),
    Accepted("trailers", chunkedHead + "1\r\nx\r\n0\r\nX: y\r\nZ:\r\n\r\n", chunkedSummary, body: "x"),
    Accepted(
      "data like framing", chunkedHead + "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", chunkedSummary, body: "\r\n0\r\n\r\n"),
    Accepted(
      "chunked in capitals", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
      chunkedSummary, body: "x"),
  ]

  @Test(arguments: accepted)
  func accepts(_ sample: Accepted) {
    let parsed = ParsedRequest(sample.text)
    #expect(parsed.parts == sample.parts)
    #expect(!parsed.isInsideHead)
  }

  @Test(arguments: accepted)
  func acceptsTheSameHoweverCut(_ sample: Accepted) {
    let bytes = Array(sample.text.utf8)
    let whole = ParsedRequest(bytes)
    for pieces in ParsedRequest.cuts(bytes) { #expect(ParsedRequest(pieces) == whole) }
  }

  /// What a request leaves over is the next one: bytes must neither be lost nor read twice.
  @Test func readsPipelinedRequests() {
    let text = Self.accepted.map(\.text).joined()
    let expected = Self.accepted.flatMap { ParsedRequest($0.text).parts }
    let bytes = Array(text.utf8)
    #expect(ParsedRequest(bytes).parts == expected)
    var random = SeededGenerator(1)
    for _ in 0..<50 { #expect(ParsedRequest(random.pieces(of: bytes, upTo: 40)).parts == expected) }
  }

  @Test(arguments: refused)
  func refusesAfterARequestThatWasFine(_ sample: Refused) {
    let first = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
    let parsed = ParsedRequest(first + sample.text)
    #expect(parsed.parts.prefix(3) == ParsedRequest(first).parts.prefix(3))
    #expect(parsed.failure == ParsedRequest(sample.text).failure)
  }

  @Test(arguments: ["G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r"])
  func knowsThatAHeadHasBegun(_ text: String) {
    let parsed = ParsedRequest(text)
    #expect(parsed.parts.isEmpty)
    #expect(parsed.isInsideHead)
  }

  @Test func isInsideNoHeadBetweenRequests() {
    #expect(!ParsedRequest("").isInsideHead)
    #expect(!ParsedRequest("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf").isInsideHead)
    #expect(!ParsedRequest("GET / HTTP/1.1\r\nHost: a\r\n\r\n").isInsideHead)
  }

  // MARK: Limits

  /// A text of exactly `count` bytes.
  private static func filler(_ count: Int) -> String { String(repeating: "x", count: max(0, count)) }

  /// Whole, in two halves, and byte by byte: the answer must not depend on it.
  private func outcome(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> ParsedRequest {
    let bytes = Array(text.utf8)
    let whole = ParsedRequest(bytes)
    let half = bytes.count / 2
    #expect(ParsedRequest([bytes[..<half], bytes[half...]]) == whole, sourceLocation: sourceLocation)
    #expect(ParsedRequest(bytes.indices.map { bytes[$0...$0] }) == whole, sourceLocation: sourceLocation)
    return whole
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheRequestLine(_ excess: Int) {
    let frame = "GET / HTTP/1.1\r\n".utf8.count
    let target = Self.filler(RequestParser.Limit.requestLineBytes - frame + excess)
    let parsed = outcome("GET /\(target) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(parsed.failure == (excess > 0 ? .uriTooLong : nil))
  }

  @Test func refusesARequestLineThatNeverEnds() {
    #expect(outcome(Self.filler(RequestParser.Limit.requestLineBytes)).failure == nil)
    #expect(outcome(Self.filler(RequestParser.Limit.requestLineBytes + 1)).failure == .uriTooLong)
  }

  @Test(arguments: [-1, 0, 1])
  func limitsAFieldLine(_ excess: Int) {
    let value = Self.filler(RequestParser.Limit.fieldLineBytes - "X: \r\n".utf8.count + excess)
    let parsed = outcome("GET / HTTP/1.1\r\nHost: a\r\nX: \(value)\r\n\r\n")
    #expect(parsed.failure == (excess > 0 ? .headTooLarge : nil))
  }

  @Test func refusesAFieldThatNeverEnds() {
    let start = "GET / HTTP/1.1\r\n"
    #expect(outcome(start + Self.filler(RequestParser.Limit.fieldLineBytes)).failure == nil)
    #expect(outcome(start + Self.filler(RequestParser.Limit.fieldLineBytes + 1)).failure == .headTooLarge)
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheHead(_ excess: Int) {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: \(Self.filler(16_000))\r\nY: "
    let rest = RequestParser.Limit.headBytes - start.utf8.count - "\r\n\r\n".utf8.count + excess
    let fits = rest / 2
    let parsed = outcome("\(start)\(Self.filler(fits))\r\nZ: \(Self.filler(rest - fits - 5))\r\n\r\n")
    #expect(parsed.failure == (excess > 0 ? .headTooLarge : nil))
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheFields(_ excess: Int) {
    let fields = (1..<RequestParser.Limit.fieldCount + excess).map { "X-\($0): y\r\n" }.joined()
    let parsed = outcome("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
    #expect(parsed.failure == (excess > 0 ? .headTooLarge : nil))
  }

  @Test(arguments: [-1, 0, 1])
  func limitsAChunkLine(_ excess: Int) {
    let note = Self.filler(RequestParser.Limit.chunkLineBytes - "1;\r\n".utf8.count + excess)
    let parsed = outcome("\(Self.chunkedHead)1;\(note)\r\nx\r\n0\r\n\r\n")
    #expect(parsed.failure?.status == (excess > 0 ? 400 : nil))
    #expect(parsed.isComplete == (excess <= 0))
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheTrailers(_ excess: Int) {
    let limit = RequestParser.Limit.trailerBytes
    let value = Self.filler(limit / 2 - "X: \r\n".utf8.count)
    let rest = Self.filler(limit - limit / 2 - "Y: \r\n\r\n".utf8.count + excess)
    let parsed = outcome("\(Self.chunkedHead)0\r\nX: \(value)\r\nY: \(rest)\r\n\r\n")
    #expect(parsed.failure?.status == (excess > 0 ? 400 : nil))
  }

  @Test(arguments: [1, 31, 32, 33])
  func limitsTheMethod(_ length: Int) {
    let parsed = outcome("\(String(repeating: "M", count: length)) / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(parsed.failure?.status == (length > 32 ? 400 : nil))
  }

  /// Noise must never trap, whatever it is.
  @Test func survivesNoise() {
    var random = SeededGenerator(2)
    let seeds = Self.accepted.map { Array($0.text.utf8) } + Self.refused.map { Array($0.text.utf8) }
    for _ in 0..<3000 {
      var bytes = seeds[Int.random(in: seeds.indices, using: &random)]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
        case 1: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
        default: if bytes.count > 1 { bytes.remove(at: index) }
        }
      }
      let whole = ParsedRequest(bytes)
      #expect(ParsedRequest(random.pieces(of: bytes)) == whole)
      #expect(ParsedRequest(bytes.indices.map { bytes[$0...$0] }) == whole)
    }
  }
}
