// GET /v1/responses with Upgrade: a request a message, an event a message, and errors that leave the socket open (responses.md §9).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ResponseSocketWireTests {
  private static let authorization = ["Authorization: Bearer \(GatewayServer.key)"]

  @LoopActor
  private func connect(_ server: GatewayServer) async throws -> WebSocketClient {
    try await WebSocketClient.connect(port: server.port, "/v1/responses", Self.authorization)
  }

  private func create(_ text: String, _ more: String = "") -> [UInt8] {
    ClientFrame.text(#"{"type":"response.create","input":"\#(text)"\#(more)}"#)
  }

  /// Waits for the end of `count` responses and returns all messages.
  @LoopActor
  private func messages(_ client: WebSocketClient, ends count: Int) async -> [String] {
    let isEnd = { (text: String) in text.hasPrefix(#"{"type":"response.completed""#) }
    var texts: [String] = []
    var wanted = 1
    while texts.count(where: isEnd) < count {
      let next = await client.texts(wanted)
      guard next.count >= wanted else { break }
      texts = next
      wanted = texts.count + 1
    }
    return texts
  }

  @Test @LoopActor
  func aMessageIsARequestAndEachEventAMessage() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["Hel", "lo"])
      let client = try await connect(server)
      client.send(create("hi", #","stream":false"#))
      let events = ResponseEvents(messages: await messages(client, ends: 1))
      #expect(events.problems == [] && events.deltas == ["Hel", "lo"])
      #expect(await server.status(GatewayServer.stored(try #require(events.id))) == 200)
      client.close()
    }
  }

  @Test @LoopActor
  func oneIsAnsweredAfterTheOther() async throws {
    try await GatewayServer.run { server in
      let client = try await connect(server)
      client.send(create("one"), create("two"))
      try await server.turn(1).answer(["a"])
      try await server.turn(2).answer(["b"])
      let texts = await messages(client, ends: 2)
      let end = try #require(texts.firstIndex { $0.hasPrefix(#"{"type":"response.completed""#) })
      for (part, delta) in [(texts[...end], "a"), (texts[(end + 1)...], "b")] {
        let events = ResponseEvents(messages: Array(part))
        #expect(events.problems == [] && events.deltas == [delta])
      }
      client.close()
    }
  }

  /// Whatever was wrong, the next message is answered.
  @Test(
    arguments: [
      ("{", nil), ("", nil), ("[]", nil), ("5", nil), (#"{"input":"hi"}"#, "type"),
      (#"{"type":"session.update"}"#, "type"), (#"{"type":5,"input":"hi"}"#, "type"),
      (#"{"type":"response.create"}"#, "input"), (#"{"type":"response.create","input":5}"#, "input"),
      (#"{"type":"response.create","input":"hi","previous_response_id":"resp_x"}"#, "previous_response_id"),
      (#"{"type":"response.create","input":"hi","generate":1}"#, "generate"),
      (#"{"type":"response.create","input":"hi","model":"none"}"#, "model"),
    ] as [(String, String?)])
  @LoopActor
  func anErrorLeavesTheSocketOpen(_ message: String, _ param: String?) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let client = try await connect(server)
      client.send(ClientFrame.text(message))
      let event = try JSONValue(parsing: try #require(await client.texts(1).first))
      #expect(event["type"] == "error" && [400, 404].contains(event["status"]?.intValue ?? 0))
      #expect(event["error"]?["message"]?.stringValue?.isEmpty == false)
      for name in ["type", "code", "param"] { #expect(event["error"]?[name] != nil) }
      if let param { #expect(event["error"]?["param"] == .string(param)) }
      client.send(create("hi"))
      let events = ResponseEvents(messages: Array(await messages(client, ends: 1).dropFirst()))
      #expect(events.problems == [] && events.deltas == ["a"])
      client.close()
    }
  }

  @Test @LoopActor
  func aFailureLeavesTheSocketOpen() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.ended(.failed(.crashed)))
      }
      let client = try await connect(server)
      client.send(create("one"))
      await client.connection.wait { $0.contains(#"{"type":"response.failed""#) }
      let failed = await client.texts(1)
      #expect(ResponseEvents(messages: failed).problems == [])
      server.answerAll(["a"])
      client.send(create("two"))
      #expect(
        ResponseEvents(messages: Array(await messages(client, ends: 1).dropFirst(failed.count))).deltas == ["a"])
      client.close()
    }
  }

  /// Nothing else keeps what was not stored: it goes on here, once, and nowhere else.
  @Test @LoopActor
  func whatIsNotStoredGoesOnOnTheSameSocket() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let client = try await connect(server)
      client.send(create("one", #","store":false"#))
      let first = await messages(client, ends: 1)
      let id = try #require(ResponseEvents(messages: first).id)
      let more = #","store":false,"previous_response_id":"\#(id)""#
      let elsewhere = GatewayServer.response(more: #","previous_response_id":"\#(id)""#)
      #expect(await server.status(elsewhere) == 400)
      client.send(create("two", more))
      let second = await messages(client, ends: 2)
      #expect(ResponseEvents(messages: Array(second.dropFirst(first.count))).problems == [])
      let told = try #require(server.engine.started.last).request
      #expect("\(told.history) \(told.input)".contains("one") && "\(told.history) \(told.input)".contains("two"))
      client.send(create("three", more))
      let third = await client.texts(second.count + 1)
      #expect(try JSONValue(parsing: try #require(third.last))["error"]?["code"] == "previous_response_not_found")
      client.close()
    }
  }

  /// Codex, as a client, first sends what the true request goes on from.
  @Test @LoopActor
  func nothingIsAnsweredToWhatOnlyComesBefore() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let client = try await connect(server)
      client.send(create("before", #","store":false,"generate":false"#))
      let first = await messages(client, ends: 1)
      let warm = ResponseEvents(messages: first)
      #expect(warm.problems == [] && warm.response?["output"] == [] && server.engine.started.isEmpty)
      client.send(create("now", #","store":false,"previous_response_id":"\#(try #require(warm.id))""#))
      let second = await messages(client, ends: 2)
      #expect(ResponseEvents(messages: Array(second.dropFirst(first.count))).deltas == ["a"])
      let told = try #require(server.engine.started.first).request
      #expect(
        "\(told.history) \(told.input)".contains("before") && "\(told.history) \(told.input)".contains("now"))
      client.close()
    }
  }

  @Test @LoopActor
  func whoIsNotAllowedOrDoesNotUpgradeGetsAnAnswer() async throws {
    try await GatewayServer.run { server in
      let plain = try await server.exchange(GatewayServer.request("GET", "/v1/responses"))
      #expect(plain.status == 426 && plain.field("upgrade")?.lowercased() == "websocket")
      #expect(plain.json["error"]?["message"]?.stringValue?.isEmpty == false)
      let refused = try await server.exchange(WebSocketClient.request("/v1/responses"))
      #expect(refused.status == 401)
    }
  }
}
