// Hosts that are answered and pages that may call.

import Testing

@testable import Bridge

struct OriginPolicyTests {
  private func policy(_ configured: [String] = [], listening: [String] = ["127.0.0.1"], origins: [String] = [])
    -> OriginPolicy
  {
    OriginPolicy(configured: configured, listening: listening, origins: origins)
  }

  @Test(
    arguments: [
      "localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "app.localhost:80",
      "localhost.", "localhost.:8080", "app.localhost.",
      nil,
    ] as [String?])
  func answersLoopbackNames(_ host: String?) { #expect(policy().admitsHost(host)) }

  /// DNS rebinding: the page's own name leads to this machine.
  @Test(arguments: [
    "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example",
    "evil.example:80.localhost",
    "notlocalhost", "10.0.0.1", "", "localhost@evil.example", "[::1].evil.example", "[::2]", "evillocalhost",
    "127.0.0.2",
  ])
  func refusesOtherNames(_ host: String) { #expect(!policy().admitsHost(host)) }

  @Test func answersTheAddressListenedOn() {
    let policy = policy(listening: ["192.168.1.5", "Bridge.LAN"])
    for host in ["192.168.1.5:8080", "bridge.lan", "localhost"] { #expect(policy.admitsHost(host)) }
    #expect(!policy.admitsHost("192.168.1.6"))
  }

  /// People are told to use it, so it is answered beside a list, too.
  @Test(arguments: [[], ["other.example"]]) func answersTheNameThatIsPublished(_ configured: [String]) {
    let policy = OriginPolicy(
      configured: configured, listening: ["127.0.0.1"], published: "Bridge.example:8443", origins: [])
    #expect(policy.admitsHost("bridge.example") && policy.admitsHost("bridge.example:443"))
    #expect(!policy.admitsHost("evil.example") && !policy.admitsHost("host.docker.internal"))
  }

  /// Containers call the machine so, and reach it at an address of its own.
  @Test func answersContainersWhileListeningBeyondLoopback() {
    for host in ["host.docker.internal:8080", "host.containers.internal", "HOST.docker.internal."] {
      #expect(policy(listening: ["127.0.0.1", "172.17.0.1"]).admitsHost(host))
      #expect(!policy(listening: ["127.0.0.1", "localhost", "[::1]"]).admitsHost(host))
    }
  }

  /// A name with its final dot is the same name, whoever writes it.
  @Test func aFinalDotIsNoOtherName() {
    for configured in ["bridge.svc.cluster.local", "bridge.svc.cluster.local."] {
      #expect(policy([configured]).admitsHost("bridge.svc.cluster.local.:8080"))
      #expect(policy([configured]).admitsHost("Bridge.svc.cluster.local"))
      #expect(!policy([configured]).admitsHost("bridge.svc.cluster.local.."))
    }
  }

  @Test(arguments: ["0.0.0.0", "::", "[::]"])
  func answersAnyNameWhileListeningEverywhere(_ address: String) {
    #expect(policy(listening: [address]).admitsHost("bridge.example"))
  }

  @Test func answersWhatIsConfigured() {
    let policy = policy(["Bridge.example:443", "other.example"], listening: ["0.0.0.0"])
    for host in ["bridge.example", "BRIDGE.example:8080", "other.example:1"] { #expect(policy.admitsHost(host)) }
    #expect(!policy.admitsHost("evil.example"))
    #expect(!policy.admitsHost("sub.bridge.example"))
    #expect(self.policy(["*"]).admitsHost("evil.example"))
  }

  @Test(arguments: [
    ("a", "a"), ("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("::1", "::1"), ("", ""), ("a:", "a"),
    ("a.:80", "a"), ("a.", "a"), (".", "."),
  ])
  func findsTheNameOfAHost(_ host: String, _ name: String) { #expect(OriginPolicy.hostName(host) == name) }

  // MARK: Pages

  @Test func pagesMayNotCallUnlessConfigured() {
    #expect(policy().fields(origin: "https://chat.example").isEmpty)
    #expect(policy(origins: ["https://chat.example"]).fields(origin: nil).isEmpty)
  }

  @Test(arguments: ["https://chat.example", "HTTPS://Chat.Example"])
  func configuredPagesMayCall(_ origin: String) {
    let fields = policy(origins: ["https://chat.example"]).fields(origin: origin)
    #expect(fields.value("access-control-allow-origin") == origin)
    #expect(fields.value("vary") == "Origin")
    let exposed = fields.value("access-control-expose-headers")?.split(separator: ", ").map(String.init) ?? []
    #expect(
      Set(exposed) == [
        "x-request-id", "retry-after", "x-should-retry", "x-bridge-session", "x-bridge-session-source",
        "x-bridge-session-state", "x-bridge-session-restarted",
        "x-bridge-ignored",
      ])
    #expect(fields.value("access-control-allow-credentials") == nil)
  }

  @Test(arguments: [
    "https://chat.example.evil", "http://chat.example", "https://chat.example:8443", "null",
    "https://evil.chat.example",
  ])
  func otherPagesMayNotCall(_ origin: String) {
    #expect(policy(origins: ["https://chat.example"]).fields(origin: origin).isEmpty)
  }

  private func preflight(_ lines: String, origins: [String] = ["https://chat.example"]) throws -> Response {
    let head = try ParsedRequest.head("OPTIONS /x HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n")
    return policy(origins: origins).preflight(head.fields, allowed: ["GET", "POST"])
  }

  @Test func answersAPreflight() throws {
    let response = try preflight(
      "Origin: https://chat.example\r\nAccess-Control-Request-Headers: authorization,x-stainless-os")
    #expect(response.status == 204)
    #expect(response.body.isEmpty)
    #expect(response.fields.value("access-control-allow-methods") == "GET, POST")
    #expect(response.fields.value("access-control-allow-headers") == "authorization,x-stainless-os")
    #expect(response.fields.value("access-control-max-age") != nil)
  }

  @Test func saysNothingToOtherPages() throws {
    let response = try preflight("Origin: https://evil.example")
    #expect(response.fields.sent.allSatisfy { !$0.name.lowercased().hasPrefix("access-control-") })
  }

  @Test func allowsTheUsualHeadersUnasked() throws {
    let allowed = try preflight("Origin: https://chat.example").fields.value("access-control-allow-headers")
    #expect(allowed?.contains("authorization") == true)
    #expect(allowed?.contains("content-type") == true)
    #expect(allowed?.contains("x-bridge-profile") == true)
  }

  @Test(arguments: ["a\"b", "a(b)", "é", "<script>"])
  func reflectsOnlyNamesOfHeaders(_ names: String) throws {
    let response = try preflight("Origin: https://chat.example\r\nAccess-Control-Request-Headers: \(names)")
    #expect(response.fields.value("access-control-allow-headers")?.contains(names) == false)
  }
}
