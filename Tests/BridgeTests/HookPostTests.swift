// The request to the receiver of notices: which addresses are taken, what curl is told, and what its end means.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct HookPostTests {
  @Test(
    arguments: [
      ("http://127.0.0.1:9/a?b=c", "http://127.0.0.1:9/a?b=c", nil),
      ("HTTPS://receiver.example", "HTTPS://receiver.example", nil),
      ("http://[::1]:80/x", "http://[::1]:80/x", nil),
      ("ntfy+https://ntfy.sh/my-Topic_1", "https://ntfy.sh/", "my-Topic_1"),
      ("ntfy+http://host:81/below/topic", "http://host:81/below/", "topic"),
    ] as [(String, String, String?)])
  func addressesAreRead(_ text: String, _ url: String, _ topic: String?) throws {
    let target = try #require(HookTarget(text))
    #expect(target.url == url)
    #expect(target.form == (topic.map { .ntfy(topic: $0) } ?? .json))
  }

  @Test(arguments: [
    "", "receiver", "ftp://host/", "file:///etc/passwd", "http://", "http:///x", "http://user:pass@host/",
    "http://host/a b", "http://host/\"x", "http://host/a\\b", "http://host/\nurl = x", "http://host/é",
    "http://ho st/", "http://host#x", "http://host/#x", "http://host:port/", "http://host:123456/",
    "ntfy+https://ntfy.sh", "ntfy+https://ntfy.sh/", "ntfy+https://ntfy.sh/a?b", "ntfy+https://ntfy.sh/a.b",
    "ntfy+ftp://x/y", "ntfy+ntfy+https://x/y",
    "http://" + String(repeating: "a", count: 3000),
  ])
  func othersAreNot(_ text: String) { #expect(HookTarget(text) == nil) }

  @Test(
    arguments: [
      ("https://bridge.example", "https://bridge.example"), ("http://h:8080/", "http://h:8080"),
      ("https://h/bridge//", "https://h/bridge"), ("https://h/?x", nil), ("h:8080", nil),
      ("javascript:alert(1)", nil),
    ] as [(String, String?)])
  func thePublicAddressIsRead(_ text: String, _ address: String?) throws {
    let parsed = SettingSyntax<String?>.baseURL.parse(text)
    #expect(parsed == address.map { .some($0) })
  }

  private func post(_ address: String, secret: String? = nil, body: String = "{}") throws -> HookPost {
    HookPost(target: try #require(HookTarget(address)), secret: secret, body: body)
  }

  /// Whatever is secret goes in through standard input: the arguments of a process are public.
  @Test func nothingSecretIsAnArgument() throws {
    let environment = ["https_proxy": "http://proxy", "CODEX_APPROVAL_HOOK_SECRET": "x", "HOME": "/h"]
    let command = HookPost.command("/usr/bin/curl", environment)
    #expect(command.arguments.contains("-q") && command.arguments.suffix(2) == ["--config", "-"])
    #expect(command.environment == ["PATH=/usr/bin:/bin", "https_proxy=http://proxy"])
  }

  @Test func aValueCannotLeaveItsQuotes() throws {
    let post = try post("http://h/x", secret: #"a"b\c"#, body: #"{"a":"x\n\"y\""}"#)
    let lines = post.configuration(at: 7).split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines[0] == #"header = "Content-Type: application/json""#)
    #expect(lines[1] == #"header = "x-bridge-timestamp: 7""#)
    #expect(lines[2].hasPrefix(#"header = "x-bridge-signature: v1="#))
    #expect(lines[3] == #"data-raw = "{\"a\":\"x\\n\\\"y\\\"\"}""#)
    #expect(lines[4] == #"url = "http://h/x""#)
    #expect(!post.configuration(at: 7).contains("a\"b"))
  }

  /// ntfy checks no signatures; what it knows is the token of a topic.
  @Test func ntfyGetsATokenInPlaceOfASignature() throws {
    let text = try post("ntfy+https://ntfy.example/topic", secret: "tk_1").configuration(at: 7)
    #expect(text.contains(#"header = "Authorization: Bearer tk_1""#) && !text.contains("signature"))
    #expect(text.contains(#"url = "https://ntfy.example/""#))
    #expect(!(try post("http://h/", secret: nil).configuration(at: 7).contains("x-bridge")))
  }

  @Test(
    arguments: [
      ("200", 0, nil), ("204", 0, nil), ("202", 28, nil), ("200", 63, nil), ("302", 0, false), ("400", 0, false),
      ("404", 0, false), ("429", 0, true), ("500", 0, true), ("000", 7, true), ("000", 6, true), ("000", 28, true),
      ("000", 60, true), ("", 2, true), ("junk", 0, true),
    ] as [(String, Int, Bool?)])
  func curlsEndIsUnderstood(_ output: String, _ code: Int, _ mayRetry: Bool?) {
    switch HookPost.verdict(exitCode: code, output: Array(output.utf8)) {
    case .delivered: #expect(mayRetry == nil)
    case .failed(_, let retry): #expect(mayRetry == retry)
    }
  }

  @Test(
    arguments: [
      ([:], 0), (["CODEX_APPROVAL_HOOK_SECRET": "x"], 1),
      (["CODEX_APPROVAL_HOOK": "http://h/", "CODEX_APPROVAL_POLICY": "untrusted"], 1),
      (["CODEX_APPROVAL_HOOK": "http://h/"], 1),
      (
        [
          "CODEX_APPROVAL_HOOK": "http://h/", "CODEX_APPROVAL_POLICY": "untrusted",
          "CODEX_PUBLIC_URL": "https://bridge.example",
        ], 0
      ),
    ] as [([String: String], Int)])
  @LoopActor func settingsThatDoNothingAreTold(_ settings: [String: String], _ count: Int) throws {
    #expect(ApprovalHook.warnings(try Configuration(sources: [.init(.flag, settings)])).count == count)
  }

  @Test func neitherAddressNorSecretIsShown() throws {
    let configuration = try Configuration(
      sources: [
        .init(
          .environment,
          ["CODEX_APPROVAL_HOOK": "https://h/hidden-token", "CODEX_APPROVAL_HOOK_SECRET": "hidden-secret"])
      ])
    #expect(!SettingsDocuments.effective(configuration).contains("hidden"))
    #expect {
      _ = try Configuration(sources: [.init(.environment, ["CODEX_APPROVAL_HOOK": "ftp://h/hidden-token"])])
    } throws: {
      let text = "\($0)"
      return !text.contains("hidden") && text.contains("CODEX_APPROVAL_HOOK")
    }
  }
}
