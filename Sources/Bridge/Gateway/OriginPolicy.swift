// Which Host values are answered, and which web pages may call. Pure.

/// Protection of a local service against pages in its user's browser.
struct OriginPolicy: Sendable {
  /// Nil allows any host. A few names, so that looking at each is quicker than hashing.
  private let hosts: [String]?
  private let origins: Set<String>

  /// `configured` replaces the default: loopback names and the addresses listened on. While listening on every
  /// address any name may lead here, and the default key is refused there, so any host is answered.
  init(configured: [String], listening: [String], origins: [String]) {
    if configured.contains("*") {
      hosts = nil
    } else if !configured.isEmpty {
      hosts = configured.map { Self.hostName($0.lowercased()) }
    } else if listening.contains(where: { ["0.0.0.0", "::"].contains($0) }) {
      hosts = nil
    } else {
      hosts = ["localhost", "127.0.0.1", "::1"] + listening.map { Self.hostName($0.lowercased()) }
    }
    self.origins = Set(origins.map { $0.lowercased() })
  }

  func admitsHost(_ host: String?) -> Bool {
    guard let hosts else { return true }
    // An HTTP/1.0 request has no Host, and no browser sends one.
    guard let host else { return true }
    let name = Self.hostName(host.lowercased())
    return hosts.contains(name) || name.hasSuffix(".localhost")
  }

  /// The header fields a page from `origin` needs to read the answer; none if it may not.
  func fields(origin: String?) -> [(name: String, value: String)] {
    guard let origin, origins.contains("*") || origins.contains(origin.lowercased()) else { return [] }
    return [
      ("Access-Control-Allow-Origin", origin),
      ("Vary", "Origin"),
      ("Access-Control-Expose-Headers", Self.exposed.joined(separator: ", ")),
    ]
  }

  /// What a page may want to know of an answer besides what browsers show it unasked.
  private static let exposed = [
    "x-request-id", "retry-after", "x-should-retry", "x-bridge-session", "x-bridge-session-restarted",
    "x-bridge-ignored",
  ]

  /// The answer to a preflight (WHATWG Fetch, "CORS-preflight request"). It needs no key: browsers send none.
  func preflight(_ fields: HeaderFields, allowed methods: [String]) -> Response {
    var answer = self.fields(origin: fields["origin"])
    if !answer.isEmpty {
      answer.append(("Access-Control-Allow-Methods", methods.joined(separator: ", ")))
      answer.append(("Access-Control-Allow-Headers", Self.allowedHeaders(fields)))
      answer.append(("Access-Control-Max-Age", "600"))
    }
    answer.append(("Allow", methods.joined(separator: ", ")))
    return Response(status: 204, fields: answer)
  }

  /// Request headers are no secret of ours, so what a page asks for is allowed as long as it is a list of tokens.
  private static func allowedHeaders(_ fields: HeaderFields) -> String {
    let asked = fields["access-control-request-headers"] ?? "authorization, content-type"
    let isList = asked.utf8.allSatisfy { HeadSyntax.isToken($0) || $0 == UInt8(ascii: ",") || $0 == 0x20 }
    return isList ? asked : "authorization, content-type"
  }

  /// The host without its port and brackets.
  static func hostName(_ host: String) -> String {
    let bytes = host.utf8
    if bytes.first == UInt8(ascii: "["), let end = bytes.firstIndex(of: UInt8(ascii: "]")) {
      let after = bytes[end...].dropFirst()
      guard after.isEmpty || after.first == UInt8(ascii: ":") else { return host }
      return String(Substring(bytes[..<end].dropFirst()))
    }
    // Two colons and no brackets are an IPv6 address as a whole.
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon == bytes.lastIndex(of: UInt8(ascii: ":"))
    else {
      return host
    }
    return String(host[..<colon])
  }
}
