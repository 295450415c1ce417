// Sessions that people can read, and turns that are told more, with the real Codex.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct SessionListConformanceTests {
  private static let models = ["gpt-5.5", "gpt-6.1-sol"]

  /// A directory and a home that several bridges have one after the other.
  @LoopActor
  private func inOnePlace(_ body: @LoopActor (TemporaryDirectory, TemporaryDirectory) async throws -> Void)
    async throws
  {
    let (directory, home) = (try TemporaryDirectory(), try RealBridge.makeHome())
    defer {
      directory.remove()
      home.remove()
    }
    try await body(directory, home)
  }

  /// What is told of a session, a line for each item.
  @LoopActor
  private func told(_ bridge: RealBridge) async throws -> [String] {
    let response = try await bridge.exchange(GatewayServer.request("GET", "/v1/sessions/s/messages"))
    #expect(response.status == 200, "\(response.body)")
    return (response.json["data"]?.arrayValue ?? []).map { item in
      #expect(item["turn_id"]?.stringValue?.isEmpty == false, "\(item.jsonText)")
      let words = ["command", "status", "name", "arguments", "content"].compactMap { item[$0]?.stringValue }
      return ([item["type"]?.stringValue ?? ""] + words).joined(separator: " ").trimmingSpaces()
    }
  }

  @Test(arguments: models) @LoopActor
  func whatWasSaidAndDoneIsToldAfterARestart(_ model: String) async throws {
    try await inOnePlace { directory, home in
      let more = #","session_id":"s","model":"\#(model)""#
      try await RealBridge.run(in: directory, home: home) { bridge in
        for text in [#"demo: run="echo hi" round say=done"#, #"demo: run="exit 3" round say=failed"#] {
          let answer = try await bridge.chat(text, more: more)
          #expect(answer.status == 200)
        }
      }
      try await RealBridge.run(in: directory, home: home) { bridge in
        let told = try await told(bridge)
        #expect(told.count == 6, "\(told)")
        #expect(told.first == #"message demo: run="echo hi" round say=done"#)
        #expect(told.count > 1 && told[1].hasPrefix("command ") && told[1].contains("echo hi"))
        #expect(told.count > 1 && told[1].hasSuffix("completed"))
        #expect(told.count > 2 && told[2] == "message done")
        if model == "gpt-5.5" { #expect(told.count > 4 && told[4] == "command exit 3 failed") }
        #expect(told.last == "message failed")
        let list = try await bridge.exchange(GatewayServer.request("GET", "/v1/sessions"))
        let session = list.json["data"]?.arrayValue?.first
        #expect(session?["title"] == #"demo: run="echo hi" round say=done"#)
        #expect(session?["state"] == "idle" && session?["turns"] == 2)
      }
    }
  }

  private static let tools = #","tools":[{"type":"function","function":{"name":"get_weather"}}]"#

  /// A request with the output of a call of the answer before.
  private func outputs(_ callID: String, model: String) -> String {
    GatewayServer.chat(
      body: #"""
        {"model":"\#(model)","session_id":"s","messages":[{"role":"user","content":"demo: call=get_weather:{}"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"\#(callID)","type":"function",
        "function":{"name":"get_weather","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"\#(callID)","content":"sunny"}]\#(Self.tools)}
        """#)
  }

  /// After the restart the session goes on in a copy of its thread, which has all of it.
  @Test(arguments: models) @LoopActor
  func callsOfTheClientAreToldAndSoIsACopy(_ model: String) async throws {
    try await inOnePlace { directory, home in
      let more = #","session_id":"s","model":"\#(model)""# + Self.tools
      let first = [
        "message demo: call=get_weather:{}", "function_call get_weather {}", "function_call_output sunny",
        "message get_weather said: sunny",
      ]
      try await RealBridge.run(in: directory, home: home) { bridge in
        let answer = try await bridge.chat("demo: call=get_weather:{}", more: more)
        let call = answer.json["choices"]?.arrayValue?.first?["message"]?["tool_calls"]?.arrayValue?.first
        let id = try #require(call?["id"]?.stringValue, "\(answer.body)")
        let parked = try await bridge.exchange(GatewayServer.request("GET", "/v1/sessions/s"))
        #expect(parked.json["state"] == "parked")
        #expect(try await bridge.exchange(outputs(id, model: model)).status == 200)
        #expect(try await told(bridge) == first)
      }
      try await RealBridge.run(in: directory, home: home) { bridge in
        let before = try await told(bridge)
        #expect(before == first)
        let answer = try await bridge.chat("demo: say=more", more: more)
        #expect(answer.answer == "more")
        let after = try await told(bridge)
        #expect(after == first + ["message demo: say=more", "message more"])
      }
    }
  }

  /// Of what was put in nobody knows the turn; the engine's instructions are not told.
  @Test @LoopActor
  func aHistoryThatWasPutInIsToldToo() async throws {
    try await RealBridge.run { bridge in
      let body = #"""
        {"session_id":"s","messages":[{"role":"system","content":"rules"},{"role":"user","content":"one"},
        {"role":"assistant","content":"two"},{"role":"user","content":"demo: say=four"}]}
        """#
      #expect(try await bridge.exchange(GatewayServer.chat(body: body)).answer == "four")
      let response = try await bridge.exchange(GatewayServer.request("GET", "/v1/sessions/s/messages"))
      let said = (response.json["data"]?.arrayValue ?? []).map { $0["content"]?.stringValue ?? "" }
      #expect(said == ["one", "two", "demo: say=four", "four"])
    }
  }

  // MARK: Turns that are told more

  @Test(arguments: models) @LoopActor
  func aRunningTurnIsToldMore(_ model: String) async throws {
    try await RealBridge.run { bridge in
      let more = #","session_id":"s","model":"\#(model)""#
      let (first, second) = (
        try await TestClient.connect(port: bridge.port), try await TestClient.connect(port: bridge.port)
      )
      first.send(GatewayServer.chat("demo: tokens=3000 delay=20", stream: true, more: more))
      _ = await first.wait { $0.contains("t3 ") }
      second.send(
        GatewayServer.chat("demo: say=both", stream: true, more: more, fields: ["X-Bridge-Steer: true"]))
      let before = ChatEvents(try #require(await first.responses(1).first).body)
      #expect(before.problems == [])
      #expect(before.content.hasPrefix("t0 t1 t2 t3 ") && !before.content.contains("t2999"))
      #expect(before.finishReasons == ["stop"])
      let response = try #require(await second.responses(1).first)
      #expect(response.field("x-bridge-steered") == "true")
      let after = ChatEvents(response.body)
      #expect(after.problems == [])
      #expect(after.content.hasSuffix("both") && after.finishReasons == ["stop"])
      // The model has both messages, and the next turn remembers them.
      let last = try #require(bridge.requests.last)
      let sent = last.jsonText
      #expect(sent.contains("demo: tokens=3000 delay=20") && sent.contains("demo: say=both"))
      #expect(bridge.requests.count == 2)
      first.close()
      second.close()
      #expect(try await bridge.chat("demo: say=own", more: more).answer == "own")
    }
  }
}
