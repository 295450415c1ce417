// Messages that are told to the running turn of their session: which answer has what, and who waits after all.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct SteerWireTests {
  private typealias Server = GatewayServer

  private func chat(
    _ text: String, steers: Bool = false, stream: Bool = true, more: String = "", session: String = "s",
    key: String = GatewayServer.key
  ) -> String {
    Server.chat(
      text, stream: stream, more: #","session_id":"\#(session)""# + more,
      fields: steers ? ["X-Bridge-Steer: true"] : [], key: key)
  }

  @LoopActor
  private func say(_ turn: Turn, _ text: String) { turn.events.push(.answer(EscapedText(text))) }

  @LoopActor
  private func end(_ turn: Turn, input: Int = 7) {
    turn.events.push(.ended(.completed(TokenUsage(input: input, output: 1))))
  }

  /// What a client gets, which then leaves.
  @LoopActor
  private func response(_ client: TestClient) async throws -> TestResponse {
    let response = await client.responses(1).first
    client.close()
    return try #require(response)
  }

  @Test(arguments: [(true, true), (true, false), (false, true), (false, false)]) @LoopActor
  func theFirstAnswerIsWhatWasToldAndTheSecondTheRest(_ firstStreams: Bool, _ secondStreams: Bool) async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one", stream: firstStreams))
      let turn = try await server.turn(1)
      say(turn, "told so far")
      second.send(chat("two", steers: true, stream: secondStreams))
      let before = try await response(first)
      #expect(before.status == 200)
      #expect(answer(before, firstStreams) == "told so far|stop")
      #expect(server.sessions.isRunning("s"), "the turn keeps its place")
      say(turn, "the ")
      say(turn, "rest")
      end(turn)
      let after = try await response(second)
      #expect(answer(after, secondStreams) == "the rest|stop")
      #expect(after.field("x-bridge-steered") == "true")
      #expect(after.field("x-bridge-session-state") == "continued")
      #expect(after.field("x-bridge-ignored") == nil)
      #expect(server.engine.steered == [[.text("two")]])
      #expect(server.engine.started.count == 1)
      #expect(await eventually { !server.sessions.isRunning("s") })
      #expect(try await server.sessions.record("s")?.turns == 2)
      // The next one is a turn of its own.
      server.answerAll(["b"])
      #expect(await server.status(chat("three", steers: true)) == 200)
      #expect(server.engine.started.count == 2)
    }
  }

  /// Text and reason of the end.
  private func answer(_ response: TestResponse, _ streams: Bool) -> String {
    guard streams else {
      let choice = response.json["choices"]?.arrayValue?.first
      let text = choice?["message"]?["content"]?.stringValue ?? ""
      return "\(text)|\(choice?["finish_reason"]?.stringValue ?? "")"
    }
    let events = ChatEvents(response.body)
    return "\(events.content)|\(events.finishReasons.joined(separator: ","))"
  }

  @Test @LoopActor
  func aTurnThatHasSaidNothingYetIsSteeredToo() async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true))
      let before = try await response(first)
      #expect(answer(before, true) == "|stop")
      turn.answer(["all"])
      #expect(answer(try await response(second), true) == "all|stop")
    }
  }

  @Test @LoopActor
  func eachMessageTakesTheTurnFromTheOneBefore() async throws {
    try await Server.run { server in
      let first = try await server.connect()
      first.send(chat("m0"))
      let turn = try await server.turn(1)
      var client = first
      for number in 1...5 {
        say(turn, "part \(number)")
        let next = try await server.connect()
        next.send(chat("m\(number)", steers: true))
        #expect(answer(try await response(client), true) == "part \(number)|stop")
        client = next
      }
      turn.answer(["end"])
      #expect(answer(try await response(client), true) == "end|stop")
      #expect(server.engine.started.count == 1)
      #expect(server.engine.steered.count == 5)
    }
  }

  /// A front end sends the whole conversation back, and may have sent the beginning of the answer with the message.
  @Test(arguments: [true, false]) @LoopActor
  func theConversationGoesOnBehindBothAnswers(_ sendsWhatItHas: Bool) async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      say(turn, "part")
      await first.wait { $0.contains("part") }
      let seen = sendsWhatItHas ? [#"{"role":"assistant","content":"part"}"#] : []
      second.send(whole([said("one")] + seen + [said("two")], steers: true))
      #expect(answer(try await response(first), true) == "part|stop")
      turn.answer(["rest"])
      #expect(answer(try await response(second), true) == "rest|stop")
      #expect(server.engine.steered == [[.text("two")]])
      let both = [
        said("one"), #"{"role":"assistant","content":"part"}"#, said("two"),
        #"{"role":"assistant","content":"rest"}"#,
      ]
      server.answerAll(["next"])
      let next = try await server.exchange(whole(both + [said("three")]))
      #expect(next.field("x-bridge-session-state") == "continued")
      // An answer is taken back: the history is known to lead behind the others.
      let again = try await server.exchange(whole(both + [said("changed")]))
      #expect(again.field("x-bridge-session-state") == "reverted")
      #expect(server.engine.started.last?.request.thread == .reverted(ThreadID("thread-1"), before: "turn-2"))
    }
  }

  /// Nothing of what is said is lost.
  @Test @LoopActor
  func twoMessagesAtOnceWait() async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(whole([said("two"), said("three")], steers: true))
      #expect(await eventually { server.sessions.waitingCount("s") == 1 })
      turn.answer(["a"])
      _ = try await response(first)
      try await server.turn(2).answer(["b"])
      #expect(try await response(second).field("x-bridge-ignored") == "x-bridge-steer")
      #expect(server.engine.steered == [])
    }
  }

  private func said(_ text: String) -> String { #"{"role":"user","content":"\#(text)"}"# }

  /// A request of the session `s` with these messages.
  private func whole(_ messages: [String], steers: Bool = false) -> String {
    let body =
      #"{"stream":true,"session_id":"s","messages":["# + messages.joined(separator: ",") + "]}"
    return Server.chat(body: body, steers ? ["X-Bridge-Steer: true"] : [])
  }

  // MARK: Those that wait

  @Test @LoopActor
  func whatTheEngineRefusesRunsAsATurnOfItsOwn() async throws {
    try await Server.run { server in
      server.engine.steerReply = .refused
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true))
      #expect(await eventually { server.sessions.waitingCount("s") == 1 })
      turn.answer(["a"])
      #expect(answer(try await response(first), true) == "a|stop")
      let next = try await server.turn(2)
      next.answer(["b"])
      let after = try await response(second)
      #expect(answer(after, true) == "b|stop")
      #expect(after.field("x-bridge-ignored") == "x-bridge-steer")
      #expect(after.field("x-bridge-steered") == nil)
    }
  }

  /// The reply comes when the turn has ended.
  @Test @LoopActor
  func aTurnThatEndsMeanwhileIsFollowed() async throws {
    try await Server.run { server in
      server.engine.steerReply = nil
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true))
      #expect(await eventually { !server.engine.waitingSteers.isEmpty })
      turn.answer(["a"])
      #expect(answer(try await response(first), true) == "a|stop")
      server.answerAll(["b"])
      server.engine.waitingSteers.first?(.refused)
      let after = try await response(second)
      #expect(answer(after, true) == "b|stop")
      #expect(after.field("x-bridge-ignored") == "x-bridge-steer")
    }
  }

  @Test @LoopActor
  func whoComesWhileAnotherIsToldWaits() async throws {
    try await Server.run { server in
      server.engine.steerReply = nil
      let clients = [try await server.connect(), try await server.connect(), try await server.connect()]
      clients[0].send(chat("one"))
      let turn = try await server.turn(1)
      clients[1].send(chat("two", steers: true))
      #expect(await eventually { server.engine.waitingSteers.count == 1 })
      clients[2].send(chat("three", steers: true))
      #expect(await eventually { server.sessions.waitingCount("s") == 1 })
      server.engine.waitingSteers.first?(.taken(TokenUsage()))
      turn.answer(["rest"])
      #expect(answer(try await response(clients[0]), true) == "|stop")
      #expect(answer(try await response(clients[1]), true) == "rest|stop")
      try await server.turn(2).answer(["own"])
      #expect(answer(try await response(clients[2]), true) == "own|stop")
    }
  }

  /// What only a new turn can have.
  @Test(arguments: [
    #","model":"gpt-other""#, #","response_format":{"type":"json_object"}"#,
    #","tools":[{"type":"function","function":{"name":"f"}}]"#,
  ])
  @LoopActor
  func whatTheTurnDoesNotHaveWaits(_ more: String) async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true, more: more))
      #expect(await eventually { server.sessions.waitingCount("s") == 1 })
      server.answerAll(["{}"])
      turn.answer(["a"])
      _ = try await response(first)
      #expect(try await response(second).field("x-bridge-ignored") == "x-bridge-steer")
      #expect(server.engine.steered == [])
    }
  }

  @Test @LoopActor
  func anotherSystemPromptWaitsAndTheSameDoesNot() async throws {
    try await Server.run { server in
      let body = { (system: String, text: String) in
        #"{"stream":true,"session_id":"s","messages":[{"role":"system","content":"\#(system)"},"#
          + #"{"role":"user","content":"\#(text)"}]}"#
      }
      let clients = [try await server.connect(), try await server.connect(), try await server.connect()]
      clients[0].send(Server.chat(body: body("Be brief.", "one")))
      let turn = try await server.turn(1)
      clients[1].send(Server.chat(body: body("Be brief.", "two"), ["X-Bridge-Steer: true"]))
      #expect(answer(try await response(clients[0]), true) == "|stop")
      clients[2].send(Server.chat(body: body("Be long.", "three"), ["X-Bridge-Steer: true"]))
      #expect(await eventually { server.sessions.waitingCount("s") == 1 })
      server.answerAll(["own"])
      turn.answer(["rest"])
      #expect(answer(try await response(clients[1]), true) == "rest|stop")
      #expect(answer(try await response(clients[2]), true) == "own|stop")
      #expect(server.engine.steered == [[.text("two")]])
    }
  }

  // MARK: Whose turn it is

  @Test @LoopActor
  func nobodySteersTheTurnOfAnother() async throws {
    try await Server.run(["CODEX_BRIDGE_API_KEY": "a,b"]) { server in
      let (hers, his) = (try await server.connect(), try await server.connect())
      hers.send(chat("one", key: "a"))
      let turn = try await server.turn(1)
      his.send(chat("two", steers: true, key: "b"))
      try await server.turn(2).answer(["his"])
      let answered = try await response(his)
      #expect(answer(answered, true) == "his|stop")
      #expect(answered.field("x-bridge-ignored") == nil, "no turn of his runs")
      #expect(server.engine.steered == [])
      turn.answer(["hers"])
      #expect(answer(try await response(hers), true) == "hers|stop")
    }
  }

  @Test @LoopActor
  func withoutARunningTurnOrASessionItIsATurnLikeAnyOther() async throws {
    try await Server.run { server in
      server.answerAll(["a"])
      for request in [chat("one", steers: true), Server.chat("two", fields: ["X-Bridge-Steer: true"])] {
        let response = try await server.exchange(request)
        #expect(response.status == 200)
        #expect(response.field("x-bridge-ignored") == nil)
        #expect(response.field("x-bridge-steered") == nil)
      }
    }
  }

  /// The turn is the second client's: that the first one leaves ends nothing, and that the second leaves ends it.
  @Test @LoopActor
  func theTurnEndsWithTheClientThatHasIt() async throws {
    try await Server.run { server in
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one"))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true))
      #expect(answer(try await response(first), true) == "|stop")
      first.close()
      say(turn, "x")
      await Loop.nextTurn()
      #expect(!turn.isInterrupted)
      second.close()
      #expect(await eventually { turn.isInterrupted })
      #expect(await eventually { !server.sessions.isRunning("s") })
    }
  }

  @Test @LoopActor
  func theUsageIsEachAnswersOwn() async throws {
    try await Server.run { server in
      server.engine.steerReply = .taken(TokenUsage(input: 40, output: 4))
      let (first, second) = (try await server.connect(), try await server.connect())
      first.send(chat("one", stream: false))
      let turn = try await server.turn(1)
      second.send(chat("two", steers: true, stream: false))
      let before = try await response(first)
      #expect(before.json["usage"]?["prompt_tokens"] == 40)
      end(turn, input: 7)
      #expect(try await response(second).json["usage"]?["prompt_tokens"] == 7)
    }
  }
}
