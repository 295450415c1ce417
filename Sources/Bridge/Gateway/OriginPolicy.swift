// Which Host values are answered, and which web pages may call. Pure.

/// Protection of a local service against pages in its user's browser.
struct OriginPolicy: Sendable {
  private static let localSuffix = ".localhost"
  /// What containers call the machine they run on (Docker, Podman). Nobody can own a name below `.internal`.
  private static let containerNames = ["host.docker.internal", "host.containers.internal"]

  /// Nil allows any host. A few names in lower case, so that looking at each is quicker than hashing.
  private let hosts: [String]?
  private let origins: Set<String>

  /// `configured` replaces the default: loopback names and the addresses listened on. While listening on every
  /// address any name may lead here, and the default key is refused there, so any host is answered.
  init(configured: [String], listening: [String], origins: [String]) {
    if configured.contains("*") {
      hosts = nil
    } else if !configured.isEmpty {
      hosts = configured.map { Self.hostName($0.lowercased()) }
    } else {
      let names = listening.map { Self.hostName($0.lowercased()) }
      if names.contains(where: { ["0.0.0.0", "::"].contains($0) }) {
        hosts = nil
      } else {
        // Beyond loopback the start has made sure that every key is somebody's own.
        let isOpen = !names.allSatisfy(Self.isLoopback)
        hosts = ["localhost", "127.0.0.1", "::1"] + names + (isOpen ? Self.containerNames : [])
      }
    }
    self.origins = Set(origins.map { $0.lowercased() })
  }

  private static func isLoopback(_ name: String) -> Bool {
    name == "localhost" || name.hasSuffix(localSuffix) || name.hasPrefix("127.") || name == "::1"
  }

  func admitsHost(_ host: String?) -> Bool {
    guard let hosts else { return true }
    // An HTTP/1.0 request has no Host, and no browser sends one.
    guard let host else { return true }
    let bytes = host.utf8.span
    let name = bytes.extracting(Self.hostName(bytes))
    return hosts.contains { name.isEqual(inAnyCase: $0) }
      || name.extracting(last: Self.localSuffix.utf8.count).isEqual(inAnyCase: Self.localSuffix)
  }

  /// Whether there are pages that may call.
  var admitsPages: Bool { !origins.isEmpty }

  /// The header fields a page from `origin` needs to read the answer; none if it may not.
  func fields(origin: String?) -> ResponseFields {
    guard let origin, origins.contains("*") || origins.contains(origin.lowercased()) else { return [:] }
    return [
      "Access-Control-Allow-Origin": origin,
      "Vary": "Origin",
      "Access-Control-Expose-Headers": Self.exposed,
    ]
  }

  /// What a page may want to know of an answer besides what browsers show it unasked.
  private static let exposed = [
    "x-request-id", "retry-after", "x-should-retry", "x-bridge-session", "x-bridge-session-restarted",
    "x-bridge-ignored",
  ].joined(separator: ", ")

  /// The answer to a preflight (WHATWG Fetch, "CORS-preflight request"). It needs no key: browsers send none.
  func preflight(_ fields: HeaderFields, allowed methods: [String]) -> Response {
    var answer = self.fields(origin: fields["origin"])
    if !answer.isEmpty {
      answer.append("Access-Control-Allow-Methods", methods.joined(separator: ", "))
      answer.append("Access-Control-Allow-Headers", Self.allowedHeaders(fields))
      answer.append("Access-Control-Max-Age", "600")
    }
    answer.append("Allow", methods.joined(separator: ", "))
    return Response(status: 204, fields: answer)
  }

  /// Request headers are no secret of ours, so what a page asks for is allowed as long as it is a list of tokens.
  private static func allowedHeaders(_ fields: HeaderFields) -> String {
    let asked = fields["access-control-request-headers"] ?? usualHeaders
    let isList = asked.utf8.allSatisfy { HeadSyntax.isToken($0) || $0 == UInt8(ascii: ",") || $0 == 0x20 }
    return isList ? asked : usualHeaders
  }

  /// What a page may send where its browser does not say what it wants to.
  private static let usualHeaders = "authorization, content-type, \(ProfileChoice.field), x-session-id"

  /// The host without its port, its brackets, and the dot that a name may end with (RFC 1034 §3.1).
  static func hostName(_ host: String) -> String {
    let bytes = host.utf8.span
    return String(decoding: bytes.extracting(hostName(bytes)))
  }

  private static func hostName(_ host: Span<UInt8>) -> Range<Int> {
    let colon = UInt8(ascii: ":")
    if host.first == UInt8(ascii: "["), let end = host.firstIndex(of: UInt8(ascii: "]")) {
      return end + 1 == host.count || host[end + 1] == colon ? 1..<end : host.indices
    }
    // Two colons and no brackets are an IPv6 address as a whole.
    var end = host.firstIndex(of: colon) ?? host.count
    if end < host.count, host.firstIndex(of: colon, from: end + 1) != nil { return host.indices }
    if end > 1, host[end - 1] == UInt8(ascii: ".") { end -= 1 }
    return 0..<end
  }
}
