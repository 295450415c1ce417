// POST /v1/completions over the wire: its answers in both forms, its errors, and that it begins no conversation.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct CompletionWireTests {
  private typealias Server = GatewayServer

  /// A request to complete `hi`; `more` are further members of the body, each beginning with a comma.
  private static func completion(
    _ more: String = "", _ fields: [String] = [], path: String = "/v1/completions"
  ) -> String {
    Server.chat(body: "{\"prompt\":\"hi\"\(more)}", fields, path: path)
  }

  /// The data of a stream's events.
  private static func data(_ response: TestResponse) -> [String] {
    response.body.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
  }

  private static func choice(_ object: JSONValue) throws -> JSONValue {
    try #require(object["choices"]?.arrayValue?.first)
  }

  @Test @LoopActor
  func theWholeAnswerIsOneObject() async throws {
    try await Server.run { server in
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText("hm")))
        turn.answer(["Hel", "lo"], usage: TokenUsage(input: 11, cachedInput: 5, output: 7, reasoningOutput: 2))
      }
      let response = try await server.exchange(
        Self.completion(#","model":"gpt-test:high","max_tokens":16,"temperature":0"#))
      #expect(response.status == 200)
      #expect(response.field("content-type") == "application/json")
      #expect(response.field("x-bridge-ignored") == "temperature, max_tokens")
      let json = response.json
      #expect(json["id"]?.stringValue?.hasPrefix("cmpl-") == true)
      #expect(json["object"] == "text_completion")
      #expect((json["created"]?.intValue ?? 0) > 1_600_000_000)
      #expect(json["model"] == "gpt-test:high")
      #expect(json["choices"] == [["text": "Hello", "index": 0, "logprobs": nil, "finish_reason": "stop"]])
      #expect(json["usage"]?["total_tokens"] == 18)
      let turn = try #require(server.engine.started.last)
      #expect(turn.request.input == [.text("hi")])
      #expect(turn.request.effort == "high")
    }
  }

  @Test(arguments: [false, true]) @LoopActor
  func aStreamHasTheTextAlone(_ hasUsage: Bool) async throws {
    try await Server.run { server in
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText("hm")))
        turn.answer(["Hel", "lo\n"], usage: TokenUsage(input: 11, output: 7))
      }
      let response = try await server.exchange(
        Self.completion(",\"stream\":true,\"stream_options\":{\"include_usage\":\(hasUsage)}"))
      #expect(response.field("content-type") == "text/event-stream; charset=utf-8")
      var data = Self.data(response)
      #expect(data.popLast() == "[DONE]")
      var chunks = try data.map { try JSONValue(parsing: $0) }
      for chunk in chunks {
        #expect(chunk["object"] == "text_completion")
        #expect(chunk["id"] == chunks[0]["id"])
      }
      if hasUsage {
        let last = try #require(chunks.last)
        chunks.removeLast()
        #expect(last["choices"] == [])
        #expect(last["usage"]?["total_tokens"] == 18)
      }
      #expect(chunks.allSatisfy { hasUsage ? $0["usage"]?.isNull == true : $0["usage"] == nil })
      #expect(try chunks.map { try Self.choice($0)["text"] } == ["Hel", "lo\n", ""])
      #expect(try chunks.map { try Self.choice($0)["finish_reason"] } == [.null, .null, "stop"])
    }
  }

  /// There is no chunk before the text, so that the head goes out alone.
  @Test @LoopActor
  func theHeadLeavesAtTheFirstSignOfTheModel() async throws {
    try await Server.run { server in
      let client = try await server.connect()
      client.send(Self.completion(",\"stream\":true"))
      let turn = try await server.turn(1)
      turn.events.push(.began)
      #expect(await client.wait { $0.hasSuffix("\r\n\r\n") }.hasPrefix("HTTP/1.1 200 "))
      turn.events.push(.answer(EscapedText("one")))
      await client.wait { $0.contains(#""text":"one""#) }
      turn.answer([])
      #expect(await client.responses(1).count == 1)
      client.close()
    }
  }

  @Test(arguments: [false, true]) @LoopActor
  func aStopEndsTheAnswerAndTheTurn(_ isStreamed: Bool) async throws {
    try await Server.run { server in
      server.engine.script = { turn in
        for piece in ["one S", "TOP", " two"] { turn.events.push(.answer(EscapedText(piece))) }
      }
      let client = try await server.connect()
      client.send(Self.completion(",\"stop\":\"STOP\",\"stream\":\(isStreamed)"))
      let turn = try await server.turn(1)
      #expect(await eventually { turn.isInterrupted })
      turn.events.push(.ended(.interrupted(TokenUsage(input: 1))))
      let response = try #require(await client.responses(1).first)
      let objects =
        isStreamed ? try Self.data(response).dropLast().map { try JSONValue(parsing: $0) } : [response.json]
      #expect(try objects.compactMap { try Self.choice($0)["text"]?.stringValue }.joined() == "one ")
      #expect(try Self.choice(try #require(objects.last))["finish_reason"] == "stop")
      client.close()
    }
  }

  // MARK: Conversations

  /// A chat is remembered by its history. A text that is sent again is no history.
  @Test @LoopActor
  func aCompletionBeginsNoConversation() async throws {
    try await Server.run(["CODEX_CONTINUE": "memory"]) { server in
      server.answerAll(["a"])
      for _ in 0..<2 {
        let response = try await server.exchange(Self.completion())
        #expect(response.field("x-bridge-session-state") == "new")
        #expect(response.field("x-bridge-session") == nil)
        #expect(response.field("x-bridge-session-source") == nil)
      }
      _ = try await server.exchange(Server.chat())
      #expect(server.engine.started.map(\.request.thread) == [.ephemeral, .ephemeral, .persistent])
    }
  }

  @Test @LoopActor
  func aCompletionMayNameItsSession() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      for (state, fields) in [("new", []), ("continued", ["X-Session-Id: s"])] {
        let response = try await server.exchange(
          Self.completion(fields.isEmpty ? ",\"session_id\":\"s\"" : "", fields))
        #expect(response.field("x-bridge-session") == "s")
        #expect(response.field("x-bridge-session-state") == state)
        #expect(response.json["session_id"] == "s")
      }
      #expect(
        server.engine.started.map(\.request.thread) == [.persistent, .existing(ThreadID("thread-1"))])
    }
  }

  @Test @LoopActor
  func thePlainChatCompletesTextsToo() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      for path in ["/completions", "/v1/completions/", "//v1//completions?x=y", "/chat/v1/completions"] {
        #expect(await server.status(Self.completion(path: path)) == 200, "\(path)")
      }
      #expect(server.engine.started.map(\.profile.kind) == [.agent, .agent, .agent, .chat])
    }
  }

  // MARK: Errors

  @Test(arguments: [
    (#"{"model":"m"}"#, "prompt"), (#"{"prompt":["a","b"]}"#, "prompt"), (#"{"prompt":[1,2]}"#, "prompt"),
    (#"{"prompt":"a","n":2}"#, "n"), (#"{"prompt":"a","echo":true}"#, "echo"),
    (#"{"messages":[{"role":"user","content":"a"}]}"#, "prompt"),
  ])
  @LoopActor
  func refusesByName(_ body: String, _ param: String) async throws {
    try await Server.run { server in
      let response = try await server.exchange(Server.chat(body: body, path: "/v1/completions"))
      #expect(response.status == 400)
      #expect(response.error("param") == .string(param))
      #expect(response.error("type") == "invalid_request_error")
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test @LoopActor
  func parametersWithoutEffectMayBeRefused() async throws {
    try await Server.run(["CODEX_STRICT_PARAMS": "true"]) { server in
      let response = try await server.exchange(Self.completion(",\"max_tokens\":16"))
      #expect(response.status == 400)
      #expect(response.error("message")?.stringValue?.contains("max_tokens") == true)
    }
  }

  @Test @LoopActor
  func aFailureHasItsStatusOrIsAnEvent() async throws {
    try await Server.run { server in
      server.engine.script = { $0.events.push(.ended(.failed(.crashed))) }
      let whole = try await server.exchange(Self.completion())
      #expect(whole.status == 502)
      #expect(whole.error("code") == "codex_crashed")
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.ended(.failed(.crashed)))
      }
      let data = Self.data(try await server.exchange(Self.completion(",\"stream\":true")))
      #expect(data.count == 3 && data.last == "[DONE]")
      let failure = try JSONValue(parsing: data[1])
      #expect(failure["error"]?["code"] == "codex_crashed")
      #expect(failure["choices"] == nil)
    }
  }
}
