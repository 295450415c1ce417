// POST /v1/responses as a client sees it: whole, as a stream, refused, failed (responses.md §3 and §5).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ResponseWireTests {
  // MARK: The two forms

  @Test @LoopActor
  func aWholeResponse() async throws {
    try await GatewayServer.run { server in
      let usage = TokenUsage(input: 11, cachedInput: 5, output: 7, reasoningOutput: 2)
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText("hm")))
        turn.answer(["Hel", "lo\n"], usage: usage)
      }
      let response = try await server.exchange(
        GatewayServer.response(more: #","model":"gpt-test:high","metadata":{"a":"b"}"#))
      #expect(response.status == 200 && response.field("content-type") == "application/json")
      let object = response.json
      for name in ResponseEvents.members { #expect(object[name] != nil, "\(name)") }
      #expect(object["status"] == "completed" && object["model"] == "gpt-test:high")
      #expect(object.id.hasPrefix("resp_") && object.id.utf8.count >= 29)
      #expect(object["usage"]?["total_tokens"] == 18 && object["metadata"] == ["a": "b"])
      #expect(object["output"]?.arrayValue?.map { $0["type"] ?? .null } == ["reasoning", "message"])
      #expect(object["output"]?.arrayValue?.last?["content"]?.arrayValue?.first?["text"] == "Hello\n")
      let kept = try await server.exchange(GatewayServer.stored(object.id))
      #expect(kept.status == 200 && kept.field("content-type") == "application/json")
      #expect(kept.json.without(seconds: ()) == object.without(seconds: ()))
    }
  }

  @Test @LoopActor
  func aStreamedResponse() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["Hel", "lo\n", "é🎉"])
      let response = try await server.exchange(GatewayServer.response(stream: true))
      #expect(response.status == 200)
      #expect(response.field("content-type") == "text/event-stream; charset=utf-8")
      #expect(response.field("cache-control") == "no-cache")
      let events = ResponseEvents(response.body)
      #expect(events.problems == [])
      #expect(events.deltas == ["Hel", "lo\n", "é🎉"])
      #expect(events.types.last == "response.completed" && !response.body.contains("[DONE]"))
      let kept = try await server.exchange(GatewayServer.stored(try #require(events.id))).json
      #expect(kept.without(seconds: ()) == events.response?.without(seconds: ()))
    }
  }

  @Test @LoopActor
  func aResponseThatIsNotStoredIsGone() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let object = try await server.exchange(GatewayServer.response(more: #","store":false"#)).json
      #expect(object["store"] == false && object["status"] == "completed")
      #expect(await server.status(GatewayServer.stored(object.id)) == 404)
      let next = try await server.exchange(
        GatewayServer.response(more: #","previous_response_id":"\#(object.id)""#))
      #expect(next.status == 400 && next.json["error"]?["code"] == "previous_response_not_found")
    }
  }

  @Test @LoopActor
  func commentsKeepASilentStreamOpen() async throws {
    try await GatewayServer.run(paces: Paces(keepAlive: .milliseconds(30))) { server in
      let client = try await server.connect()
      client.send(GatewayServer.response(stream: true))
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("a")))
      await client.wait { $0.ranges(of: ": keep-alive\n").count >= 3 }
      turn.answer(["b"])
      let response = try #require(await client.responses(1).first)
      let events = ResponseEvents(response.body)
      #expect(events.problems == [] && events.deltas == ["a", "b"])
      #expect(events.comments.count >= 3 && events.comments.allSatisfy { $0 == "keep-alive" })
      client.close()
    }
  }

  /// What Codex does is told as the request wants it.
  @Test @LoopActor
  func theHeaderChoosesHowActivityIsTold() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        let use = ToolUse.command("ls")
        turn.events.push(.itemBegan(.message(.commentary)))
        turn.events.push(.commentary(EscapedText("I look.")))
        turn.events.push(.itemEnded(.message(.commentary)))
        turn.events.push(.tool(ToolReport(number: 1, use: use, progress: .began)))
        turn.events.push(.tool(ToolReport(number: 1, use: use, progress: .ended(.exited(0)))))
        turn.answer(["a"])
      }
      let expected: [(fields: [String], types: [JSONValue])] = [
        ([], ["reasoning", "message"]), (["X-Bridge-Activity: reasoning"], ["reasoning", "message"]),
        (["X-Bridge-Activity: MCP"], ["reasoning", "mcp_call", "message"]),
        (["X-Bridge-Activity: none"], ["reasoning", "message"]),
        (["X-Bridge-Activity: none", "X-Bridge-Commentary: message"], ["message", "message"]),
      ]
      for (fields, types) in expected {
        let whole = try await server.exchange(GatewayServer.response(fields: fields)).json
        #expect(whole["output"]?.arrayValue?.map { $0["type"] ?? .null } == types)
        let body = try await server.exchange(GatewayServer.response(stream: true, fields: fields)).body
        let events = ResponseEvents(body)
        #expect(events.problems == [])
        #expect(Set(events.items.compactMap { $0["type"]?.stringValue }) == Set(types.compactMap(\.stringValue)))
      }
      for field in ["X-Bridge-Activity: all", "X-Bridge-Commentary: none"] {
        #expect(await server.status(GatewayServer.response(fields: [field])) == 400)
      }
    }
  }

  // MARK: Refusals

  /// Each is an answer with its status, streamed or not: no turn has started.
  @Test(
    arguments: [
      (
        #"{"input":"hi","previous_response_id":"resp_x"}"#, 400, "previous_response_id",
        "previous_response_not_found"
      ),
      (#"{"input":"hi","conversation":"conv_x"}"#, 404, nil, nil),
      (#"{"input":[{"type":"item_reference","id":"rs_x"}]}"#, 404, "input", nil),
      (#"{"input":[{"type":"function_call_output","call_id":"c","output":""}]}"#, 400, "input", nil),
      (#"{"input":[{"type":"function_call","call_id":"c","name":"f"}]}"#, 400, "input", nil),
      (#"{}"#, 400, "input", "missing_required_parameter"),
      (#"{"input":"hi","model":"none"}"#, 404, "model", "model_not_found"),
      (#"{"input":"hi","reasoning":{"effort":"huge"}}"#, 400, "reasoning.effort", "unsupported_value"),
      (#"{"input":"hi","tools":[{"type":"custom"}]}"#, 400, "tools[0].type", "unsupported_tool"),
      (#"{"input":"hi","background":true,"store":false}"#, 400, "background", nil),
      (#"{"input":"hi","prompt":{"id":"p"}}"#, 400, "prompt", nil),
    ] as [(String, Int, String?, String?)])
  @LoopActor
  func refusalsHaveTheirStatus(_ body: String, _ status: Int, _ param: String?, _ code: String?) async throws {
    try await GatewayServer.run { server in
      for stream in ["", #""stream":true,"#] {
        let response = try await server.exchange(
          GatewayServer.post("/v1/responses", "{\(stream)\(body.dropFirst())".replacing(",}", with: "}")))
        #expect(response.status == status)
        let error = try #require(response.json["error"])
        #expect(error["type"] == "invalid_request_error" && error["message"]?.stringValue?.isEmpty == false)
        if let param { #expect(error["param"] == .string(param)) }
        if let code { #expect(error["code"] == .string(code)) }
        #expect(error["param"] != nil && error["code"] != nil)
      }
      #expect(server.engine.started.isEmpty)
    }
  }

  @Test @LoopActor
  func whatIsNotThereIs404() async throws {
    try await GatewayServer.run { server in
      for (method, path) in [
        ("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items"), ("GET", "?stream=true"),
      ] {
        let response = try await server.exchange(GatewayServer.request(method, "/v1/responses/resp_x\(path)"))
        #expect(response.status == 404)
        #expect(response.json["error"]?["message"]?.stringValue?.contains("resp_x") == true)
      }
      for path in ["compact", "input_tokens"] {
        let response = try await server.exchange(GatewayServer.post("/v1/responses/\(path)", "{}"))
        #expect(response.status == 404 && response.json["error"]?["message"] != nil)
      }
      #expect(await server.status(GatewayServer.request("PUT", "/v1/responses")) == 405)
    }
  }

  // MARK: Failures

  @Test @LoopActor
  func aFailureWithoutAStreamIsAnError() async throws {
    try await GatewayServer.run { server in
      try await server.makeDatabase()
      let client = try await server.connect()
      client.send(GatewayServer.response())
      let turn = try await server.turn(1)
      let id = try await server.unfinishedResponse()
      #expect(try await server.exchange(GatewayServer.stored(id)).json["status"] == "in_progress")
      turn.events.push(.answer(EscapedText("half")))
      turn.events.push(.ended(.failed(.crashed)))
      let response = try #require(await client.responses(1).first)
      #expect(response.status >= 500 && response.field("x-should-retry") == "false")
      #expect(response.json["error"]?["code"] != nil && response.json["status"] == nil)
      let kept = try await server.exchange(GatewayServer.stored(id)).json
      #expect(kept["status"] == "failed" && kept["error"]?["code"] == "server_error")
      #expect(kept.outputText == "half")
      #expect(kept["output"]?.arrayValue?.first?["status"] == "incomplete")
      client.close()
    }
  }

  @Test @LoopActor
  func aFailureOfAStreamIsTwoEvents() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.ended(.failed(.crashed)))
      }
      let response = try await server.exchange(GatewayServer.response(stream: true))
      #expect(response.status == 200)
      let events = ResponseEvents(response.body)
      #expect(events.problems == [])
      #expect(events.types.suffix(2) == ["error", "response.failed"])
      let kept = try await server.exchange(GatewayServer.stored(try #require(events.id))).json
      #expect(kept == events.response && kept.outputText == "half")
      let again = try await server.exchange(GatewayServer.stored(kept.id, "?stream=true"))
      #expect(again.status == 200 && again.body == response.body)
    }
  }

  /// Nothing of the answer has come: the status still tells.
  @Test @LoopActor
  func aFailureBeforeTheFirstSignHasItsStatus() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { $0.events.push(.ended(.failed(.crashed))) }
      for stream in [true, false] {
        let response = try await server.exchange(GatewayServer.response("\(stream)", stream: stream))
        #expect(response.status >= 500 && response.json["error"]?["message"] != nil)
      }
      server.engine.refusals = [.rejected("no")]
      #expect(await server.status(GatewayServer.response("refused", stream: true)) >= 400)
    }
  }

  /// A retry of an SDK reads the answer of the first attempt, under its id.
  @Test(arguments: [true, false]) @LoopActor
  func aMarkedRetryReadsTheFirstAnswer(_ stream: Bool) async throws {
    try await GatewayServer.run { server in
      var clients: [TestClient] = []
      for count in 0...1 {
        let client = try await server.connect()
        client.send(GatewayServer.response(stream: stream, fields: ["X-Stainless-Retry-Count: \(count)"]))
        clients.append(client)
        let turn = try await server.turn(1)
        if count == 0 { turn.events.push(.answer(EscapedText("one "))) }
      }
      for _ in 0..<30 { await Loop.nextTurn() }
      try await server.turn(1).answer(["two"])
      var ids: [String] = []
      for client in clients {
        let response = try #require(await client.responses(1).first)
        #expect(response.status == 200)
        let object = stream ? ResponseEvents(response.body).response ?? .null : response.json
        #expect(object.outputText == "one two")
        ids.append(object.id)
        client.close()
      }
      #expect(ids[0] == ids[1] && server.engine.started.count == 1)
      #expect(try await server.exchange(GatewayServer.stored(ids[0])).json["status"] == "completed")
    }
  }

  // MARK: Functions

  @Test @LoopActor
  func callsAndTheirOutputs() async throws {
    try await GatewayServer.run { server in
      let calls = [Conversation.ToolCall(id: "c1", name: "f", arguments: #"{"a":1}"#)]
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("I call.")))
        turn.events.push(.toolCalls(OpenCalls(calls: calls, usage: TokenUsage(input: 1, output: 1))))
      }
      let tools = #","tools":[{"type":"function","name":"f"}]"#
      let response = try await server.exchange(GatewayServer.response(stream: true, more: tools))
      let events = ResponseEvents(response.body)
      #expect(events.problems == [])
      #expect(events.items.map { $0["type"] ?? .null } == ["message", "function_call"])
      let id = try #require(events.id)
      let without = try await server.exchange(
        GatewayServer.response("go on", more: tools + #","previous_response_id":"\#(id)""#))
      #expect(without.status == 400 && without.json["error"]?["param"] == "input")
      let turn = try await server.turn(1)
      let client = try await server.connect()
      client.send(
        GatewayServer.post(
          "/v1/responses",
          #"{"input":[{"type":"function_call_output","call_id":"c1","output":"42"}],"previous_response_id":"\#(id)"\#(tools)}"#
        ))
      #expect(await eventually { server.engine.replies.count == 1 })
      #expect(
        server.engine.replies.first?.outputs == [Conversation.ToolOutput(callID: "c1", parts: [.text("42")])])
      turn.answer(["It is 42."])
      let rest = try #require(await client.responses(1).first)
      #expect(rest.status == 200 && rest.json.outputText == "It is 42.")
      #expect(server.engine.started.count == 1)
      client.close()
    }
  }
}

extension JSONValue {
  /// A response without the time at which it has ended: it is made once for what is kept and once for the client.
  fileprivate func without(seconds: Void) -> JSONValue {
    guard var object = objectValue else { return self }
    object["completed_at"] = nil
    return .object(object)
  }
}
