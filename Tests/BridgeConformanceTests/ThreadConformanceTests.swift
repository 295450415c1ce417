// What the real Codex keeps of a session, and what becomes of it when files break, summaries are made, or clients send
// histories in odd shapes.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct ThreadConformanceTests {
  private func request(_ messages: String, session: String = "s", model: String? = nil) -> String {
    let model = model.map { #","model":"\#($0)""# } ?? ""
    return GatewayServer.chat(body: #"{"session_id":"\#(session)","messages":[\#(messages)]\#(model)}"#)
  }

  private func user(_ text: String) -> String { #"{"role":"user","content":"\#(text)"}"# }
  private func assistant(_ text: String) -> String { #"{"role":"assistant","content":"\#(text)"}"# }

  /// The items of the last request to the model that contain a text.
  @LoopActor
  private func items(_ bridge: RealBridge, with text: String) -> [JSONValue] {
    (bridge.requests.last?["input"]?.arrayValue ?? []).filter { $0.jsonText.contains(text) }
  }

  // MARK: Files

  /// The files of a thread.
  private func files(of thread: String, in directory: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    for pattern in ["\(directory)/*/sessions/*/*/*/*\(thread)*", "\(directory)/.*/sessions/*/*/*/*\(thread)*"] {
      glob(pattern, GLOB_APPEND, nil, &found)
    }
    return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
  }

  private enum Damage: CaseIterable {
    case empty, zeros, garbage, notText, half, anotherThreads, gone

    func apply(to path: String) throws {
      guard case .bytes(let bytes) = FileContents.read(path, limit: 1 << 30) else {
        throw TestFailure("\(path) cannot be read")
      }
      let first = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? 0
      let damaged: [UInt8] =
        switch self {
        case .empty, .gone: []
        case .zeros: [UInt8](repeating: 0, count: bytes.count)
        case .garbage: Array("garbage\n".utf8)
        case .notText: [0xFF, 0xFE, 0x0A] + bytes
        case .half: Array(bytes[..<(first / 2)])
        case .anotherThreads: Array(bytes[first...])
        }
      if self == .gone {
        unlink(path)
      } else {
        try FileContents.replace(path, with: damaged)
      }
    }
  }

  /// One session for each kind of damage, and one whose file stays as it is.
  @Test @LoopActor
  func aThreadFileThatCannotBeReadIsALostThread() async throws {
    let directory = try TemporaryDirectory()
    let home = try RealBridge.makeHome()
    defer {
      directory.remove()
      home.remove()
    }
    var threads: [Damage: String] = [:]
    try await RealBridge.run(in: directory, home: home) { bridge in
      #expect(try await bridge.exchange(request(user("first"), session: "whole")).status == 200)
      for damage in Damage.allCases {
        #expect(try await bridge.exchange(request(user("first"), session: "\(damage)")).status == 200)
        let session = try await bridge.exchange(GatewayServer.request("GET", "/v1/sessions/\(damage)"))
        threads[damage] = try #require(session.json["thread_id"]?.stringValue)
      }
    }
    for (damage, thread) in threads {
      let paths = files(of: thread, in: home.path)
      try #require(!paths.isEmpty, "\(damage)")
      for path in paths { try damage.apply(to: path) }
    }
    try await RealBridge.run(in: directory, home: home) { bridge in
      for damage in Damage.allCases {
        let answer = try await bridge.exchange(request(user("second"), session: "\(damage)"))
        #expect(answer.status == 200, "\(damage)")
        #expect(answer.field("x-bridge-session-restarted") == "thread-lost", "\(damage)")
        let next = try await bridge.exchange(request(user("third"), session: "\(damage)"))
        #expect(next.status == 200, "\(damage)")
        #expect(next.field("x-bridge-session-restarted") == nil, "\(damage)")
        #expect(items(bridge, with: "\"second\"").count == 1, "\(damage)")
      }
      let whole = try await bridge.exchange(request(user("second"), session: "whole"))
      #expect(whole.status == 200)
      #expect(whole.field("x-bridge-session-restarted") == nil)
      #expect(items(bridge, with: "\"first\"").count == 1)
      let lost = "a session's thread cannot be used any more"
      #expect(await eventually { bridge.log.ranges(of: lost).count == Damage.allCases.count })
    }
  }

  // MARK: Summaries

  /// Codex drops instructions from the history when it summarises it. Those that it was told when it loaded the thread come
  /// back, and no others do.
  @Test(arguments: [true, false]) @LoopActor
  func instructionsOutliveASummaryAfterARestart(_ areToldAgain: Bool) async throws {
    try await RealCodex.run { codex in
      var plan = TurnRequest(thread: .persistent, instructions: "Be brief.", input: [.text("remember: first")])
      plan.model = "gpt-5.5"
      let first = try await codex.start(plan)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      plan.thread = .existing(try #require(first.threadID))
      try await codex.restart()
      if !areToldAgain { plan.instructions = nil }
      // More than the model can take: the next turn begins with a summary.
      plan.input = [.text("demo: usage=300000,0,5,0 say=much")]
      #expect(await FakeCodex.Outcome(try await codex.start(plan)).isCompleted)
      #expect(instructions(codex) == 1)
      let before = codex.requests.count
      plan.input = [.text("remember: second")]
      #expect(await FakeCodex.Outcome(try await codex.start(plan)).isCompleted)
      #expect(codex.requests.count == before + 2, "no summary was made")
      #expect(codex.requests.last?["input"]?.jsonText.contains("remember: second") == true)
      #expect(instructions(codex) == (areToldAgain ? 1 : 0))
    }
  }

  /// How often the last request has the instructions.
  @LoopActor
  private func instructions(_ codex: RealCodex) -> Int {
    let items = codex.requests.last?["input"]?.arrayValue ?? []
    return items.count { $0.jsonText.contains("Be brief.") }
  }

  // MARK: What is new in a request

  @Test @LoopActor
  func theOutputOfAToolReachesTheModel() async throws {
    try await RealBridge.run { bridge in
      _ = try await bridge.exchange(request(user("first")))
      let call = #"{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}"#
      let calls = #"{"role":"assistant","content":null,"tool_calls":[\#(call)]}"#
      let output = #"{"role":"tool","tool_call_id":"c1","content":"RES"}"#
      let answer = try await bridge.exchange(request([user("first"), calls, output].joined(separator: ",")))
      #expect(answer.status == 200)
      #expect(items(bridge, with: "\"first\"").count == 1)
      let output1 = items(bridge, with: "RES")
      #expect(output1.map { $0["type"] } == ["function_call_output"])
      #expect(items(bridge, with: "\"look\"").map { $0["call_id"] } == ["c1"])
      // Codex would drop the output of a call that it does not have.
      let unknown = #"{"role":"tool","tool_call_id":"c9","content":"LATER"}"#
      _ = try await bridge.exchange(request([assistant("x"), unknown].joined(separator: ",")))
      #expect(items(bridge, with: "LATER").map { $0["role"] } == ["user"])
    }
  }

  @Test @LoopActor
  func whatFollowsTheLastAnswerIsNew() async throws {
    try await RealBridge.run { bridge in
      _ = try await bridge.exchange(request(user("first")))
      let goOn = try await bridge.exchange(
        request([user("first"), assistant("Roses are")].joined(separator: ",")))
      #expect(goOn.status == 200)
      #expect(items(bridge, with: "\"first\"").count == 1)
      _ = try await bridge.exchange(
        request([user("first"), assistant("a"), user("second"), user("third")].joined(separator: ",")))
      let roles = ["first", "second", "third"].map { items(bridge, with: "\"\($0)\"").map { $0["role"] } }
      #expect(roles == [["user"], ["user"], ["user"]])
      let again = try await bridge.exchange(request(user("third")))
      #expect(again.status == 200)
      #expect(items(bridge, with: "\"third\"").count == 2)
    }
  }

  // MARK: Models

  @Test @LoopActor
  func eachModelHasItsOwnThread() async throws {
    try await RealBridge.run { bridge in
      let one = user("demo: delay=300 say=answered by it")
      let next = [one, assistant("answered"), user("the next")].joined(separator: ",")
      let models = ["gpt-5.5", "gpt-5.6-luna"]
      // Side by side, as front ends ask several models.
      var clients: [TestClient] = []
      for model in models {
        let client = try await TestClient.connect(port: bridge.port)
        client.send(request(one, model: model))
        clients.append(client)
      }
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
      #expect(Set(bridge.requests.compactMap { $0["model"]?.stringValue }) == Set(models))
      for request in bridge.requests { #expect(!request.jsonText.contains(#""role":"assistant""#)) }
      for model in models {
        let answer = try await bridge.exchange(request(next, model: model))
        #expect(answer.status == 200)
        #expect(answer.field("x-bridge-session-restarted") == nil)
        #expect(bridge.requests.last?["model"]?.stringValue == model)
        #expect(items(bridge, with: "demo: delay").count == 1)
        #expect(items(bridge, with: "answered by it").count == 2)
      }
      // Nobody was asked for a summary.
      #expect(bridge.requests.count == 4)
    }
  }

  @Test(arguments: [false, true]) @LoopActor
  func commentaryIsTheAnswerOfATurnWithoutOne(_ isStream: Bool) async throws {
    try await RealBridge.run { bridge in
      let answer = try await bridge.exchange(
        GatewayServer.chat("demo: commentary tokens=0", stream: isStream))
      #expect(answer.status == 200)
      if isStream {
        #expect(
          answer.body.contains(#""content":"Let me see. ""#) || answer.body.contains(#""content":"Let me see.""#))
      } else {
        #expect(answer.answer?.hasPrefix("Let me see.") == true)
        #expect(answer.json["choices"]?.arrayValue?.first?["message"]?["reasoning_content"] == nil)
      }
    }
  }
}
