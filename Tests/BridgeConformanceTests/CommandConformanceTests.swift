// What the commands of the model may do at the real Codex, setting by setting: files, network, directory, approvals.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct CommandConformanceTests {
  /// A program of the test's own that a command may try to reach.
  @LoopActor
  private final class Neighbour {
    private(set) var visits = 0
    private var listener: Listener?

    init() throws {
      let address = try SocketAddress.resolve(host: "127.0.0.1", port: 0)[0]
      listener = try Listener(
        on: address,
        onConnection: { [weak self] in
          self?.visits += 1
          $0.close()
        },
        onAcceptFailure: { _ in })
    }

    /// A command that connects and prints `net=0`, or anything else if it cannot.
    var call: String {
      "(exec 3<>/dev/tcp/127.0.0.1/\(listener?.address?.port ?? 0)) 2>/dev/null; echo \"net=$?\""
    }

    func close() { listener?.close() }
  }

  // MARK: Sandbox

  @Test(arguments: [("read-only", false), ("workspace-write", true)]) @LoopActor
  func theSandboxDecidesWhatCommandsMayTouch(_ mode: String, _ mayWrite: Bool) async throws {
    try await RealCodex.run(["CODEX_SANDBOX_MODE": mode]) { codex in
      let outcome = try await codex.run("demo: run=echo hi > made.txt && echo written")
      #expect(outcome.isCompleted)
      #expect(outcome.answer.contains("written") == mayWrite, "\(outcome.answer)")
      #expect((codex.directory.read("made.txt") != nil) == mayWrite)
    }
  }

  /// The working directory and those for temporary files are what `workspace-write` opens, and no more.
  @Test(arguments: [("workspace-write", false), ("danger-full-access", true)]) @LoopActor
  func outsideOfItsDirectoryOnlyFullAccessWrites(_ mode: String, _ mayWrite: Bool) async throws {
    let path = "/var/tmp/\(RandomID.make("bridge-test-"))"
    defer { unlink(path) }
    try await RealCodex.run(["CODEX_SANDBOX_MODE": mode]) { codex in
      let outcome = try await codex.run("demo: run=echo hi > \(path)")
      #expect(outcome.isCompleted)
      #expect((access(path, F_OK) == 0) == mayWrite)
    }
  }

  @Test @LoopActor
  func withoutASettingNothingCanBeWritten() async throws {
    try await RealCodex.run { codex in
      let outcome = try await codex.run("demo: run=echo hi > made.txt")
      #expect(outcome.isCompleted)
      #expect(codex.directory.read("made.txt") == nil)
    }
  }

  // MARK: Network

  @Test(
    arguments: [
      ([:], false),
      (["CODEX_NETWORK_ACCESS": "true"], false),
      (["CODEX_SANDBOX_MODE": "read-only", "CODEX_NETWORK_ACCESS": "true"], false),
      (["CODEX_SANDBOX_MODE": "workspace-write"], false),
      (["CODEX_SANDBOX_MODE": "workspace-write", "CODEX_NETWORK_ACCESS": "false"], false),
      (["CODEX_SANDBOX_MODE": "workspace-write", "CODEX_NETWORK_ACCESS": "true"], true),
      (["CODEX_SANDBOX_MODE": "danger-full-access"], true),
    ] as [([String: String], Bool)]) @LoopActor
  func theNetworkIsClosedUnlessItIsOpened(_ settings: [String: String], _ isOpen: Bool) async throws {
    let neighbour = try Neighbour()
    defer { neighbour.close() }
    try await RealCodex.run(settings) { codex in
      let outcome = try await codex.run("demo: run=\(neighbour.call)")
      #expect(outcome.isCompleted)
      #expect(outcome.answer.contains("net="), "\(outcome.answer)")
      #expect(outcome.answer.contains("net=0") == isOpen, "\(outcome.answer)")
      if isOpen { #expect(await eventually { neighbour.visits == 1 }) }
      #expect(neighbour.visits == (isOpen ? 1 : 0))
    }
  }

  // MARK: After a resume

  /// Codex keeps neither the sandbox nor the configuration with a thread, so each resume has to say them again: what
  /// was open must not close, and what was closed must not open.
  @Test(arguments: [true, false]) @LoopActor
  func aResumedThreadHasTheSameRights(_ isOpen: Bool) async throws {
    let neighbour = try Neighbour()
    defer { neighbour.close() }
    let open = [
      "CODEX_SANDBOX_MODE": "workspace-write", "CODEX_NETWORK_ACCESS": "true", "CODEX_WEB_SEARCH": "true",
    ]
    try await RealCodex.run(isOpen ? open : [:]) { codex in
      let first = try await codex.start("hello", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      try await codex.restart()
      let thread = TurnRequest.Thread.existing(try #require(first.threadID))
      let outcome = try await codex.run("demo: run=echo hi > made.txt; \(neighbour.call)", thread: thread)
      #expect(outcome.isCompleted)
      #expect((codex.directory.read("made.txt") != nil) == isOpen)
      #expect(outcome.answer.contains("net=0") == isOpen, "\(outcome.answer)")
      #expect(codex.offeredTools.contains("web_search") == isOpen)
    }
  }

  // MARK: Turn by turn

  /// Rights are those of a turn's thread: turns of one process do not share them.
  @Test @LoopActor
  func turnsOfOneProcessHaveRightsOfTheirOwn() async throws {
    let neighbour = try Neighbour()
    defer { neighbour.close() }
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try await RealCodex.run { codex in
      let open = TurnProfile(
        workingDirectory: directory.path, sandbox: .workspaceWrite, networkAccess: true, webSearch: true,
        approvals: .never)
      for profile in [codex.profile, open, codex.profile, open] {
        let isOpen = profile == open
        let outcome = try await codex.run(
          "demo: run=pwd; echo hi > made.txt; \(neighbour.call)", profile: profile)
        #expect(outcome.isCompleted)
        #expect(outcome.answer.contains(profile.workingDirectory), "\(outcome.answer)")
        #expect(outcome.answer.contains("net=0") == isOpen, "\(outcome.answer)")
        #expect(codex.offeredTools.contains("web_search") == isOpen)
        #expect(codex.directory.read("made.txt") == nil)
        #expect((directory.read("made.txt") != nil) == isOpen)
        unlink("\(directory.path)/made.txt")
      }
    }
  }

  /// Codex ignores other rights when it is asked to resume a thread that is loaded, so such a turn is not begun.
  @Test @LoopActor
  func aLoadedThreadTakesNoTurnWithOtherRights() async throws {
    try await RealCodex.run { codex in
      let first = try await codex.start("hello", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      var wider = codex.profile
      wider.sandbox = .workspaceWrite
      await #expect(throws: EngineError.threadNotFound(thread)) {
        _ = try await codex.start("demo: run=echo hi > made.txt", thread: .existing(thread), profile: wider)
      }
      let outcome = try await codex.run("demo: run=echo hi > made.txt", thread: .existing(thread))
      #expect(outcome.isCompleted)
      // A thread that is loaded anew has the rights of the turn that it is loaded for.
      try await codex.restart()
      let after = try await codex.run("demo: run=cat made.txt", thread: .existing(thread), profile: wider)
      #expect(after.isCompleted)
      #expect(codex.directory.read("made.txt") == nil)
      let written = try await codex.run("demo: run=echo hi > made.txt", thread: .existing(thread), profile: wider)
      #expect(written.isCompleted)
      #expect(codex.directory.read("made.txt") != nil)
    }
  }

  /// Codex cuts what a command says by itself too, after some 10,000 tokens; a limit above that changes nothing.
  @Test @LoopActor
  func theOutputOfAToolIsCutWhereTheProfileSaysSo() async throws {
    try await RealCodex.run { codex in
      var lengths: [Int] = []
      for limit in [nil, 100] as [Int?] {
        var profile = codex.profile
        profile.toolOutputTokens = limit
        let outcome = try await codex.run("demo: run=seq 1 20000", profile: profile)
        #expect(outcome.isCompleted)
        lengths.append(codex.requests.last?["input"]?.jsonText.utf8.count ?? 0)
      }
      #expect(lengths[1] + 20_000 < lengths[0], "\(lengths)")
    }
  }

  // MARK: Web search

  @Test(arguments: [([:], false), (["CODEX_WEB_SEARCH": "false"], false), (["CODEX_WEB_SEARCH": "true"], true)])
  @LoopActor
  func webSearchIsOfferedWhenItIsSwitchedOn(_ settings: [String: String], _ isOn: Bool) async throws {
    try await RealCodex.run(settings) { codex in
      let outcome = try await codex.run("hello")
      #expect(outcome.isCompleted)
      #expect(codex.offeredTools.contains("exec_command"))
      #expect(codex.offeredTools.contains("web_search") == isOn)
    }
  }

  // MARK: Directory

  @Test @LoopActor
  func commandsRunInTheWorkingDirectory() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try directory.write("found it", to: "here.txt")
    try await RealCodex.run(["CODEX_WORKDIR": directory.path]) { codex in
      let outcome = try await codex.run("demo: run=pwd && cat here.txt")
      #expect(outcome.answer.contains(directory.path), "\(outcome.answer)")
      #expect(outcome.answer.contains("found it"))
    }
  }

  // MARK: Secrets

  @Test @LoopActor
  func noKeyReachesTheCommandsOfTheModel() async throws {
    try await RealCodex.run { codex in
      setenv("CODEX_BRIDGE_API_KEY", "topsecret", 1)
      defer { unsetenv("CODEX_BRIDGE_API_KEY") }
      let outcome = try await codex.run("demo: run=env")
      #expect(outcome.answer.contains("PATH="))
      #expect(!outcome.answer.contains("topsecret"))
    }
  }
}
