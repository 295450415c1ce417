// Sessions, queues, and clients that leave or do not read.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ChatSessionWireTests {
  private func session(_ text: String, id: String = "s", stream: Bool = false) -> String {
    GatewayServer.chat(text, stream: stream, more: ",\"session_id\":\"\(id)\"")
  }

  @LoopActor
  private func text(_ turn: Turn) -> String {
    turn.request.input.map { if case .text(let text) = $0 { text } else { "" } }.joined()
  }

  @Test @LoopActor
  func aSessionContinuesOnItsThread() async throws {
    try await GatewayServer.run(["CODEX_CONTINUE": "off"]) { server in
      server.answerAll(["a"])
      for number in 1...3 {
        let response = try await server.exchange(session("m\(number)"))
        #expect(response.field("x-bridge-session") == "s")
        #expect(response.field("x-bridge-session-state") == (number == 1 ? "new" : "continued"))
      }
      let threads = server.engine.started.map(\.request.thread)
      #expect(threads == [.persistent, .existing(ThreadID("thread-1")), .existing(ThreadID("thread-1"))])
      let alone = try await server.exchange(GatewayServer.chat("one-off"))
      #expect(alone.field("x-bridge-session-state") == "new")
      #expect(server.engine.started.last?.request.thread == .ephemeral)
    }
  }

  @Test @LoopActor
  func everyNameOfASessionIDIsTaken() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      // From the one that counts most.
      var left = [
        "session_id", "conversation_id", "thread_id", "x-session-id", "session-id", "x-conversation-id",
        "x-thread-id",
        "x-openwebui-chat-id", "x-session-affinity", "x-opencode-session", "x-litellm-session-id",
        "metadata.session_id", "x-user-id", "user",
      ]
      while let first = left.first {
        let response = try await server.exchange(Self.chat(namedBy: left.reversed()))
        #expect(response.field("x-bridge-session") == "by \(first)")
        #expect(response.field("x-bridge-session-source") == first)
        // Where a field that is made for it names the session, the metadata are not looked at.
        let isMadeForIt = ["session_id", "conversation_id", "thread_id"].contains(first)
        #expect(response.field("x-bridge-ignored") == (isMadeForIt ? "metadata" : nil))
        left.removeFirst()
      }
      let empty = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: ", "X-Thread-Id: t"]))
      #expect(empty.field("x-bridge-session") == "t")
    }
  }

  /// A request in which each of these fields names a session of its own.
  private static func chat(namedBy fields: [String]) -> String {
    var members = ""
    var head: [String] = []
    for field in fields {
      switch field {
      case "metadata.session_id": members += #","metadata":{"session_id":"by metadata.session_id"}"#
      case let field where field.contains("-"): head.append("\(field): by \(field)")
      default: members += ",\"\(field)\":\"by \(field)\""
      }
    }
    return GatewayServer.chat(more: members, fields: head)
  }

  @Test @LoopActor
  func metadataThatNameNoSessionAreLeftAlone() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for metadata in [#"{"session_id":5}"#, #"{"session_id":""}"#, #"{"topic":"a"}"#, "null", #""a""#] {
        let response = try await server.exchange(GatewayServer.chat(more: ",\"metadata\":\(metadata)"))
        #expect(response.status == 200)
        #expect(response.field("x-bridge-session") == nil)
        #expect(response.field("x-bridge-session-source") == nil)
      }
    }
  }

  @Test @LoopActor
  func aTaskOfAFrontEndIsNoPartOfTheConversation() async throws {
    try await GatewayServer.run(["CODEX_REQUIRE_SESSION_ID": "true"]) { server in
      server.answerAll(["a"])
      for (task, isPart) in [("", true), ("title_generation", false), ("", true)] {
        let response = try await server.exchange(
          GatewayServer.chat(fields: ["X-Session-Id: chat", "X-Bridge-Task: \(task)"]))
        #expect(response.status == 200)
        #expect(response.field("x-bridge-session") == (isPart ? "chat" : nil))
      }
      let threads = server.engine.started.map(\.request.thread)
      #expect(threads == [.persistent, .ephemeral, .existing(ThreadID("thread-1"))])
      #expect(try await server.sessions.count() == 1)
    }
  }

  @Test(arguments: [
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Guidelines:",
    "\n### Task:\nSuggest 3-5 relevant follow-up questions",
    "### Task:\nPredict 3-5 useful messages this user might naturally send next",
    "### Task:\nSummarize the conversation history that will be compacted out of the active chat context.",
    "### Task:\nGenerate 1-3 broad tags categorizing",
    "Provide a concise, 5-word-or-less title for the conversation, using title case", "Name my chat: hello",
  ])
  @LoopActor
  func aPromptOfAFrontEndIsATask(_ prompt: String) async throws {
    try await GatewayServer.run(["CODEX_TASK_OPENINGS": "Name my chat; Tag it", "CODEX_REASONING": "high"]) {
      server in
      server.answerAll(["a"])
      let response = try await server.exchange(
        GatewayServer.chat(prompt, more: ",\"tools\":\(Self.tool)", fields: ["X-OpenWebUI-Chat-Id: chat"]))
      #expect(response.status == 200)
      #expect(response.field("x-bridge-session") == nil)
      let turn = try #require(server.engine.started.last)
      #expect(turn.profile.kind == .chat)
      #expect(turn.profile.sandbox == .readOnly)
      #expect(turn.request.thread == .ephemeral)
      #expect(turn.request.effort == "low")
      #expect(!turn.hasTools)
      #expect(try await server.sessions.count() == 0)
    }
  }

  private static let tool = #"[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]"#

  @Test(arguments: [
    ("### Task:\nRespond to the user query using the provided context", "false", ""),
    ("### Task:\nGenerate a concise, 3-5 word title", "true", ""),
    ("Explain '### Task:\nGenerate a concise'", "false", ""),
  ])
  @LoopActor
  func whatAPersonSaysIsNoTask(_ prompt: String, _ stream: String, _ more: String) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let response = try await server.exchange(
        GatewayServer.chat(prompt, stream: stream == "true", more: more, fields: ["X-OpenWebUI-Chat-Id: chat"]))
      #expect(response.field("x-bridge-session") == "chat")
      #expect(server.engine.started.last?.profile.kind == .agent)
    }
  }

  @Test @LoopActor
  func aTaskWaitsBehindNoTurn() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1", "CODEX_SESSION_QUEUE": "0"]) { server in
      let client = try await server.connect()
      client.send(session("takes minutes", stream: true))
      _ = try await server.turn(1)
      let task = try await server.connect()
      task.send(
        GatewayServer.chat("title", more: #","session_id":"s""#, fields: ["X-Bridge-Task: title_generation"]))
      #expect(try await server.turn(2).profile.kind == .chat)
      // A turn that never ends would hold all that it needs.
      for turn in server.engine.started { turn.answer(["done"]) }
      #expect(await task.responses(1).first?.status == 200)
      client.close()
      task.close()
    }
  }

  // MARK: Two conversations never become one

  /// Requests are texts here; bytes that are not UTF-8 have to be put in afterwards.
  private func latin1(_ request: String, _ byte: UInt8) -> [UInt8] {
    Array(request.utf8).flatMap { $0 == UInt8(ascii: "~") ? [byte] : [$0] }
  }

  @Test(arguments: [
    "X-Session-Id", "session-id", "X-Conversation-Id", "X-Thread-Id", "X-User-Id", "X-Bridge-Task",
  ])
  @LoopActor
  func anIDThatIsNotUTF8IsRefused(_ field: String) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for byte in [0xF6, 0xFC] as [UInt8] {
        let client = try await server.connect()
        client.send(latin1(GatewayServer.chat(fields: ["\(field): m~ller"]), byte))
        let response = try #require(await client.responses(1).first)
        #expect(response.status == 400)
        #expect(response.error("param") == .string(field.lowercased()))
        client.close()
      }
      #expect(server.engine.started.isEmpty)
      let response = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: müller"]))
      #expect(response.status == 200)
      #expect(try await server.sessions.record("müller") != nil)
    }
  }

  @Test @LoopActor
  func otherNamesThatAreNotUTF8AreNobodys() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: m\u{FFFD}ller"]))
      let requests = [
        (GatewayServer.request("GET", "/v1/sessions/m~ller"), 400),
        (GatewayServer.request("GET", "/v1/sessions?after=m~ller"), 400),
        (GatewayServer.request("GET", "/v1/sessions", ["Authorization: Bearer m~ller"], key: nil), 401),
        (GatewayServer.request("GET", "/health", ["X-Request-Id: m~ller"], key: nil), 200),
      ]
      for (request, status) in requests {
        let client = try await server.connect()
        client.send(latin1(request, 0xFC))
        let response = try #require(await client.responses(1).first)
        #expect(response.status == status)
        #expect(response.field("x-request-id")?.contains("ller") == false)
        client.close()
      }
    }
  }

  @Test(arguments: ["{{CHAT_ID}}", "${id}", "{chat_id}", "undefined", "null", "None", "[object Object]"])
  @LoopActor
  func anUnfilledTemplateIsNoSession(_ value: String) async throws {
    try await GatewayServer.run(["CODEX_CONTINUE": "off"]) { server in
      server.answerAll(["a"])
      let fields = ["X-Session-Id: \(value)"]
      for _ in 0..<2 {
        let response = try await server.exchange(GatewayServer.chat(fields: fields))
        #expect(response.field("x-bridge-session") == nil)
        #expect(response.field("x-bridge-ignored") == "x-session-id")
      }
      let body = try await server.exchange(
        GatewayServer.chat(more: #","session_id":"\#(value)","user":"\#(value)""#))
      #expect(body.field("x-bridge-session") == nil)
      #expect(body.field("x-bridge-ignored") == "session_id, user")
      #expect(server.engine.started.allSatisfy { $0.request.thread == .ephemeral })
      // What comes after it in the order of names is taken.
      let other = try await server.exchange(
        GatewayServer.chat(more: #","session_id":"\#(value)""#, fields: ["X-Thread-Id: t"] + fields))
      #expect(other.field("x-bridge-session") == "t")
      // Nor is it a task: every chat would be one-off.
      let task = try await server.exchange(
        GatewayServer.chat(more: #","session_id":"s""#, fields: ["X-Bridge-Task: \(value)"]))
      #expect(task.field("x-bridge-session") == "s")
      #expect(task.field("x-bridge-ignored") == "x-bridge-task")
    }
  }

  @Test @LoopActor
  func anUnfilledTemplateIsNoIDWhereOneIsRequired() async throws {
    try await GatewayServer.run(["CODEX_REQUIRE_SESSION_ID": "true"]) { server in
      let response = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: {{CHAT_ID}}"]))
      #expect(response.status == 400)
      #expect(response.error("code") == "missing_session_id")
      #expect(response.error("message")?.stringValue?.contains("'x-session-id'") == true)
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func temporaryChatsAreOneOff(_ isRequired: Bool) async throws {
    try await GatewayServer.run(["CODEX_REQUIRE_SESSION_ID": "\(isRequired)"]) { server in
      server.answerAll(["a"])
      for id in ["temporary:socket", "local:1", "temporary:socket"] {
        let response = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: \(id)"]))
        #expect(response.status == 200)
        #expect(response.field("x-bridge-session") == nil)
      }
      #expect(server.engine.started.allSatisfy { $0.request.thread == .ephemeral })
      #expect(try await server.sessions.count() == 0)
    }
  }

  private func session(_ messages: String, model: String) -> String {
    GatewayServer.chat(body: #"{"session_id":"s","model":"\#(model)","messages":[\#(messages)]}"#)
  }

  private let one = #"{"role":"user","content":"1"}"#
  private let answer = #"{"role":"assistant","content":"a"}"#

  /// Two models that are asked side by side do not hear each other's answers.
  @Test @LoopActor
  func eachModelOfASessionHasAThread() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      var restarts: [String?] = []
      for messages in [one, "\(one),\(answer),\(one)"] {
        for model in ["gpt-test", "gpt-other"] {
          let response = try await server.exchange(session(messages, model: model))
          restarts.append(response.field("x-bridge-session-restarted"))
        }
      }
      #expect(
        server.engine.started.map(\.request.thread) == [
          .persistent, .persistent, .existing(ThreadID("thread-1")), .existing(ThreadID("thread-2")),
        ])
      #expect(restarts == [nil, "model-changed", nil, nil])
      #expect(try await server.sessions.record("s")?.thread == ThreadID("thread-2"))
      // A request without a model goes on with the one used last.
      let history = "\(one),\(answer),\(one),\(answer),\(one)"
      _ = try await server.exchange(GatewayServer.chat(body: #"{"session_id":"s","messages":[\#(history)]}"#))
      #expect(server.engine.started.last?.request.thread == .existing(ThreadID("thread-2")))
      let gone = try await server.exchange(GatewayServer.request("DELETE", "/v1/sessions/s"))
      #expect(gone.status == 200)
      _ = try await server.exchange(session(one, model: "gpt-test"))
      #expect(server.engine.started.last?.request.thread == .persistent)
    }
  }

  /// Whoever comes back to a model after others have answered tells it what it has missed.
  @Test @LoopActor
  func aThreadThatHasMissedAnAnswerIsNotContinued() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let turn = "\(one),\(answer)"
      _ = try await server.exchange(session(one, model: "gpt-test"))
      _ = try await server.exchange(session("\(turn),\(one)", model: "gpt-other"))
      let back = try await server.exchange(session("\(turn),\(turn),\(one)", model: "gpt-test"))
      #expect(back.field("x-bridge-session-restarted") == "model-changed")
      #expect(back.field("x-bridge-session-state") == "restarted")
      let plan = try #require(server.engine.started.last?.request)
      #expect(plan.thread == .persistent)
      #expect(plan.history.count == 4)
    }
  }

  /// A client that sends only what is new has the two threads that it asked for.
  @Test @LoopActor
  func messagesAloneGoOnInTheThreadOfTheirModel() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for model in ["gpt-test", "gpt-other", "gpt-test"] {
        _ = try await server.exchange(session(one, model: model))
      }
      let alone = try await server.exchange(session(one, model: "gpt-other"))
      #expect(alone.field("x-bridge-session-restarted") == nil)
      #expect(server.engine.started.last?.request.thread == .existing(ThreadID("thread-2")))
    }
  }

  /// A thread that is loaded again needs the prompt that its session was told, whoever asks for the turn.
  @Test @LoopActor
  func theSystemPromptIsRemembered() async throws {
    let system = #"{"role":"system","content":"Be brief."},"#
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      _ = try await server.exchange(session(system + one, model: "gpt-test"))
      _ = try await server.exchange(session(one, model: "gpt-test"))
      let plan = try #require(server.engine.started.last?.request)
      #expect(plan.thread == .existing(ThreadID("thread-1")))
      // The engine has let go of it by now; what it was told is on disk.
      #expect(try await server.sessions.record("s")?.prompt?.text == "Be brief.")
      #expect(server.directory.read(".codex_threads.json")?.contains("Be brief.") == true)
      // Another model's thread of the session is told too.
      var told: String?
      server.engine.script = {
        told = $0.request.instructions; $0.answer(["a"])
      }
      _ = try await server.exchange(session(one, model: "gpt-other"))
      #expect(told == "Be brief.")
      _ = try await server.exchange(session(one, model: "gpt-test"))
      #expect(told == "Be brief.")
    }
  }

  @Test @LoopActor
  func theSessionIsOnDiskBeforeTheEndIsSent() async throws {
    try await GatewayServer.run { server in
      for (number, isStream) in [true, false].enumerated() {
        let client = try await server.connect()
        client.send(session("hi", id: "id-\(number)", stream: isStream))
        let turn = try await server.turn(number + 1)
        turn.answer(["a"])
        var map: String?
        await client.wait {
          guard $0.contains(isStream ? "[DONE]" : "chat.completion") else { return false }
          map = map ?? server.directory.read(".codex_threads.json") ?? ""
          return true
        }
        let sessions = (try? JSONValue(parsing: map ?? ""))?["sessions"]
        #expect(sessions?["id-\(number)"] == .string("thread-\(number + 1)"))
        client.close()
      }
    }
  }

  // MARK: Queues

  @Test @LoopActor
  func requestsOfOneSessionRunInOrderOneAtATime() async throws {
    try await GatewayServer.run { server in
      var clients: [TestClient] = []
      for number in 1...3 {
        let client = try await server.connect()
        client.send(session("m\(number)"))
        clients.append(client)
        #expect(await eventually { self.places(server) == number })
      }
      for number in 1...3 {
        let turn = try await server.turn(number)
        #expect(text(turn) == "m\(number)")
        #expect(server.engine.started.count == number)
        turn.answer(["a\(number)"])
        let response = try #require(await clients[number - 1].responses(1).first)
        #expect(response.json["choices"]?.arrayValue?.first?["message"]?["content"] == .string("a\(number)"))
      }
      for client in clients { client.close() }
      #expect(await eventually { self.places(server) == 0 })
    }
  }

  @LoopActor
  private func places(_ server: GatewayServer) -> Int {
    server.sessions.waitingCount("s") + (server.sessions.isRunning("s") ? 1 : 0)
  }

  @Test @LoopActor
  func sessionsDoNotWaitForEachOther() async throws {
    try await GatewayServer.run { server in
      let first = try await server.connect()
      first.send(session("slow", id: "a"))
      let slow = try await server.turn(1)
      server.answerAll(["quick"])
      #expect(await server.status(session("quick", id: "b")) == 200)
      slow.answer(["done"])
      #expect(await first.responses(1).first?.status == 200)
      first.close()
    }
  }

  @Test @LoopActor
  func aFullSessionQueueIsA429() async throws {
    try await GatewayServer.run(["CODEX_SESSION_QUEUE": "1"]) { server in
      let clients = [try await server.connect(), try await server.connect()]
      for (number, client) in clients.enumerated() {
        client.send(session("m"))
        #expect(await eventually { self.places(server) == number + 1 })
      }
      expectQueueFull(try await server.exchange(session("m")), variable: "CODEX_SESSION_QUEUE")
      expectQueueFull(try await server.exchange(session("m", stream: true)), variable: "CODEX_SESSION_QUEUE")
      for number in 1...2 { try await server.turn(number).answer(["a"]) }
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  @Test @LoopActor
  func aFullServerQueueIsA429() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1", "CODEX_MAX_QUEUE": "1"]) { server in
      let clients = [try await server.connect(), try await server.connect()]
      clients[0].send(GatewayServer.chat("first"))
      let first = try await server.turn(1)
      clients[1].send(GatewayServer.chat("second"))
      for _ in 0..<20 { await Loop.nextTurn() }
      expectQueueFull(try await server.exchange(GatewayServer.chat("third")), variable: "CODEX_MAX_QUEUE")
      // A session's place is given back too.
      expectQueueFull(try await server.exchange(session("third")), variable: "CODEX_MAX_QUEUE")
      #expect(places(server) == 0)
      first.answer(["a"])
      let second = try await server.turn(2)
      #expect(text(second) == "second")
      second.answer(["a"])
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  @LoopActor
  private func expectQueueFull(_ response: TestResponse, variable: String) {
    #expect(response.status == 429)
    #expect(response.error("code") == "rate_limit_exceeded")
    #expect(response.field("retry-after").flatMap { Int($0) } ?? 0 > 0)
    #expect(response.field("x-should-retry") == "true")
    #expect(response.error("message")?.stringValue?.contains(variable) == true)
  }

  /// What Codex's list says cannot be answered does not wait for what can, nor take its place.
  @Test(
    arguments: [
      (",\"model\":\"gpt-none\"", 404, "model_not_found"),
      (",\"model\":\"gpt-test\",\"reasoning_effort\":\"banana\"", 400, "unsupported_value"),
    ] as [(String, Int, String?)]) @LoopActor
  func aRequestWithoutHopeDoesNotQueue(_ more: String, _ status: Int, _ code: String?) async throws {
    try await GatewayServer.run(["CODEX_SESSION_QUEUE": "0"], paces: Paces(startWait: .zero)) { server in
      let client = try await server.connect()
      client.send(session("running"))
      let turn = try await server.turn(1)
      for fields in [["X-Session-Id: s"], []] {
        let refused = try await server.exchange(GatewayServer.chat(more: more, fields: fields))
        #expect(refused.status == status)
        #expect(refused.error("code") == .text(code))
      }
      #expect(places(server) == 1)
      turn.answer(["a"])
      #expect(await client.responses(1).first?.status == 200)
      client.close()
    }
  }

  @Test @LoopActor
  func aClientThatLeavesLeavesTheQueues() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"]) { server in
      let first = try await server.connect()
      first.send(session("first"))
      let turn = try await server.turn(1)
      for request in [session("gone"), session("gone", stream: true), GatewayServer.chat("gone")] {
        let leaving = try await server.connect()
        leaving.send(request)
        for _ in 0..<20 { await Loop.nextTurn() }
        leaving.close()
        #expect(await eventually { server.connectionCount == 1 })
      }
      #expect(places(server) == 1)
      let last = try await server.connect()
      last.send(session("last"))
      #expect(await eventually { self.places(server) == 2 })
      turn.answer(["a"])
      let next = try await server.turn(2)
      #expect(text(next) == "last")
      next.answer(["b"])
      #expect(await last.responses(1).first?.status == 200)
      #expect(server.engine.started.count == 2)
      first.close()
      last.close()
    }
  }

  // MARK: Clients that leave mid-turn

  @Test(arguments: [true, false]) @LoopActor
  func aClientThatLeavesInterruptsItsTurn(_ isStream: Bool) async throws {
    try await GatewayServer.run(["CODEX_RETRY_GRACE": "50ms"]) { server in
      let client = try await server.connect()
      client.send(session("hi", stream: isStream))
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("a")))
      if isStream { await client.wait { $0.contains(#""content":"a""#) } }
      client.close()
      #expect(await eventually { turn.isInterrupted })
      // Its places are free again and its session goes on.
      server.answerAll(["b"])
      #expect(await server.status(session("again")) == 200)
      #expect(server.engine.started.last?.request.thread == .existing(ThreadID("thread-1")))
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func aTurnMayBeFinishedForAClientThatHasLeft(_ isStream: Bool) async throws {
    try await GatewayServer.run(["CODEX_ON_DISCONNECT": "finish"]) { server in
      let client = try await server.connect()
      client.send(session("hi", stream: isStream))
      let turn = try await server.turn(1)
      if isStream { await client.wait { $0.contains("assistant") } }
      client.close()
      for _ in 0..<30 { await Loop.nextTurn() }
      for _ in 0..<20 {
        turn.events.push(.answer(EscapedText("text")))
        await Loop.nextTurn()
      }
      #expect(!turn.isInterrupted)
      #expect(places(server) == 1)
      turn.answer(["end"])
      #expect(await eventually { self.places(server) == 0 })
      #expect(try await server.sessions.record("s")?.thread == ThreadID("thread-1"))
    }
  }

  @Test @LoopActor
  func aClientThatClosesAfterDoneHasNotCancelled() async throws {
    try await GatewayServer.run { server in
      for number in 1...20 {
        let client = try await server.connect()
        client.send(session("hi", stream: true))
        let turn = try await server.turn(number)
        turn.answer(["a"])
        await client.wait { $0.contains("[DONE]") }
        client.close()
        #expect(await eventually { server.connectionCount == 0 })
        #expect(!turn.isInterrupted)
      }
    }
  }

  /// It waits for its turn to be sent to, not for its client.
  @Test @LoopActor
  func aStreamThatIsSentMuchBesideManyOthersIsNotDropped() async throws {
    let others = 400
    let settings = ["CODEX_MAX_CONCURRENT_TURNS": "500", "CODEX_MAX_QUEUE": "500"]
    try await GatewayServer.run(settings) { server in
      var clients: [TestClient] = []
      for number in 0...others {
        let client = try await server.connect()
        client.send(GatewayServer.chat("\(number)", stream: true))
        clients.append(client)
      }
      let last = try await server.turn(others + 1)
      let turns = server.engine.started
      let piece = String(repeating: "x", count: 48 * 1024)
      for _ in 0..<20 {
        for turn in turns where turn !== last { turn.events.push(.answer(EscapedText("t "))) }
        last.events.push(.answer(EscapedText(piece)))
        await Loop.nextTurn()
      }
      #expect(!last.isInterrupted)
      for turn in turns { turn.answer([]) }
      for (turn, client) in zip(turns, clients) where turn === last {
        let response = try #require(await client.responses(1).first)
        #expect(ChatEvents(response.body).contents.joined().utf8.count == 20 * piece.utf8.count)
      }
      for client in clients { client.close() }
    }
  }

  @Test @LoopActor
  func aSlowReaderIsDroppedAndOthersGoOn() async throws {
    try await GatewayServer.run { server in
      let slow = try await server.connect()
      slow.send(GatewayServer.chat("slow", stream: true))
      let slowTurn = try await server.turn(1)
      await slow.wait { $0.contains("assistant") }
      slow.pauseReading()
      let other = try await server.connect()
      other.send(GatewayServer.chat("other", stream: true))
      let otherTurn = try await server.turn(2)
      let piece = EscapedText(String(repeating: "x", count: 16 * 1024))
      var pushed = 0
      while !slowTurn.isInterrupted, pushed < 4000 {
        slowTurn.events.push(.answer(piece))
        otherTurn.events.push(.answer(EscapedText("t\(pushed) ")))
        pushed += 1
        await Loop.nextTurn()
      }
      #expect(slowTurn.isInterrupted, "64 MB were taken for a client that reads nothing")
      #expect(!otherTurn.isInterrupted)
      otherTurn.answer([])
      let response = try #require(await other.responses(1).first)
      let events = ChatEvents(response.body)
      #expect(events.problems == [])
      #expect(events.contents == (0..<pushed).map { "t\($0) " })
      #expect(await eventually { server.connectionCount == 1 }, "the slow reader's connection stays")
      slow.close()
      other.close()
    }
  }

  /// Its turn is over: what that holds is free for others, however slowly it reads the rest.
  @Test @LoopActor
  func aSlowReaderKeepsNoPlaceWhenItsTurnHasEnded() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"]) { server in
      let slow = try await server.connect()
      slow.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      await slow.wait { $0.contains("assistant") }
      slow.pauseReading()
      // More than the kernel takes for a peer that does not read, in one turn of the loop.
      let pieces = (0..<400).map { _ in String(repeating: "x", count: 32 * 1024) }
      turn.answer(pieces)
      let other = try await server.connect()
      other.send(GatewayServer.chat())
      try await server.turn(2).answer(["second"])
      #expect(await other.responses(1).first?.status == 200)
      slow.resumeReading()
      await slow.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
      let response = try #require(TestResponse.parse(bytes: slow.received).first)
      let isWhole = ChatEvents(response.body).content == pieces.joined()
      #expect(isWhole)
      slow.close()
      other.close()
    }
  }

  /// A client that reads late but within the bound loses nothing.
  @Test @LoopActor
  func aReaderThatIsLateGetsEverything() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      await client.wait { $0.contains("assistant") }
      client.pauseReading()
      for number in 0..<300 {
        turn.events.push(.answer(EscapedText("\(number) " + String(repeating: "y", count: 500))))
        if number.isMultiple(of: 10) { await Loop.nextTurn() }
      }
      turn.answer([])
      for _ in 0..<10 { await Loop.nextTurn() }
      client.resumeReading()
      let response = try #require(await client.responses(1).first)
      let events = ChatEvents(response.body)
      #expect(events.problems == [])
      #expect(events.contents.count == 300)
      #expect(!turn.isInterrupted)
      client.close()
    }
  }
}
