// What a person at the terminal is told at the start.

import Testing

@testable import Bridge

struct StartReportTests {
  private static let status = EngineStatus(
    version: "0.163.0", account: EngineAccount(kind: .chatGPT, plan: "plus"))

  private func configuration(
    _ settings: [String: String] = [:], _ origin: Configuration.Origin = .environment
  ) throws -> Configuration {
    let standard = ["CODEX_STATE_DIR": "/home/me/.local/state/bridged/x", "CODEX_WORKDIR": "/"]
    return try Configuration(
      sources: [.init(origin, settings), .init(.flag, standard)], environment: ["HOME": "/home/me"])
  }

  private func lines(
    _ settings: [String: String] = [:], _ origin: Configuration.Origin = .environment, isDemo: Bool = false,
    urls: [String] = ["http://127.0.0.1:8080"], _ unavailability: EngineUnavailability? = nil
  ) throws -> [String] {
    var report = StartReport(try configuration(settings, origin), isDemo: isDemo, urls: urls)
    report.sessions = 42
    return report.text(Self.status, unavailability).split(separator: "\n").map(String.init)
  }

  @Test func everythingIsToldInFiveLines() throws {
    #expect(
      try lines() == [
        "bridged \(BridgeVersion.text) · Codex 0.163.0 · logged in (ChatGPT Plus)",
        "  Open        http://127.0.0.1:8080     in a browser",
        "  API         http://127.0.0.1:8080/v1  key 123321 (the default; works on this machine only)",
        "  Works in    /                         read-only, no network, never asks",
        "  Sessions    42 kept in ~/.local/state/bridged/x",
      ])
  }

  @Test func whyCodexCannotBeUsedComesWithWhatToDo() throws {
    let lines = try lines([:], .environment, .notLoggedIn(command: "codex login"))
    #expect(lines[0] == "bridged \(BridgeVersion.text) · Codex 0.163.0 · not logged in")
    #expect(lines[1] == "  Codex is not logged in. Run: codex login")
    #expect(lines.count == 6)
    let missing = StartReport(try configuration(), isDemo: false, urls: [])
    #expect(missing.heading(EngineStatus(), .missing(program: "codex")).hasSuffix(" · Codex · not ready"))
  }

  @Test func aDemoHasNoLogin() throws { #expect(try lines(isDemo: true)[0].contains("demo")) }

  @Test(arguments: [
    (Configuration.Origin.environment, "key: CODEX_BRIDGE_API_KEY in the environment"),
    (
      .settingsFile("/home/me/.config/bridged/bridged.env"),
      "key: CODEX_BRIDGE_API_KEY in ~/.config/bridged/bridged.env"
    ),
    (.settingsFile("/etc/bridged/bridged.env"), "key: CODEX_BRIDGE_API_KEY in /etc/bridged/bridged.env"),
    (.flag, "key: CODEX_BRIDGE_API_KEY on the command line"),
    (.envFile, "key: CODEX_BRIDGE_API_KEY in .env of this directory"),
  ])
  func aKeyOfOnesOwnIsNeverShown(_ origin: Configuration.Origin, _ told: String) throws {
    let lines = try lines(["CODEX_BRIDGE_API_KEY": "hunter2"], origin)
    #expect(lines[2].hasSuffix("  \(told)"), "\(lines[2])")
    #expect(!lines.joined().contains("hunter2"))
  }

  @Test func amongSeveralKeysNoneIsShown() throws {
    let text = try lines(["CODEX_BRIDGE_API_KEY": "hunter2,123321"]).joined()
    #expect(text.contains("one of 2 keys: CODEX_BRIDGE_API_KEY in the environment"))
    #expect(!text.contains("hunter2") && !text.contains("123321"))
  }

  @Test(arguments: [
    (["http://0.0.0.0:81"], "http://127.0.0.1:81 "),
    (["http://[::]:81", "http://0.0.0.0:81"], "http://127.0.0.1:81 "),
    (["http://[::1]:81"], "http://[::1]:81 "),
    (["http://10.0.0.7:81", "http://127.0.0.1:81"], "http://10.0.0.7:81 "),
  ])
  func theAddressCanBeOpened(_ urls: [String], _ shown: String) throws {
    #expect(try lines(urls: urls)[1].contains(shown))
  }

  @Test(arguments: [
    (["CODEX_SANDBOX_MODE": "workspace-write"], "writes there, no network, never asks"),
    (
      [
        "CODEX_SANDBOX_MODE": "workspace-write", "CODEX_NETWORK_ACCESS": "true",
        "CODEX_APPROVAL_POLICY": "on-request",
      ],
      "writes there, network, asks before it leaves the sandbox"
    ),
    (["CODEX_NETWORK_ACCESS": "true"], "read-only, no network, never asks"),
    (
      ["CODEX_SANDBOX_MODE": "danger-full-access", "CODEX_APPROVAL_POLICY": "untrusted"],
      "no sandbox: writes everywhere, network, asks before all but harmless commands"
    ),
    (["CODEX_PROFILE": "chat"], "plain chat; the agent: read-only, no network, never asks"),
  ])
  func rightsAreToldInWords(_ settings: [String: String], _ words: String) throws {
    let line = try #require(try lines(settings).first { $0.hasPrefix("  Works in") })
    #expect(line.hasSuffix("  \(words)"), "\(line)")
  }

  @Test func nothingFromOutsideMakesALine() throws {
    let settings = [
      "CODEX_STATE_DIR": "/s\nbridged x\u{1B}[2J", "CODEX_WORKDIR": "/w\nbridged x\u{1B}[2J\u{202E}",
    ]
    let configuration = try Configuration(sources: [.init(.flag, settings)])
    var report = StartReport(configuration, isDemo: false, urls: ["http://127.0.0.1:80"])
    report.sessions = 1
    let status = EngineStatus(version: "1\n2", account: EngineAccount(kind: .chatGPT, plan: "a\nb"))
    let lines = report.text(status, .failing(detail: "x\nbridged y\u{1B}")).split(separator: "\n")
    #expect(lines.count == 6)
    for line in lines { #expect(String(line) == String(line).printable) }
  }

  @Test func sessionsThatCannotBeReadAreNotCounted() throws {
    var report = StartReport(try configuration(), isDemo: false, urls: [])
    #expect(report.text(Self.status, nil).contains("cannot be read"))
    report.sessions = 0
    #expect(report.text(Self.status, nil).contains("none yet; kept in ~"))
  }

  @Test(arguments: [
    (EngineAccount.Kind.chatGPT, nil, "ChatGPT"), (.chatGPT, "unknown", "ChatGPT"),
    (.chatGPT, "pro", "ChatGPT Pro"),
    (.chatGPT, "self_serve\u{1B}[2J", "ChatGPT Self serve\\u{1B}[2J"), (.apiKey, "x", "API key"),
  ])
  func loginsHaveNames(_ kind: EngineAccount.Kind, _ plan: String?, _ name: String) {
    #expect(AccountText.name(of: kind, plan: plan) == name)
  }
}
