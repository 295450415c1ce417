// Decides which `Host` values are answered, and which web pages may call the bridge. Pure.

/// Protects a local service against pages in its user's browser.
struct OriginPolicy: Sendable {
  private static let localSuffix = ".localhost"
  /// The names by which containers call the machine that they run on (Docker, Podman). They are safe to admit: nobody can
  /// own a name below `.internal`.
  private static let containerNames = ["host.docker.internal", "host.containers.internal"]

  /// In lower case; nil admits any host. An array, because comparing a few names is quicker than hashing.
  private let hosts: [String]?
  private let origins: Set<String>

  /// `configured` replaces the default, which is the names of loopback and the addresses that the bridge listens on. A
  /// bridge that listens on all addresses may be called by any name, so any host is admitted; the default key is refused
  /// there. `published` is a name that people are told to use, which is admitted in any case.
  init(configured: [String], listening: [String], published: String? = nil, origins: [String]) {
    let published = published.map { [Self.hostName($0.lowercased())] } ?? []
    if configured.contains("*") {
      hosts = nil
    } else if !configured.isEmpty {
      hosts = configured.map { Self.hostName($0.lowercased()) } + published
    } else {
      let names = listening.map { Self.hostName($0.lowercased()) }
      if names.contains(where: { ["0.0.0.0", "::"].contains($0) }) {
        hosts = nil
      } else {
        // Listening beyond loopback needs keys other than the default one (checked at the start), so containers may call
        // too.
        let isOpen = !names.allSatisfy(Self.isLoopback)
        hosts =
          ["localhost", "127.0.0.1", "::1"] + names + published
          + (isOpen ? Self.containerNames : [])
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

  /// Whether any page may call.
  var admitsPages: Bool { !origins.isEmpty }

  /// The header fields that let a page from `origin` read the answer; none if it may not.
  func fields(origin: String?) -> ResponseFields {
    guard let origin, origins.contains("*") || origins.contains(origin.lowercased()) else { return [:] }
    return [
      "Access-Control-Allow-Origin": origin,
      "Vary": "Origin",
      "Access-Control-Expose-Headers": Self.exposed,
    ]
  }

  /// The header fields of an answer that a page may read, besides those that every page may.
  private static let exposed = [
    "x-request-id", "retry-after", "x-should-retry", "x-bridge-session", "x-bridge-session-source",
    "x-bridge-session-state", "x-bridge-session-restarted",
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

  /// Allows the request headers that a page asks for. Which headers a permitted page sends does not matter, but the value
  /// goes into our answer, so it has to be a list of tokens.
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
    // Two colons without brackets: the whole text is an IPv6 address.
    var end = host.firstIndex(of: colon) ?? host.count
    if end < host.count, host.firstIndex(of: colon, from: end + 1) != nil { return host.indices }
    if end > 1, host[end - 1] == UInt8(ascii: ".") { end -= 1 }
    return 0..<end
  }
}
