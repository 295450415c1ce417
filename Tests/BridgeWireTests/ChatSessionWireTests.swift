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
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for number in 1...3 {
        let response = try await server.exchange(session("m\(number)"))
        #expect(response.field("x-bridge-session") == "s")
      }
      let threads = server.engine.started.map(\.request.thread)
      #expect(threads == [.persistent, .existing(ThreadID("thread-1")), .existing(ThreadID("thread-1"))])
      _ = try await server.exchange(GatewayServer.chat("one-off"))
      #expect(server.engine.started.last?.request.thread == .ephemeral)
    }
  }

  @Test @LoopActor
  func everyNameOfASessionIDIsTaken() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for field in ["x-session-id", "session-id", "x-conversation-id", "x-thread-id", "x-user-id"] {
        let response = try await server.exchange(GatewayServer.chat(fields: ["\(field): by-\(field)"]))
        #expect(response.field("x-bridge-session") == "by-\(field)")
      }
      for field in ["session_id", "conversation_id", "thread_id", "user"] {
        let response = try await server.exchange(
          GatewayServer.chat(more: ",\"\(field)\":\"by-\(field)\"", fields: ["X-Session-Id: other"]))
        #expect(response.field("x-bridge-session") == "by-\(field)")
      }
      let all = try await server.exchange(
        GatewayServer.chat(more: #","user":"d","thread_id":"c","conversation_id":"b","session_id":"a""#))
      #expect(all.field("x-bridge-session") == "a")
      let empty = try await server.exchange(GatewayServer.chat(fields: ["X-Session-Id: ", "X-Thread-Id: t"]))
      #expect(empty.field("x-bridge-session") == "t")
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
      #expect(server.sessions.count == 1)
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
      (",\"model\":\"gpt-test\",\"reasoning_effort\":\"banana\"", 400, nil),
    ] as [(String, Int, String?)]) @LoopActor
  func aRequestWithoutHopeDoesNotQueue(_ more: String, _ status: Int, _ code: String?) async throws {
    try await GatewayServer.run(["CODEX_SESSION_QUEUE": "0", "CODEX_START_WAIT": "0"]) { server in
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
    try await GatewayServer.run { server in
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
      #expect(server.sessions.record("s")?.thread == ThreadID("thread-1"))
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
