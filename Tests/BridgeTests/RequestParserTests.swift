// Requests that are read and requests that are refused, whole and cut at every byte.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct RequestParserTests {
  // MARK: Refusals

  @Test(arguments: RefusedRequest.short)
  func refuses(_ sample: RefusedRequest) throws {
    let failure = try #require(ParsedRequest(sample.bytes).failure, "accepted")
    #expect(failure.status == sample.status)
  }

  /// A refusal that came earlier or later by the luck of the packets would be a different protocol each time.
  @Test(arguments: RefusedRequest.short)
  func refusesTheSameHoweverCut(_ sample: RefusedRequest) {
    let whole = ParsedRequest(sample.bytes)
    for pieces in ParsedRequest.cuts(sample.bytes) { #expect(ParsedRequest(pieces) == whole) }
  }

  @Test func knowsEnoughWaysToSmuggle() { #expect(RefusedRequest.short.count >= 60) }

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

  /// Some clients send an empty line behind a body; their connection is idle, not late with a head.
  @Test func anEmptyLineBeginsNoHead() {
    var parser = RequestParser()
    for (text, isInside) in [("\r", true), ("\n", false), ("G", true)] {
      var offset = 0
      let bytes = Array(text.utf8)
      _ = parser.next(bytes.span, &offset)
      #expect(parser.isInsideHead == isInside, "after \(text.debugDescription)")
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

  @Test(arguments: RefusedRequest.short)
  func refusesAfterARequestThatWasFine(_ sample: RefusedRequest) {
    let first = Array("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".utf8)
    let parsed = ParsedRequest(first + sample.bytes)
    #expect(parsed.parts.prefix(3) == ParsedRequest(first).parts.prefix(3))
    #expect(parsed.failure == ParsedRequest(sample.bytes).failure)
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
    let note = Self.filler(ChunkedDecoder.Limit.lineBytes - "1;\r\n".utf8.count + excess)
    let parsed = outcome("\(Self.chunkedHead)1;\(note)\r\nx\r\n0\r\n\r\n")
    #expect(parsed.failure?.status == (excess > 0 ? 400 : nil))
    #expect(parsed.isComplete == (excess <= 0))
  }

  @Test(arguments: [-1, 0, 1])
  func limitsTheTrailers(_ excess: Int) {
    let limit = ChunkedDecoder.Limit.trailerBytes
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
    let seeds = Self.accepted.map { Array($0.text.utf8) } + RefusedRequest.short.map(\.bytes)
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
