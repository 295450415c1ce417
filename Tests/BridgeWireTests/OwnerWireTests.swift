// Several keys on one bridge: what one makes, another can neither see nor use, and none keeps the others waiting.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct OwnerWireTests {
  private static let settings = ["CODEX_BRIDGE_API_KEY": "alice-key,bob-key"]

  private func chat(_ text: String, session: String? = nil, stream: Bool = false, key: String) -> String {
    let more = session.map { #","session_id":"\#($0)""# } ?? ""
    return GatewayServer.chat(text, stream: stream, more: more, key: key)
  }

  private func sessions(_ server: GatewayServer, key: String) async throws -> [String] {
    let response = try await server.exchange(GatewayServer.request("GET", "/v1/sessions", key: key))
    return (response.json["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
  }

  @Test @LoopActor
  func oneIdOfTwoKeysIsTwoConversations() async throws {
    try await GatewayServer.run(Self.settings) { server in
      server.answerAll(["a"])
      for key in ["alice-key", "bob-key", "alice-key"] {
        #expect(await server.status(chat("m", session: "s", key: key)) == 200)
      }
      let threads = server.engine.started.map { $0.threadID?.raw }
      #expect(threads == ["thread-1", "thread-2", "thread-1"])
      #expect(server.engine.started[1].request.thread == .persistent)
    }
  }

  @Test @LoopActor
  func anotherKeySeesAndDeletesNothing() async throws {
    try await GatewayServer.run(Self.settings) { server in
      server.answerAll(["a"])
      #expect(await server.status(chat("m", session: "hers", key: "alice-key")) == 200)
      let (hers, his) = (try await sessions(server, key: "alice-key"), try await sessions(server, key: "bob-key"))
      #expect(hers == ["hers"])
      #expect(his == [])
      for method in ["GET", "DELETE"] {
        #expect(await server.status(GatewayServer.request(method, "/v1/sessions/hers", key: "bob-key")) == 404)
      }
      let after = GatewayServer.request("GET", "/v1/sessions?after=hers", key: "bob-key")
      #expect(await server.status(after) == 400)
      #expect(await server.status(GatewayServer.request("GET", "/v1/sessions/hers", key: "alice-key")) == 200)
    }
  }

  @Test @LoopActor
  func theDashboardShowsOnlyOnesOwn() async throws {
    try await GatewayServer.run(Self.settings) { server in
      let client = try await server.connect()
      client.send(chat("m", session: "hers", key: "alice-key"))
      let turn = try await server.turn(1)
      let shown = { (key: String) async throws -> String in
        try await server.exchange(GatewayServer.request("GET", "/api/dashboard", key: key)).body
      }
      let (hers, his) = (try await shown("alice-key"), try await shown("bob-key"))
      #expect(hers.contains("\"hers\""))
      #expect(!his.contains("hers"))
      let counts = try JSONValue(parsing: his)["turns"]
      #expect(counts?["running_count"] == 1 && counts?["own_count"] == 0)
      let stop = GatewayServer.request("POST", "/api/turns/\(turn.requestID)/stop", key: "bob-key")
      #expect(await server.status(stop) == 404)
      #expect(!turn.isInterrupted)
      turn.answer(["a"])
      #expect(await client.responses(1).first?.status == 200)
      client.close()
    }
  }

  @Test @LoopActor
  func theFeedsOfOneKeyLeaveRoomForAnother() async throws {
    try await GatewayServer.run(Self.settings) { server in
      var viewers: [TestClient] = []
      for _ in 0..<16 {
        let viewer = try await server.connect()
        viewer.send(GatewayServer.request("GET", "/api/events", key: "alice-key"))
        await viewer.wait { $0.contains("data: {") }
        viewers.append(viewer)
      }
      #expect(await server.status(GatewayServer.request("GET", "/api/events", key: "alice-key")) == 503)
      let his = try await server.connect()
      his.send(GatewayServer.request("GET", "/api/events", key: "bob-key"))
      await his.wait { $0.contains("data: {") }
      #expect(his.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
      for viewer in viewers + [his] { viewer.close() }
    }
  }

  /// Requests of `key`, one connection each.
  @LoopActor
  private func send(_ count: Int, key: String, _ server: GatewayServer) async throws -> [TestClient] {
    var clients: [TestClient] = []
    for _ in 0..<count {
      let client = try await server.connect()
      client.send(chat(key, key: key))
      clients.append(client)
    }
    return clients
  }

  @Test @LoopActor
  func aBusyKeyLeavesRoomForOthers() async throws {
    var settings = Self.settings
    settings["CODEX_MAX_CONCURRENT_TURNS"] = "4"
    settings["CODEX_MAX_QUEUE"] = "8"
    try await GatewayServer.run(settings) { server in
      var clients = try await send(9, key: "alice-key", server)
      _ = try await server.turn(3)
      // Her share of the queue is full, the queue is not.
      #expect(await server.status(chat("m", key: "alice-key")) == 429)
      clients += try await send(1, key: "bob-key", server)
      let his = try await server.turn(4)
      #expect(his.request.input == [.text("bob-key")])
      // He waits with them from here on, and is next although he came last.
      clients += try await send(1, key: "bob-key", server)
      for _ in 0..<20 { await Loop.nextTurn() }
      for number in 1...11 { try await server.turn(number).answer(["a"]) }
      let order = server.engine.started.map(\.request.input)
      let last = try #require(order.lastIndex(of: [.text("bob-key")]))
      #expect(last <= 5)
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  @Test @LoopActor
  func aKeyMayBeGivenALimit() async throws {
    var settings = Self.settings
    settings["CODEX_MAX_TURNS_PER_KEY"] = "1"
    try await GatewayServer.run(settings) { server in
      let clients = try await send(2, key: "alice-key", server)
      let first = try await server.turn(1)
      for _ in 0..<20 { await Loop.nextTurn() }
      #expect(server.engine.started.count == 1)
      first.answer(["a"])
      try await server.turn(2).answer(["b"])
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  @Test @LoopActor
  func oneWhoStreamsIsToldItsPlace() async throws {
    let paces = Paces(queueNotice: .milliseconds(20))
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"], paces: paces) { server in
      let clients = [try await server.connect(), try await server.connect(), try await server.connect()]
      for (number, client) in clients.enumerated() {
        client.send(GatewayServer.chat("\(number)", stream: number > 0))
        for _ in 0..<20 { await Loop.nextTurn() }
      }
      let first = try await server.turn(1)
      await clients[1].wait { $0.contains(": queued, 0 before this one\n") }
      await clients[2].wait { $0.contains(": queued, 1 before this one\n") }
      #expect(clients[2].text.hasPrefix("HTTP/1.1 200 OK\r\n"))
      first.answer(["a"])
      await clients[2].wait { $0.contains(": queued, 0 before this one\n") }
      try await server.turn(2).answer(["b"])
      try await server.turn(3).answer(["c"])
      for (client, content) in zip(clients.dropFirst(), ["b", "c"]) {
        let response = try #require(await client.responses(1).first)
        let events = ChatEvents(response.body)
        #expect(events.problems == [])
        #expect(events.content == content)
      }
      for client in clients { client.close() }
    }
  }

  /// Its head has gone out, so the refusal has to be an event.
  @Test @LoopActor
  func aRefusalAfterTheNoticeIsAnEvent() async throws {
    let paces = Paces(queueNotice: .milliseconds(20))
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"], paces: paces) { server in
      let clients = [try await server.connect(), try await server.connect()]
      clients[0].send(GatewayServer.chat("first"))
      let first = try await server.turn(1)
      clients[1].send(GatewayServer.chat("second", stream: true))
      await clients[1].wait { $0.contains(": queued") }
      server.engine.refusals = [.overloaded]
      first.answer(["a"])
      let response = try #require(await clients[1].responses(1).first)
      let events = ChatEvents(response.body)
      #expect(events.error?["code"] == "overloaded")
      #expect(response.body.hasSuffix("data: [DONE]\n\n"))
      for client in clients { client.close() }
    }
  }
}
