// The plain chat with the real Codex: what reaches the model, and how little.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct ChatProfileConformanceTests {
  private static let agent = "/v1/chat/completions"
  private static let chat = "/chat/v1/chat/completions"
  private static let inDirectory = "MARK-OF-THE-DIRECTORY"
  private static let inHome = "MARK-OF-THE-HOME"
  /// A model that has plain tools, and one that runs them by code.
  private static let models = ["gpt-5.5", "gpt-6.1-sol"]

  private func request(
    _ path: String, model: String = "gpt-5.5", system: String? = "You are a poet.", user: String = "hi",
    session: String? = nil
  ) -> String {
    let system = system.map { #"{"role":"system","content":"\#($0)"},"# } ?? ""
    let session = session.map { #","session_id":"\#($0)""# } ?? ""
    let messages = #"[\#(system){"role":"user","content":"\#(user)"}]"#
    return GatewayServer.chat(body: #"{"model":"\#(model)","messages":\#(messages)\#(session)}"#, path: path)
  }

  /// Runs `body` with a bridge whose working directory has instructions for agents.
  @LoopActor
  private func withBridge(
    _ settings: [String: String] = [:], _ body: @LoopActor (RealBridge) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try directory.write(Self.inDirectory, to: "AGENTS.md")
    try await RealBridge.run(settings, in: directory, body)
  }

  /// Sends a request that must be served.
  @LoopActor
  private func serve(_ bridge: RealBridge, _ request: String) async throws {
    let answer = try await bridge.exchange(request)
    #expect(answer.status == 200)
  }

  /// The texts of the last request to the model, each with its role.
  @LoopActor
  private func told(_ bridge: RealBridge) -> [String] {
    (bridge.requests.last?["input"]?.arrayValue ?? []).map { item in
      let texts = (item["content"]?.arrayValue ?? []).compactMap { $0["text"]?.stringValue }
      return "\(item["role"]?.stringValue ?? "?"): \(texts.joined(separator: "|"))"
    }
  }

  /// Whether the last request offers tools, in either of the places where Codex puts them.
  @LoopActor
  private func offersTools(_ bridge: RealBridge) -> Bool {
    let items = bridge.requests.last?["input"]?.arrayValue ?? []
    return bridge.requests.last?["tools"]?.arrayValue?.isEmpty == false
      || items.contains { $0["type"] == "additional_tools" }
  }

  @Test(arguments: models) @LoopActor
  func theModelGetsWhatTheClientSaysAndNothingElse(_ model: String) async throws {
    try await withBridge { bridge in
      try await serve(bridge, request(Self.agent, model: model))
      let whole = try #require(bridge.requests.last)
      #expect(whole.jsonText.utf8.count > 30_000)
      #expect(whole.jsonText.contains(Self.inDirectory))
      #expect(offersTools(bridge))
      // Twice: the second thread was started ahead.
      for _ in 0..<2 {
        let answer = try await bridge.exchange(request(Self.chat, model: model))
        #expect(answer.status == 200)
        #expect(answer.answer?.isEmpty == false)
        #expect(told(bridge) == ["developer: You are a poet.", "user: hi"])
        #expect(!offersTools(bridge))
        #expect(try #require(bridge.requests.last).jsonText.utf8.count < 2500)
        #expect(bridge.requests.last?["model"]?.stringValue == model)
      }
      try await serve(bridge, request(Self.chat, model: model, system: nil))
      #expect(told(bridge) == ["user: hi"])
    }
  }

  @Test(arguments: models) @LoopActor
  func theInstructionsOfCodexsHomeStayAndAreNamed(_ model: String) async throws {
    let home = try RealBridge.makeHome()
    defer { home.remove() }
    try FileContents.makeDirectories("\(home.path)/.codex_demo")
    try home.write(Self.inHome, to: ".codex_demo/AGENTS.md")
    try await RealBridge.run(home: home) { bridge in
      for _ in 0..<2 { try await serve(bridge, request(Self.chat, model: model)) }
      #expect(bridge.requests.last?.jsonText.contains(Self.inHome) == true)
      let line = "is told to the model in every plain chat too"
      #expect(await eventually { bridge.log.ranges(of: line).count == 1 })
    }
  }

  @Test(arguments: models) @LoopActor
  func theConversationsOfBothProfilesGoOnSideBySide(_ model: String) async throws {
    let home = try RealBridge.makeHome()
    defer { home.remove() }
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let say = { (bridge: RealBridge, path: String, text: String) async throws in
      let answer = try await bridge.exchange(request(path, model: model, user: text, session: "s"))
      #expect(answer.status == 200)
      #expect(answer.field("x-bridge-session-restarted") == nil)
    }
    try await RealBridge.run(in: directory, home: home) { bridge in
      try await say(bridge, Self.agent, "agent one")
      try await say(bridge, Self.chat, "chat one")
      try await say(bridge, Self.agent, "agent two")
      #expect(!told(bridge).contains("user: chat one"))
      try await say(bridge, Self.chat, "chat two")
    }
    // Its thread is loaded anew: what was switched off stays so.
    try await RealBridge.run(in: directory, home: home) { bridge in
      try await say(bridge, Self.chat, "chat three")
      let texts = told(bridge)
      #expect(texts.filter { $0.hasPrefix("user: ") } == ["one", "two", "three"].map { "user: chat \($0)" })
      #expect(texts.first == "developer: You are a poet.")
      #expect(!offersTools(bridge))
      try await say(bridge, Self.agent, "agent three")
      #expect(told(bridge).contains("user: agent two") && !told(bridge).contains("user: chat two"))
    }
  }

  /// In the place of the first, and nowhere else; also when the thread is loaded anew by a request that does not tell it.
  @Test(arguments: models) @LoopActor
  func aChangedSystemPromptTakesThePlaceOfTheFirst(_ model: String) async throws {
    try await withBridge { bridge in
      for system in ["first", "second", "third"] {
        let asked = request(Self.chat, model: model, system: system, user: "to \(system)", session: "s")
        try await serve(bridge, asked)
        #expect(told(bridge).filter { $0.hasPrefix("developer: ") } == ["developer: \(system)"])
        #expect(!offersTools(bridge))
      }
      #expect(told(bridge).filter { $0.hasPrefix("user: ") }.count == 3)
      try await kill(in: bridge)
      let silent = request(Self.chat, model: model, system: nil, user: "last", session: "s")
      try await serve(bridge, silent)
      #expect(told(bridge).filter { $0.hasPrefix("developer: ") } == ["developer: third"])
      #expect(told(bridge).filter { $0.hasPrefix("user: ") }.count == 4)
    }
  }

  // MARK: Its processes

  /// The processes of Codex, by when they were started.
  @LoopActor
  private func processes(_ bridge: RealBridge) -> [Int32] {
    bridge.log.split(separator: "\n").filter { $0.contains("Codex is running") }.compactMap { line in
      line.split(separator: " ").first { $0.hasPrefix("pid=") }.flatMap { Int32($0.dropFirst(4)) }
    }
  }

  /// Kills the process of the chat, which was started last.
  @LoopActor
  private func kill(in bridge: RealBridge) async throws {
    let process = try #require(processes(bridge).last)
    Glibc.kill(process, SIGKILL)
    #expect(await eventually { bridge.log.contains("Codex ended") })
  }

  @Test @LoopActor
  func itsProcessIsStartedWhenItIsFirstWanted() async throws {
    try await withBridge { bridge in
      try await serve(bridge, request(Self.agent))
      #expect(processes(bridge).count == 1)
      for _ in 0..<2 { try await serve(bridge, request(Self.chat)) }
      #expect(processes(bridge).count == 2)
      let metrics = try await bridge.exchange(GatewayServer.request("GET", "/metrics"))
      #expect(metrics.body.contains("codexbridge_engine_processes 2\n"))
    }
    try await withBridge(["CODEX_PROFILE": "chat"]) { bridge in
      #expect(await eventually { processes(bridge).count == 2 })
      try await serve(bridge, request(Self.agent))
      #expect(told(bridge) == ["developer: You are a poet.", "user: hi"])
    }
  }

  @Test @LoopActor
  func aKilledProcessOfTheChatIsReplacedAndItsConversationsGoOn() async throws {
    try await withBridge { bridge in
      try await serve(bridge, request(Self.chat, user: "before", session: "s"))
      let running = try await TestClient.connect(port: bridge.port)
      running.send(request(Self.chat, user: "demo: tokens=1000 delay=50", session: "t"))
      #expect(await eventually { bridge.requests.count == 2 })
      try await kill(in: bridge)
      let failed = await running.responses(1).first
      #expect(failed?.status == 502)
      #expect(failed?.error("code") == "codex_crashed")
      running.close()
      // The agent did not notice, and the chat is back.
      try await serve(bridge, request(Self.agent))
      try await serve(bridge, request(Self.chat, user: "after", session: "s"))
      #expect(told(bridge).filter { $0.hasPrefix("user: ") } == ["user: before", "user: after"])
      #expect(!offersTools(bridge))
      #expect(processes(bridge).count == 3)
    }
  }

  /// A Codex that cannot list its models serves the chat all the same; a model's own tools stay then.
  @Test @LoopActor
  func withoutTheListOfModelsTheChatKeepsTheToolsOfModels() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let program = try #require(RealCodex.program)
    try directory.write(
      "#!/bin/sh\n[ \"$1\" = debug ] && exit 2\nexec '\(program)' \"$@\"\n", to: "codex")
    chmod("\(directory.path)/codex", 0o755)
    try await RealBridge.run(["CODEX_BIN": "\(directory.path)/codex"], in: directory) { bridge in
      try await serve(bridge, request(Self.chat, model: "gpt-6.1-sol"))
      #expect(offersTools(bridge))
      try await serve(bridge, request(Self.chat))
      #expect(!offersTools(bridge))
      #expect(bridge.log.ranges(of: "the plain chat runs without a model catalogue").count == 1)
    }
  }

  /// A model that Codex's list does not have is served by the agent's processes.
  @Test @LoopActor
  func aModelThatIsNotInTheCatalogueIsNamed() async throws {
    try await withBridge(["CODEX_DYNAMIC_MODELS": "false"]) { bridge in
      for _ in 0..<2 {
        try await serve(bridge, request(Self.chat, model: "house-model"))
        #expect(told(bridge) == ["developer: You are a poet.", "user: hi"])
      }
      #expect(bridge.log.ranges(of: "a model is not in the catalogue of the plain chat").count == 1)
    }
  }
}
