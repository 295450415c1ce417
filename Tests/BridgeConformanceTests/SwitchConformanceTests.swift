// The settings of the original project on the program itself: a variable in its environment, and what that changes for
// clients, for the model, and for those who read the log.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct SwitchConformanceTests {
  // MARK: Model and effort

  private struct Choice {
    var settings: [String: String] = [:]
    /// What the request says besides its message.
    var more = ""
    let model: String
    let effort: String?
  }

  /// What the model provider is asked for; the configuration of this Codex names gpt-5.5.
  private static let choices = [
    Choice(model: "gpt-5.5", effort: nil),
    Choice(settings: ["CODEX_MODEL": "gpt-5.6-luna"], model: "gpt-5.6-luna", effort: nil),
    Choice(settings: ["CODEX_MODEL": "gpt-5.6-luna:high"], model: "gpt-5.6-luna", effort: "high"),
    Choice(settings: ["CODEX_REASONING": "xhigh"], model: "gpt-5.5", effort: "xhigh"),
    Choice(
      settings: ["CODEX_MODEL": "gpt-5.6-luna", "CODEX_REASONING": "high"], more: #","model":"gpt-5.5""#,
      model: "gpt-5.5", effort: "high"),
    Choice(
      settings: ["CODEX_MODEL": "gpt-5.6-luna", "CODEX_REASONING": "high"], more: #","model":"gpt-5.5:low""#,
      model: "gpt-5.5", effort: "low"),
    Choice(
      settings: ["CODEX_REASONING": "xhigh"], more: #","reasoning_effort":"low""#, model: "gpt-5.5", effort: "low"),
  ]

  @Test(arguments: choices.indices) @LoopActor
  func modelAndEffortArriveAtTheProvider(_ index: Int) async throws {
    let choice = Self.choices[index]
    try await RealBridge.run(choice.settings) { bridge in
      let answer = try await bridge.chat(more: choice.more)
      #expect(answer.status == 200)
      let request = try #require(bridge.requests.last)
      #expect(request["model"]?.stringValue == choice.model)
      if let effort = choice.effort { #expect(request["reasoning"]?["effort"]?.stringValue == effort) }
    }
  }

  // MARK: The list of models

  @Test @LoopActor
  func codexsListIsOfferedAndChecked() async throws {
    try await RealBridge.run { bridge in
      let models = try await Self.models(of: bridge)
      #expect(models.contains("gpt-5.5") && models.count > 3)
      let refused = try await bridge.chat(more: #","model":"house-model""#)
      #expect(refused.status == 404)
      #expect(refused.error("code") == "model_not_found")
      #expect(bridge.requests.isEmpty)
    }
  }

  @Test @LoopActor
  func withoutTheListOneModelIsOfferedAndEveryNamePassedOn() async throws {
    let settings = ["CODEX_DYNAMIC_MODELS": "false", "CODEX_MODEL": "house-model"]
    try await RealBridge.run(settings) { bridge in
      let models = try await Self.models(of: bridge)
      #expect(models == ["house-model"])
      try await bridge.chat()
      #expect(bridge.requests.last?["model"] == "house-model")
      try await bridge.chat(more: #","model":"nobody-knows-me:high""#)
      #expect(bridge.requests.last?["model"] == "nobody-knows-me")
      #expect(bridge.requests.last?["reasoning"]?["effort"] == "high")
    }
  }

  @Test(arguments: [("false", false), ("true", true)]) @LoopActor
  func effortsAreListedWhereTheSettingsSaySo(_ setting: String, _ areListed: Bool) async throws {
    try await RealBridge.run(["CODEX_LIST_EFFORTS": setting]) { bridge in
      let models = try await Self.models(of: bridge)
      #expect(models.contains("gpt-5.5"))
      #expect(models.contains("gpt-5.5:high") == areListed)
      #expect(models.contains { $0.contains(":") } == areListed)
      let one = try await bridge.exchange(GatewayServer.request("GET", "/v1/models/gpt-5.5:high"))
      #expect(one.status == 200)
    }
  }

  /// A list that is kept for long is asked for once, however often it is wanted, and one that is not kept each time.
  @Test(arguments: [("3600000", false), ("0", true)]) @LoopActor
  func theListIsKeptAsLongAsConfigured(_ milliseconds: String, _ isAskedAgain: Bool) async throws {
    try await Self.countingCalls { directory, program in
      let settings = ["CODEX_MODELS_TTL_MS": milliseconds, "CODEX_BIN": program]
      try await RealBridge.run(settings, in: directory) { bridge in
        for _ in 0..<4 { _ = try await Self.models(of: bridge) }
        // The calls are written down in their order, so once this one is there, those before it are too.
        try await bridge.chat()
        #expect(await eventually { Self.calls(Method.turnStart, in: directory) == 1 })
        let count = Self.calls(Method.modelList, in: directory)
        #expect(isAskedAgain ? count > 4 : count == 1, "\(count)")
      }
    }
  }

  @Test @LoopActor
  func anOldListIsAskedForAgain() async throws {
    try await Self.countingCalls { directory, program in
      let settings = ["CODEX_MODELS_TTL_MS": "50", "CODEX_BIN": program]
      try await RealBridge.run(settings, in: directory) { bridge in
        let before = Self.calls(Method.modelList, in: directory)
        let deadline = Loop.now + .seconds(10)
        while Self.calls(Method.modelList, in: directory) < before + 2, Loop.now < deadline {
          _ = try await Self.models(of: bridge)
        }
        #expect(Self.calls(Method.modelList, in: directory) >= before + 2)
      }
    }
  }

  /// The ids of GET /v1/models.
  @LoopActor
  private static func models(of bridge: RealBridge) async throws -> [String] {
    let list = try await bridge.exchange(GatewayServer.request("GET", "/v1/models"))
    #expect(list.status == 200)
    return (list.json["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
  }

  /// Runs `body` with a Codex that writes down what it is asked, and the directory in which it does.
  @LoopActor
  private static func countingCalls(_ body: @LoopActor (TemporaryDirectory, String) async throws -> Void)
    async throws
  {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let codex = try #require(RealCodex.program)
    try directory.write("#!/bin/sh\ntee -a '\(directory.path)/calls' | '\(codex)' \"$@\"\n", to: "codex")
    let program = "\(directory.path)/codex"
    #expect(chmod(program, 0o700) == 0)
    try await body(directory, program)
  }

  private static func calls(_ method: String, in directory: TemporaryDirectory) -> Int {
    (directory.read("calls") ?? "").split(separator: "\n").count { $0.contains("\"method\":\"\(method)\"") }
  }

  // MARK: Directory and repository

  @Test @LoopActor
  func commandsRunInTheCurrentDirectoryByDefault() async throws {
    try await RealBridge.run { bridge in
      let answer = try await bridge.chat("demo: run=pwd").answer
      #expect(answer?.contains(bridge.directory.path) == true)
    }
  }

  @Test @LoopActor
  func aMissingWorkingDirectoryIsRefused() async throws {
    let (status, log) = try await RealBridge.refusal(["CODEX_WORKDIR": "/nonexistent/place"])
    #expect(status == 1)
    #expect(log.contains("CODEX_WORKDIR=/nonexistent/place"))
    #expect(log.split(separator: "\n").count == 1)
  }

  /// Whoever reads logs finds every refusal by the same word.
  @Test(arguments: [
    (["PORT": "http"], "PORT=“http”"), (["HOST": "999.1.1.1"], "cannot resolve the address “999.1.1.1”"),
    (["CODEX_WORKDIR": "/nonexistent"], "CODEX_WORKDIR"), (["CODEX_CONFIG": "foo"], "CODEX_CONFIG"),
  ]) @LoopActor
  func everyRefusalBeginsTheSameWay(_ settings: [String: String], _ part: String) async throws {
    let (status, log) = try await RealBridge.refusal(settings)
    #expect(status == 1)
    #expect(log.hasPrefix("bridged: "), "\(log)")
    #expect(log.contains(part), "\(log)")
    #expect(log.split(separator: "\n").count == 1)
  }

  @Test @LoopActor
  func outsideOfARepositoryTheGitCheckRefuses() async throws {
    let (status, log) = try await RealBridge.refusal(["CODEX_SKIP_GIT_CHECK": "false"])
    #expect(status == 1)
    #expect(log.contains("CODEX_SKIP_GIT_CHECK") && log.contains("git repository"))
    #expect(log.split(separator: "\n").count == 1)
  }

  @Test(arguments: [".git", ".git below"]) @LoopActor
  func insideOfARepositoryTheGitCheckPasses(_ place: String) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    #expect(mkdir("\(directory.path)/.git", 0o700) == 0)
    #expect(mkdir("\(directory.path)/below", 0o700) == 0)
    let work = place == ".git" ? directory.path : "\(directory.path)/below"
    let settings = ["CODEX_SKIP_GIT_CHECK": "false", "CODEX_WORKDIR": work]
    try await RealBridge.run(settings, in: directory) { bridge in
      let answer = try await bridge.chat("demo: run=pwd").answer
      #expect(answer?.contains(work) == true)
    }
  }

  // MARK: Body limit

  @Test @LoopActor
  func aBodyAboveTheLimitIsRefusedByTheNameOfTheVariable() async throws {
    try await RealBridge.run(["CODEX_JSON_LIMIT": "2kb"]) { bridge in
      let empty = #"{"messages":[{"role":"user","content":""}]}"#
      let atLimit = empty.replacing(#""""#, with: "\"\(String(repeating: "x", count: 2048 - empty.utf8.count))\"")
      let taken = try await bridge.exchange(GatewayServer.chat(body: atLimit))
      #expect(taken.status == 200)
      let refused = try await bridge.exchange(GatewayServer.chat(body: atLimit + " "))
      #expect(refused.status == 413)
      #expect(refused.error("code") == "request_too_large")
      #expect(refused.error("message")?.stringValue?.contains("CODEX_JSON_LIMIT") == true)
      #expect(bridge.requests.count == 1)
    }
  }

  // MARK: Log

  @Test @LoopActor
  func requestsAreLoggedWithoutKeysAndTexts() async throws {
    let settings = [
      "CODEX_LOG_REQUESTS": "true", "CODEX_LOG_LEVEL": "debug", "CODEX_BRIDGE_API_KEY": "key-of-the-house",
    ]
    try await RealBridge.run(settings) { bridge in
      let request = GatewayServer.chat("demo: say=words-of-the-model words-of-the-user")
        .replacing("123321", with: "key-of-the-house")
      let answer = try await bridge.exchange(request).answer
      #expect(answer == "words-of-the-model words-of-the-user")
      let wrong = GatewayServer.request("GET", "/v1/models?key=key-in-the-query", key: "key-of-a-stranger")
      let refused = try await bridge.exchange(wrong)
      #expect(refused.status == 401)
      for facts in [
        ["method=POST", "path=/v1/chat/completions", "status=200", "ms=", "request="],
        ["method=GET", "path=/v1/models ", "status=401"],
      ] {
        #expect(await eventually { Self.lines(of: bridge.log, with: facts).count == 1 }, "\(bridge.log)")
      }
      for secret in ["key-", "words-of"] { #expect(!bridge.log.contains(secret), "\(bridge.log)") }
    }
  }

  /// Who starts it should know before a client does.
  @Test(arguments: [
    (["CODEX_REASONING": "banana"], "CODEX_REASONING"), (["CODEX_MODEL": "gpt-none"], "CODEX_MODEL"),
  ])
  @LoopActor
  func aWrongDefaultIsInTheLogBeforeARequest(_ settings: [String: String], _ name: String) async throws {
    try await RealBridge.run(settings) { bridge in
      #expect(
        await eventually { Self.lines(of: bridge.log, with: ["warning", name]).count == 1 }, "\(bridge.log)")
      #expect(bridge.requests.isEmpty)
    }
  }

  @Test @LoopActor
  func aDefaultModelThatTheProviderRefusesIsNamedByItsVariable() async throws {
    try await RealBridge.run(["CODEX_MODEL": "gpt-none"]) { bridge in
      let own = try await bridge.chat("demo: status=400 code=model_not_found")
      #expect(own.status == 400)
      #expect(own.error("message")?.stringValue?.contains("CODEX_MODEL") == true)
      let other = try await bridge.chat("demo: status=400", more: #","model":"gpt-5.5""#)
      #expect(other.error("message")?.stringValue?.contains("CODEX_MODEL") == false)
    }
  }

  @Test @LoopActor
  func requestsAreNotLoggedUnlessAskedFor() async throws {
    try await RealBridge.run { bridge in
      let answer = try await bridge.chat()
      #expect(answer.status == 200)
      #expect(Self.lines(of: bridge.log, with: ["/v1/chat/completions"]).isEmpty, "\(bridge.log)")
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func aClientThatHasLeftIsNotLoggedAsAFailure(_ isStream: Bool) async throws {
    try await RealBridge.run(["CODEX_LOG_REQUESTS": "true"]) { bridge in
      let client = try await TestClient.connect(port: bridge.port)
      client.send(GatewayServer.chat("demo: tokens=10000 delay=20", stream: isStream))
      #expect(await eventually { !bridge.requests.isEmpty })
      client.close()
      let facts = ["path=/v1/chat/completions", "status=\"client left\""]
      #expect(await eventually { Self.lines(of: bridge.log, with: facts).count == 1 }, "\(bridge.log)")
    }
  }

  private static func lines(of log: String, with facts: [String]) -> [Substring] {
    log.split(separator: "\n").filter { line in facts.allSatisfy { line.contains($0) } }
  }

  // MARK: Sessions

  /// What the article Sessions shows.
  @Test @LoopActor
  func theStandInTellsWhatASessionHasHeardBefore() async throws {
    try await RealBridge.run { bridge in
      let session = #","session_id":"demo-1""#
      let first = try await bridge.chat("Remember the number 7.", more: session)
      #expect(first.answer?.contains("Before that") == false)
      let second = try await bridge.chat("Which number?", more: session)
      #expect(second.answer?.contains("Before that you said: “Remember the number 7.”") == true)
    }
  }

  /// The rights are those of the bridge that runs now, not of the one that began the session.
  @Test @LoopActor
  func aSessionDoesNotKeepRightsThatWereTakenAway() async throws {
    let directory = try TemporaryDirectory()
    let home = try RealBridge.makeHome()
    defer {
      directory.remove()
      home.remove()
    }
    let session = #","session_id":"s""#
    for (mode, file, mayWrite) in [
      ("danger-full-access", "one", true), ("read-only", "two", false), ("workspace-write", "three", true),
    ] {
      try await RealBridge.run(["CODEX_SANDBOX_MODE": mode], in: directory, home: home) { bridge in
        let answer = try await bridge.chat("demo: run=echo hi > \(file)", more: session)
        #expect(answer.status == 200)
        #expect(answer.field("x-bridge-session-restarted") == nil)
        #expect((directory.read(file) != nil) == mayWrite, "\(mode)")
      }
    }
  }
}
