// Sessions that people can read: their titles, what they do, what was said in them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct SessionListWireTests {
  private typealias Server = GatewayServer

  private func chat(_ text: String, _ session: String = "s", stream: Bool = false, key: String = GatewayServer.key)
    -> String
  {
    Server.chat(text, stream: stream, more: #","session_id":"\#(session)""#, key: key)
  }

  @LoopActor
  private func session(_ server: GatewayServer, _ id: String = "s") async throws -> JSONValue {
    try await server.exchange(Server.request("GET", "/v1/sessions/\(id)")).json
  }

  @Test @LoopActor
  func aSessionIsCalledByItsFirstWords() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("What is\n\nmy name?"))
      _ = try await server.exchange(chat("And yours?"))
      let shown = try await session(server)
      #expect(shown["title"] == "What is my name?")
      #expect(shown["turns"] == 2)
      _ = try await server.exchange(chat("", "silent"))
      #expect(try await session(server, "silent")["title"] == .null)
      for (search, ids) in [("MY+NAME", []), ("MY%20NAME", ["s"]), ("sil", ["silent"]), ("yours", [])] {
        let page = try await server.exchange(Server.request("GET", "/v1/sessions?search=\(search)"))
        #expect(page.json["data"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == ids, "\(search)")
      }
      // A title is that of the conversation, which a further model does not change.
      _ = try await server.exchange(Server.chat("Another", more: #","session_id":"s","model":"gpt-other""#))
      #expect(try await session(server)["title"] == "What is my name?")
    }
  }

  @Test @LoopActor
  func aSessionIsRenamed() async throws {
    try await Server.run(["CODEX_BRIDGE_API_KEY": "a,b"]) { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("first", "a/b", key: "a"))
      let path = "/v1/sessions/a%2Fb"
      let rename = { (method: String, body: String, key: String) in
        Server.request(method, path, ["Content-Length: \(body.utf8.count)"], key: key) + body
      }
      for (method, sent, title) in [("PATCH", "My  chat", "My chat"), ("POST", "\\u202EÜber\\n", "Über")] {
        let response = try await server.exchange(rename(method, #"{"title":"\#(sent)"}"#, "a"))
        #expect(response.status == 200)
        #expect(response.json["title"] == .string(title))
        #expect(server.directory.read(".codex_threads.json")?.contains("\"title\":\"\(title)\"") == true)
      }
      let long = String(repeating: "x", count: 81)
      for body in [
        #"{"title":" "}"#, #"{"title":5}"#, #"{"title":null}"#, "{}", "", "[", #"{"title":"\#(long)"}"#,
      ] {
        let response = try await server.exchange(rename("PATCH", body, "a"))
        #expect(response.status == 400, "\(body)")
        #expect(response.error("type") == "invalid_request_error")
      }
      let foreign = try await server.exchange(rename("PATCH", #"{"title":"mine"}"#, "b"))
      #expect(foreign.status == 404)
      #expect(foreign.error("code") == "session_not_found")
      _ = try await server.exchange(chat("second", "a/b", key: "a"))
      let kept = try await server.exchange(Server.request("GET", path, key: "a"))
      #expect(kept.json["title"] == "Über" && kept.json["turns"] == 2)
    }
  }

  @Test @LoopActor
  func aListTellsWhatSessionsDo() async throws {
    try await Server.run(["CODEX_MAX_CONCURRENT_TURNS": "1"]) { server in
      let first = try await server.connect()
      first.send(chat("m", "runs", stream: true))
      let turn = try await server.turn(1)
      #expect(try await session(server, "runs")["state"] == "running")
      let second = try await server.connect()
      second.send(chat("m", "waits", stream: true))
      // It is not known before its first turn begins, so it is one of the session that runs.
      let third = try await server.connect()
      third.send(chat("m", "runs", stream: true))
      #expect(await eventually { server.sessions.waitingCount("runs") == 1 })
      #expect(try await session(server, "runs")["state"] == "running")
      turn.answer(["a"])
      let next = try await server.turn(2)
      #expect(await eventually { server.sessions.isRunning("runs") && server.sessions.isRunning("waits") })
      let list = try await server.exchange(Server.request("GET", "/v1/sessions")).json
      let states = (list["data"]?.arrayValue ?? []).map {
        "\($0["id"]?.stringValue ?? "") \($0["state"]?.stringValue ?? "")"
      }
      #expect(states.sorted() == ["runs waiting", "waits running"])
      next.answer(["a"])
      try await server.turn(3).answer(["a"])
      #expect(await eventually { !server.sessions.isRunning("runs") })
      for id in ["runs", "waits"] { #expect(try await session(server, id)["state"] == "idle") }
      for client in [first, second, third] { client.close() }
    }
  }

  @Test @LoopActor
  func aSessionWhoseTurnWaitsForItsClientIsParked() async throws {
    try await Server.run { server in
      server.engine.script = { turn in
        let call = Conversation.ToolCall(id: "c1", name: "look", arguments: "{}")
        turn.wasNamed("t1")
        turn.events.push(.toolCalls(OpenCalls(calls: [call], usage: nil)))
      }
      let tools = #","tools":[{"type":"function","function":{"name":"look"}}]"#
      let response = try await server.exchange(Server.chat("m", more: #","session_id":"s""# + tools))
      #expect(response.json["choices"]?.arrayValue?.first?["finish_reason"] == "tool_calls")
      #expect(try await session(server)["state"] == "parked")
    }
  }

  // MARK: Messages

  private func items(_ count: Int, bytes: Int = 1) -> [Transcript.Item] {
    (0..<count).map { index in
      let text = "\(index)" + String(repeating: "x", count: bytes)
      return Transcript.Item(
        turnID: "t\(index / 2)", content: .message(index % 2 == 0 ? .user : .assistant, [.text(text)]))
    }
  }

  @LoopActor
  private func messages(_ server: GatewayServer, _ query: String = "", key: String = GatewayServer.key)
    async throws
    -> TestResponse
  {
    try await server.exchange(Server.request("GET", "/v1/sessions/s/messages\(query)", key: key))
  }

  @Test @LoopActor
  func whatWasSaidIsTold() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("m"))
      let call = Conversation.ToolCall(id: "c", name: "f", arguments: "{}")
      server.engine.transcripts[ThreadID("thread-1")] = Transcript(
        items: [
          Transcript.Item(content: .message(.user, [.text("a"), .text("b")])),
          Transcript.Item(
            turnID: "t", content: .message(.user, [.text("see"), .image(mediaType: "image/png", bytes: 9)])),
          Transcript.Item(turnID: "t", content: .command("ls", .failed)),
          Transcript.Item(turnID: "t", content: .toolCall(call)),
          Transcript.Item(turnID: "t", content: .toolOutput(callID: "c", [.text("sunny")])),
          Transcript.Item(turnID: "t", content: .message(.assistant, [.text("look")]), isCommentary: true),
          Transcript.Item(turnID: "t", content: .message(.assistant, [.text("done")])),
        ], isWhole: true)
      let response = try await messages(server)
      #expect(response.status == 200)
      let frame = {
        (id: String, type: String, role: String, content: JSONValue, more: JSONValue, turn: JSONValue) in
        var object = JSONObject()
        for (key, value) in [
          ("id", .string(id)), ("object", "session.item"), ("type", .string(type)), ("role", .string(role)),
          ("content", content),
        ] as [(String, JSONValue)] { object[key] = value }
        for member in more.objectValue?.members ?? [] { object[member.key] = member.value }
        object["turn_id"] = turn
        return JSONValue.object(object)
      }
      let image: JSONValue = ["type": "image", "media_type": "image/png", "bytes": 9]
      #expect(
        response.json == [
          "object": "list",
          "data": [
            frame("0", "message", "user", "a\nb", [:], .null),
            frame("1", "message", "user", [["type": "text", "text": "see"], image], [:], "t"),
            frame("2", "command", "assistant", .null, ["command": "ls", "status": "failed"], "t"),
            frame(
              "3", "function_call", "assistant", .null, ["call_id": "c", "name": "f", "arguments": "{}"], "t"),
            frame("4", "function_call_output", "tool", "sunny", ["call_id": "c"], "t"),
            frame("5", "message", "assistant", "look", ["phase": "commentary"], "t"),
            frame("6", "message", "assistant", "done", [:], "t"),
          ],
          "has_more": false,
        ])
    }
  }

  @Test @LoopActor
  func messagesComeInPages() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("m"))
      server.engine.transcripts[ThreadID("thread-1")] = Transcript(items: items(250), isWhole: true)
      var ids: [String] = []
      var query = ""
      repeat {
        let page = try await messages(server, query).json
        ids += (page["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
        query = page["has_more"] == true ? "?after=\(ids.last ?? "")" : ""
      } while !query.isEmpty && ids.count < 1000
      #expect(ids == (0..<250).map(String.init))
      #expect(try await messages(server, "?limit=7&after=9").json["data"]?.arrayValue?.count == 7)
      #expect(try await messages(server, "?after=5000").json == ["object": "list", "data": [], "has_more": false])
      for query in ["?limit=0", "?limit=101", "?after=x"] {
        #expect(try await messages(server, query).status == 400, "\(query)")
      }
      // Half a megabyte each: the third would be too much.
      server.engine.transcripts[ThreadID("thread-1")] = Transcript(items: items(5, bytes: 500_000), isWhole: true)
      let page = try await messages(server).json
      #expect(page["data"]?.arrayValue?.count == 2 && page["has_more"] == true)
      server.engine.transcripts[ThreadID("thread-1")] = Transcript(
        items: items(2, bytes: 3_000_000), isWhole: true)
      #expect(try await messages(server).json["data"]?.arrayValue?.count == 1)
    }
  }

  /// The record of the latest thread may not tell what was put into it.
  @Test @LoopActor
  func earlierThreadsAreReadWhereTheLatestDoesNotTell() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("m"))
      _ = try await server.exchange(Server.chat("n", more: #","session_id":"s","model":"gpt-other""#))
      let (first, second) = (ThreadID("thread-1"), ThreadID("thread-2"))
      server.engine.transcripts = [
        first: Transcript(items: items(2), isWhole: true), second: Transcript(items: items(4), isWhole: false),
      ]
      #expect(try await messages(server).json["data"]?.arrayValue?.count == 4 + 2)
      server.engine.transcripts[second]?.isWhole = true
      #expect(try await messages(server).json["data"]?.arrayValue?.count == 4)
      server.engine.transcripts = [second: Transcript(items: items(4), isWhole: false)]
      #expect(try await messages(server).json["data"]?.arrayValue?.count == 4)
      server.engine.transcripts = [:]
      let gone = try await messages(server)
      #expect(gone.status == 502)
      #expect(gone.error("code") == "thread_not_found")
    }
  }

  @Test @LoopActor
  func anotherKeyIsToldNothing() async throws {
    try await Server.run(["CODEX_BRIDGE_API_KEY": "a,b"]) { server in
      server.answerAll(["a"])
      _ = try await server.exchange(chat("m", key: "a"))
      server.engine.transcripts[ThreadID("thread-1")] = Transcript(items: items(2), isWhole: true)
      #expect(try await messages(server, key: "a").status == 200)
      let (foreign, unknown) = (
        try await messages(server, key: "b"),
        try await server.exchange(Server.request("GET", "/v1/sessions/t/messages", key: "b"))
      )
      #expect(foreign.status == 404 && unknown.status == 404)
      #expect(foreign.error("code") == "session_not_found")
      #expect(foreign.body.replacing("'s'", with: "'t'") == unknown.body)
    }
  }
}
