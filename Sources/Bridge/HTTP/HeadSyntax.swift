// The grammar of a request head: pure functions from bytes to values or a refusal.

/// Syntax and meaning of request line and header fields (RFC 9110 §5, RFC 9112 §2–§6).
enum HeadSyntax {
  struct RequestLine: Sendable {
    let method: Range<Int>
    let target: Range<Int>
    let minorVersion: Int
  }

  private static let maxMethodBytes = 32
  /// What a TLS connection begins with: a record of the type "handshake" (RFC 8446 §5.1).
  private static let tlsHandshake: UInt8 = 0x16

  /// Checks the first bytes of a request, of which there may be no more yet: a method, or the empty line that may stand
  /// before it. What begins otherwise never becomes a request, and its sender may wait for an answer before it goes on.
  static func checkBeginning(_ bytes: Span<UInt8>) throws(HTTPError) {
    guard let first = bytes.first, !isToken(first), first != 0x0A else { return }
    if first == 0x0D, bytes.count == 1 || bytes[1] == 0x0A { return }
    throw .badRequest(
      first == tlsHandshake
        ? "it begins like TLS, and this port speaks plain HTTP; write http:// in place of https://"
        : "it does not begin with a method")
  }

  /// Checks `method SP target SP HTTP/1.x`, the bytes of `line`, and finds its parts.
  static func requestLine(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(HTTPError) -> RequestLine {
    let text = bytes.extracting(..<line.upperBound)
    let methodEnd = text.end(of: isToken, from: line.lowerBound)
    let method = line.lowerBound..<methodEnd
    guard methodEnd < text.count, text[methodEnd] == 0x20, !method.isEmpty, method.count <= maxMethodBytes else {
      throw .badRequest("the request line does not begin with a method and a space")
    }
    let targetEnd = text.end(of: { $0 > 0x20 && $0 != 0x7F }, from: methodEnd + 1)
    let target = methodEnd + 1..<targetEnd
    guard targetEnd < text.count, text[targetEnd] == 0x20, !target.isEmpty else {
      throw .badRequest("the request line has no target with a space behind it")
    }
    let minorVersion = try minorVersion(text.extracting((targetEnd + 1)...))
    return RequestLine(method: method, target: target, minorVersion: minorVersion)
  }

  private static func minorVersion(_ version: Span<UInt8>) throws(HTTPError) -> Int {
    guard version.count == 8, version.extracting(..<5).isEqual(to: "HTTP/"),
      version[5].isDigit, version[6] == UInt8(ascii: "."), version[7].isDigit
    else { throw .badRequest("the HTTP version is malformed") }
    guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else { throw .unsupportedVersion }
    return Int(version[7] - UInt8(ascii: "0"))
  }

  /// Checks `name ":" OWS value OWS`, the bytes of `line`, and finds its parts.
  static func fieldLine(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(HTTPError) -> HeaderFields.Line {
    let text = bytes.extracting(..<line.upperBound)
    var start = line.lowerBound
    guard !line.isEmpty, !isBlank(text[start]) else { throw .badRequest("a header line is folded") }
    let colon = text.end(of: isToken, from: start)
    guard colon > start, colon < text.count, text[colon] == UInt8(ascii: ":") else {
      throw .badRequest("a header name is not a token followed by a colon")
    }
    let name = start..<colon
    start = colon + 1
    var end = line.upperBound
    while start < end, isBlank(text[start]) { start += 1 }
    while end > start, isBlank(text[end - 1]) { end -= 1 }
    let value = start..<end
    guard !text.extracting(value).contains({ $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
      throw .badRequest("a header value contains a control character")
    }
    return HeaderFields.Line(name: name, value: value)
  }

  /// Puts a head together from checked lines, and decides how its body is framed.
  static func head(
    _ requestLine: RequestLine,
    _ fields: consuming HeaderFields
  ) throws(HTTPError) -> RequestHead {
    let method = method(fields.bytes.span.extracting(requestLine.method))
    let minorVersion = requestLine.minorVersion
    let target = try Target(fields.bytes.span.extracting(requestLine.target), method: method)
    let deciding = DecidingFields(fields)
    let host = try host(deciding.host, of: fields, minorVersion: minorVersion)
    let framing = try framing(deciding, of: fields, minorVersion: minorVersion)
    let expectsContinue = deciding.hasExpect ? try expectsContinue(fields, minorVersion: minorVersion) : false
    let claimedID = deciding.requestID.map(fields.text)
    let wantsKeepAlive = deciding.hasConnection ? wantsKeepAlive(fields, minorVersion) : minorVersion == 1
    return RequestHead(
      method: method,
      path: target.path,
      query: target.query,
      host: target.authority ?? host,
      minorVersion: minorVersion,
      fields: fields,
      framing: framing,
      expectsContinue: expectsContinue,
      wantsKeepAlive: wantsKeepAlive,
      claimedID: claimedID
    )
  }

  /// What nearly all requests have is not made anew for each.
  private static func method(_ text: Span<UInt8>) -> String {
    if text.isEqual(to: "GET") { return "GET" }
    return text.isEqual(to: "POST") ? "POST" : String(decoding: text)
  }

  /// The fields that decide how a request is read and what it is called, found in one pass.
  private struct DecidingFields {
    var host = HeaderFields.Occurrence.absent
    var transferEncoding = HeaderFields.Occurrence.absent
    var contentLength = HeaderFields.Occurrence.absent
    var hasConnection = false
    var hasExpect = false
    var requestID: Range<Int>?

    init(_ fields: borrowing HeaderFields) {
      for line in fields.lines {
        switch line.name.count {
        case 4 where fields.matches(line.name, "host"): host.add(line.value)
        case 6 where fields.matches(line.name, "expect"): hasExpect = true
        case 10 where fields.matches(line.name, "connection"): hasConnection = true
        case 12 where requestID == nil && fields.matches(line.name, "x-request-id"): requestID = line.value
        case 14 where fields.matches(line.name, "content-length"): contentLength.add(line.value)
        case 17 where fields.matches(line.name, "transfer-encoding"): transferEncoding.add(line.value)
        default: break
        }
      }
    }
  }

  /// RFC 9112 §9.3.
  private static func wantsKeepAlive(_ fields: HeaderFields, _ minorVersion: Int) -> Bool {
    !fields.contains("connection", token: "close")
      && (minorVersion == 1 || fields.contains("connection", token: "keep-alive"))
  }

  /// The parts of a request target (RFC 9112 §3.2).
  private struct Target {
    let path: String
    let query: String?
    let authority: String?

    init(_ target: Span<UInt8>, method: String) throws(HTTPError) {
      guard target.firstIndex(of: UInt8(ascii: "#")) == nil else {
        throw .badRequest("the request target has a fragment")
      }
      // To replace what is not UTF-8 would make one name of two.
      guard target.isUTF8 else { throw .badRequest("the request target is not UTF-8") }
      let question = target.firstIndex(of: UInt8(ascii: "?"))
      let hierarchy = target.extracting(..<(question ?? target.count))
      query = question.map { String(decoding: target.extracting(($0 + 1)...)) }
      if hierarchy.first == UInt8(ascii: "/") || method == "OPTIONS" && target.isEqual(to: "*") {
        authority = nil
        path = String(decoding: hierarchy)
        return
      }
      guard let schemeEnd = schemeEnd(hierarchy) else {
        throw .badRequest("the request target is neither a path nor an absolute URL")
      }
      let rest = hierarchy.extracting(schemeEnd...)
      let host = rest.extracting(..<(rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.count))
      guard !host.isEmpty, isHost(host) else { throw .badRequest("the host of the request target is malformed") }
      authority = String(decoding: host)
      path = host.count < rest.count ? String(decoding: rest.extracting(host.count...)) : "/"
    }
  }

  private static func schemeEnd(_ url: Span<UInt8>) -> Int? {
    for scheme in ["http://", "https://"] where url.hasPrefix(inAnyCase: scheme) { return scheme.utf8.count }
    return nil
  }

  private static func host(
    _ occurrence: HeaderFields.Occurrence,
    of fields: HeaderFields,
    minorVersion: Int
  ) throws(HTTPError) -> String? {
    // RFC 9112 §3.2: a request with no Host on 1.1, with several, or with a malformed one gets a 400.
    switch occurrence {
    case .absent where minorVersion == 0: return nil
    case .absent: throw .badRequest("the Host header is missing")
    case .repeated: throw .badRequest("there are several Host headers")
    case .once(let range):
      let isWellFormed = isHost(fields.bytes.span.extracting(range))
      guard isWellFormed else { throw .badRequest("the Host header is malformed") }
      return fields.text(range)
    }
  }

  /// Whether text can be `uri-host [":" port]` (RFC 3986 §3.2.2); empty is allowed, user information is not.
  private static func isHost(_ host: Span<UInt8>) -> Bool {
    if host.first == UInt8(ascii: "[") {
      guard let bracket = host.firstIndex(of: UInt8(ascii: "]")) else { return false }
      let name = host.extracting(1..<bracket)
      return isPort(host.extracting((bracket + 1)...)) && !name.isEmpty
        && name.allSatisfy { $0.hexValue != nil || $0 == 0x3A || $0 == 0x2E }
    }
    let end = host.firstIndex(of: UInt8(ascii: ":")) ?? host.count
    return isPort(host.extracting(end...)) && host.extracting(..<end).allSatisfy(isHostByte)
  }

  /// Whether text is empty or `":" port`.
  private static func isPort(_ text: Span<UInt8>) -> Bool {
    guard let first = text.first else { return true }
    return first == UInt8(ascii: ":") && text.count <= 6 && text.extracting(1...).areDigits
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "%"), UInt8(ascii: "~"): true
    default: false
    }
  }

  /// RFC 9112 §6.3, without its leniencies.
  private static func framing(
    _ deciding: DecidingFields,
    of fields: HeaderFields,
    minorVersion: Int
  ) throws(HTTPError) -> RequestHead.Framing {
    switch (deciding.transferEncoding, deciding.contentLength) {
    case (.absent, .absent): return .none
    case (.absent, .once(let value)): return try length(fields.text(value))
    case (.absent, .repeated): throw .badRequest("several Content-Length headers")
    case (_, .once), (_, .repeated): throw .badRequest("both Content-Length and Transfer-Encoding")
    case (.once, .absent) where minorVersion == 0, (.repeated, .absent) where minorVersion == 0:
      throw .badRequest("Transfer-Encoding in HTTP/1.0")
    case (.repeated, .absent): throw .badRequest("several Transfer-Encoding headers")
    case (.once(let value), .absent):
      guard fields.text(value).lowercased() == "chunked" else { throw .unsupportedTransferCoding }
      return .chunked
    }
  }

  private static func length(_ text: String) throws(HTTPError) -> RequestHead.Framing {
    guard !text.isEmpty, text.utf8.span.areDigits, text.utf8.count <= 18, let length = Int(text) else {
      throw .badRequest("the Content-Length is not a plain number")
    }
    return length == 0 ? .none : .length(length)
  }

  private static func expectsContinue(_ fields: HeaderFields, minorVersion: Int) throws(HTTPError) -> Bool {
    let expectations = fields.values("expect")
    guard expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else { throw .expectationFailed }
    guard !expectations.isEmpty else { return false }
    // RFC 9110 §10.1.1: an expectation in a 1.0 request is ignored.
    return minorVersion == 1
  }

  /// RFC 9110 §5.6.2.
  static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
    default: false
    }
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
