// Requests that are sent again: which of them read the answer of the first, and which are run.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct JoinWireTests {
  private static let first = ["X-Stainless-Retry-Count: 0", "X-Request-Id: the-first"]
  private static let retry = ["X-Stainless-Retry-Count: 1"]
  private static let run = ["X-Bridge-Retry: run"]
  private static let functions = #","tools":[{"type":"function","function":{"name":"f"}}]"#
  /// Longer than any test takes.
  private static let longGrace = ["CODEX_RETRY_GRACE": "10m"]

  private func request(_ stream: Bool, _ fields: [String], more: String = "") -> String {
    GatewayServer.chat(stream: stream, more: more, fields: fields)
  }

  /// The text of an answer, however it was sent.
  private func content(_ response: TestResponse?) -> String? {
    guard let response else { return nil }
    if response.field("content-type")?.hasPrefix("text/event-stream") == true {
      let events = ChatEvents(response.body)
      // `ChatEvents` is about answers that are text.
      #expect(events.problems.filter { $0 != "finish reason tool_calls" } == [])
      return events.content
    }
    return response.json["choices"]?.arrayValue?.first?["message"]?["content"]?.stringValue
  }

  /// Waits until the server has read what was sent.
  @LoopActor
  private func settle() async { for _ in 0..<30 { await Loop.nextTurn() } }

  /// How many requests have got what.
  @LoopActor
  private func repeats(_ server: GatewayServer, _ answer: String) async throws -> Int {
    let text = try await server.exchange(GatewayServer.request("GET", "/metrics")).body
    let line = text.split(separator: "\n").first {
      $0.hasPrefix("codexbridge_requests_joined_total{answer=\"\(answer)\"}")
    }
    return Int(line?.split(separator: " ").last ?? "") ?? -1
  }

  @LoopActor
  private func send(_ server: GatewayServer, _ request: String) async throws -> TestClient {
    let client = try await server.connect()
    client.send(request)
    return client
  }

  // MARK: An answer under way

  @Test(arguments: [true, false]) @LoopActor
  func aMarkedRetryReadsTheRunningAnswerFromItsBeginning(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      let first = try await send(server, request(isStream, Self.first))
      let turn = try await server.turn(1)
      for piece in ["one\n", "two "] { turn.events.push(.answer(EscapedText(piece))) }
      let second = try await send(server, request(isStream, Self.retry))
      if isStream { await second.wait { $0.contains("two ") } } else { await settle() }
      turn.events.push(.answer(EscapedText("three")))
      turn.answer([], usage: TokenUsage(input: 11, output: 7))
      let answers = [await first.responses(1).first, await second.responses(1).first]
      #expect(answers.map(content) == ["one\ntwo three", "one\ntwo three"])
      #expect(answers.map { $0?.field("x-bridge-joined") } == [nil, "the-first"])
      #expect(server.engine.started.count == 1)
      if isStream {
        let ids = answers.map { ChatEvents($0?.body ?? "").answers.first?["id"]?.stringValue }
        #expect(ids[0] == ids[1] && ids[0] != nil)
      } else {
        #expect(answers[0]?.body == answers[1]?.body)
      }
      #expect(try await repeats(server, "running") == 1)
      let metrics = try await server.exchange(GatewayServer.request("GET", "/metrics")).body
      #expect(metrics.contains("codexbridge_tokens_total{kind=\"input\"} 11\n"))
      #expect(metrics.contains("codexbridge_turns_total{outcome=\"completed\"} 1\n"))
      first.close()
      second.close()
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func twoClientsThatAreBothThereAreTwoTurns(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      let clients = [
        try await send(server, request(isStream, [])), try await send(server, request(isStream, [])),
      ]
      _ = try await server.turn(2)
      for (turn, text) in zip(server.engine.started, ["a", "b"]) { turn.answer([text]) }
      var texts: [String?] = []
      for client in clients { texts.append(content(await client.responses(1).first)) }
      #expect(texts.compactMap { $0 }.sorted() == ["a", "b"])
      for client in clients { client.close() }
    }
  }

  /// As a client without marks does whose time limit has passed.
  @Test @LoopActor
  func aRepetitionTakesThePlaceOfAClientThatHasLeft() async throws {
    try await GatewayServer.run(Self.longGrace) { server in
      let first = try await send(server, request(false, Self.first))
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("one ")))
      first.close()
      #expect(await eventually { server.connectionCount == 0 })
      let second = try await send(server, request(false, []))
      await settle()
      #expect(!turn.isInterrupted)
      turn.answer(["two"])
      #expect(content(await second.responses(1).first) == "one two")
      #expect(server.engine.started.count == 1)
      second.close()
    }
  }

  /// The engine may have begun with a turn long before it says so: a client whose time limit passes meanwhile must not have
  /// another one begun.
  @Test(arguments: [true, false]) @LoopActor
  func aRepetitionTakesThePlaceOfAClientThatHasLeftDuringTheStart(_ closesItsSideOnly: Bool) async throws {
    try await GatewayServer.run(Self.longGrace) { server in
      server.engine.holdsStarts = true
      let first = try await send(server, request(false, []))
      #expect(await eventually { server.engine.heldStarts.count == 1 })
      if closesItsSideOnly { first.finishSending() } else { first.close() }
      #expect(await eventually { server.connectionCount == 0 })
      let second = try await send(server, request(false, []))
      await settle()
      #expect(server.engine.heldStarts.count == 1)
      server.engine.holdsStarts = false
      let turn = try await server.turn(1)
      #expect(!turn.isInterrupted)
      turn.answer(["one"])
      #expect(content(await second.responses(1).first) == "one")
      #expect(server.engine.started.count == 1)
      if closesItsSideOnly { first.close() }
      second.close()
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func withoutAGraceALeavingClientEndsTheStart(_ isStream: Bool) async throws {
    try await GatewayServer.run(isStream ? Self.longGrace : ["CODEX_RETRY_GRACE": "0"]) { server in
      server.engine.holdsStarts = true
      let first = try await send(server, request(isStream, []))
      #expect(await eventually { server.engine.heldStarts.count == 1 })
      first.close()
      #expect(await eventually { server.engine.heldStarts.first?.isInterrupted == true })
      server.engine.holdsStarts = false
      #expect(await eventually { server.connectionCount == 0 })
      #expect(server.engine.started.isEmpty)
      server.answerAll(["new"])
      #expect(content(try await server.exchange(request(isStream, []))) == "new")
    }
  }

  @Test @LoopActor
  func aStartThatIsToBeFinishedIsJoined() async throws {
    try await GatewayServer.run(["CODEX_ON_DISCONNECT": "finish"]) { server in
      server.engine.holdsStarts = true
      let first = try await send(server, request(false, []))
      #expect(await eventually { server.engine.heldStarts.count == 1 })
      first.close()
      await settle()
      let second = try await send(server, request(false, []))
      await settle()
      server.engine.holdsStarts = false
      try await server.turn(1).answer(["one"])
      #expect(content(await second.responses(1).first) == "one")
      #expect(server.engine.started.count == 1)
      second.close()
    }
  }

  /// The turn ends before the client is back.
  @Test @LoopActor
  func anAnswerThatNobodyHasReadIsKeptForTheClient() async throws {
    try await GatewayServer.run(Self.longGrace) { server in
      let first = try await send(server, request(false, []))
      let turn = try await server.turn(1)
      first.close()
      #expect(await eventually { server.connectionCount == 0 })
      turn.answer(["a"])
      await settle()
      #expect(content(try await server.exchange(request(false, []))) == "a")
      #expect(server.engine.started.count == 1)
    }
  }

  @Test @LoopActor
  func theGraceEnds() async throws {
    try await GatewayServer.run(["CODEX_RETRY_GRACE": "50ms"]) { server in
      let first = try await send(server, request(false, []))
      let turn = try await server.turn(1)
      first.close()
      #expect(await eventually { turn.isInterrupted })
      server.answerAll(["new"])
      #expect(content(try await server.exchange(request(false, []))) == "new")
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func withoutAGraceALeavingClientEndsItsTurn(_ isStream: Bool) async throws {
    try await GatewayServer.run(isStream ? Self.longGrace : ["CODEX_RETRY_GRACE": "0"]) { server in
      let client = try await send(server, request(isStream, []))
      let turn = try await server.turn(1)
      client.close()
      #expect(await eventually { turn.isInterrupted })
    }
  }

  @Test @LoopActor
  func anAnswerThatIsBeingEndedIsNotJoined() async throws {
    try await GatewayServer.run { server in
      server.engine.endsAtOnce = false
      let first = try await send(server, request(true, Self.first))
      let turn = try await server.turn(1)
      first.close()
      #expect(await eventually { turn.isInterrupted })
      let second = try await send(server, request(true, Self.retry))
      let other = try await server.turn(2)
      turn.events.push(.ended(.interrupted(TokenUsage())))
      other.answer(["new"])
      #expect(content(await second.responses(1).first) == "new")
      second.close()
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func oneOfTwoReadersMayLeave(_ isStream: Bool) async throws {
    for leaves in 0...1 {
      try await GatewayServer.run { server in
        var clients = [try await send(server, request(isStream, Self.first))]
        let turn = try await server.turn(1)
        clients.append(try await send(server, request(isStream, Self.retry)))
        turn.events.push(.answer(EscapedText("one ")))
        if isStream {
          for client in clients { await client.wait { $0.contains("one ") } }
        } else {
          await settle()
        }
        clients[leaves].close()
        #expect(await eventually { server.connectionCount == 1 })
        #expect(!turn.isInterrupted)
        turn.answer(["two"])
        #expect(content(await clients[1 - leaves].responses(1).first) == "one two")
        clients[1 - leaves].close()
      }
    }
  }

  @Test @LoopActor
  func theLastOfTwoReadersEndsTheTurn() async throws {
    try await GatewayServer.run { server in
      let first = try await send(server, request(true, Self.first))
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("one ")))
      let second = try await send(server, request(true, Self.retry))
      await second.wait { $0.contains("one ") }
      first.close()
      second.close()
      #expect(await eventually { turn.isInterrupted })
    }
  }

  @Test(arguments: [0, 1]) @LoopActor
  func aSlowReaderIsCutAlone(_ slow: Int) async throws {
    try await GatewayServer.run { server in
      var clients = [try await send(server, request(true, Self.first))]
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("begin")))
      clients.append(try await send(server, request(true, Self.retry)))
      for client in clients { await client.wait { $0.contains("begin") } }
      let other = clients[1 - slow]
      let byteCount = await server.answer(turn, to: other, whileReadsNothing: clients[slow])
      let response = TestResponse.parse(bytes: other.received).first
      #expect(content(response)?.utf8.count == 5 + byteCount)
      for client in clients { client.close() }
    }
  }

  /// It is told megabytes that were told before, as fast as it reads.
  @Test @LoopActor
  func whoJoinsLateGetsALongAnswerWhole() async throws {
    try await GatewayServer.run { server in
      let first = try await send(server, request(true, Self.first))
      let turn = try await server.turn(1)
      let text = String(repeating: "0123456789\"\n", count: 2000)
      for _ in 0..<100 { turn.events.push(.answer(EscapedText(text))) }
      await first.wait(forBytes: { $0.count > 100 * text.utf8.count })
      let second = try await send(server, request(true, Self.retry))
      await second.wait(forBytes: { $0.count > 1000 })
      turn.answer(["end"])
      await second.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
      let isWhole =
        content(TestResponse.parse(bytes: second.received).first)
        == String(repeating: text, count: 100) + "end"
      #expect(isWhole)
      first.close()
      second.close()
    }
  }

  // MARK: An answer that has not begun

  @Test(arguments: [true, false]) @LoopActor
  func aRetryWaitsForATurnThatWaitsForItsPlace(_ isStream: Bool) async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"]) { server in
      let other = try await send(server, GatewayServer.chat("other"))
      let busy = try await server.turn(1)
      let first = try await send(server, request(isStream, Self.first))
      await settle()
      let second = try await send(server, request(isStream, Self.retry))
      await settle()
      // The place stays that of both.
      first.close()
      #expect(await eventually { server.connectionCount == 2 })
      busy.answer(["x"])
      _ = await other.responses(1)
      let turn = try await server.turn(2)
      turn.answer(["one"])
      #expect(content(await second.responses(1).first) == "one")
      #expect(server.engine.started.count == 2)
      other.close()
      second.close()
    }
  }

  @Test @LoopActor
  func aRefusalIsToldToAllThatWaitForTheTurn() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1"]) { server in
      let other = try await send(server, GatewayServer.chat("other"))
      let busy = try await server.turn(1)
      let first = try await send(server, request(true, Self.first))
      await settle()
      let second = try await send(server, request(true, Self.retry))
      await settle()
      server.engine.refusals = [.overloaded]
      busy.answer(["x"])
      for client in [first, second] {
        let response = await client.responses(1).first
        #expect(response?.status == 503 && response?.error("code") == "overloaded")
        client.close()
      }
      // It had not started, so it is not remembered.
      server.answerAll(["one"])
      #expect(content(try await server.exchange(request(true, Self.retry))) == "one")
      other.close()
    }
  }

  // MARK: An answer that has ended

  @Test(arguments: [true, false]) @LoopActor
  func aMarkedRetryOfAnEndedAnswerGetsThatAgain(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      server.answerAll(["one ", "two"])
      let first = try await server.exchange(request(isStream, Self.first))
      let again = try await server.exchange(request(isStream, Self.retry))
      #expect(content(first) == "one two" && content(again) == "one two")
      #expect(again.field("x-bridge-joined") == "the-first")
      #expect(server.engine.started.count == 1)
      #expect(try await repeats(server, "kept") == 1)
      // Without the mark somebody wants another answer.
      #expect(try await server.exchange(request(isStream, Self.first)).status == 200)
      #expect(server.engine.started.count == 2)
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func anAnswerThatEndedWithCallsIsToldAgain(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      let call = Conversation.ToolCall(id: "call_1", name: "f", arguments: "{}")
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("let me see")))
        turn.events.push(.toolCalls(OpenCalls(calls: [call], usage: nil)))
      }
      for fields in [Self.first, Self.retry] {
        let response = try await server.exchange(request(isStream, fields, more: Self.functions))
        #expect(content(response) == "let me see")
        #expect(response.body.contains("call_1") && response.body.contains("\"finish_reason\":\"tool_calls\""))
      }
      #expect(server.engine.started.count == 1)
    }
  }

  /// What one key is answered is nobody else's, and what another session or profile is told is another thing.
  @Test @LoopActor
  func whatIsNotTheSameRequestIsRun() async throws {
    try await GatewayServer.run(["CODEX_BRIDGE_API_KEY": "one-key-of-two,another-key-of-two"]) { server in
      server.answerAll(["a"])
      func ask(_ key: String, _ fields: [String], _ text: String = "hi") -> String {
        GatewayServer.chat(text, fields: Self.retry + fields, key: key)
      }
      let requests = [
        ask("one-key-of-two", []), ask("another-key-of-two", []), ask("one-key-of-two", [], "ho"),
        ask("one-key-of-two", ["X-Session-Id: s"]), ask("one-key-of-two", ["X-Session-Id: t"]),
        ask("one-key-of-two", ["X-Bridge-Profile: chat"]),
      ]
      for request in requests { #expect(await server.status(request) == 200) }
      #expect(server.engine.started.count == requests.count)
      for request in requests { #expect(await server.status(request) == 200) }
      #expect(server.engine.started.count == requests.count)
    }
  }

  // MARK: Failures

  private static let failure = EngineError.turnFailed(
    TurnFailure(name: "boom", upstreamStatus: nil, message: "It broke.", upstreamCode: nil))

  @Test(arguments: [true, false]) @LoopActor
  func aFailedTurnAnswersThreeRepetitions(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.ended(.failed(Self.failure)))
      }
      let failed = try await server.exchange(request(isStream, []))
      #expect(failed.body.contains("It broke."))
      server.answerAll(["whole"])
      for number in 1...3 {
        let again = try await server.exchange(request(isStream, number == 2 ? Self.retry : []))
        #expect(again.status == 502 && again.error("code") == "boom")
        #expect(again.field("x-should-retry") == "false")
        #expect(again.field("x-bridge-repeated-failure") == "\(number)")
      }
      #expect(server.engine.started.count == 1)
      #expect(try await repeats(server, "failure") == 3)
      #expect(content(try await server.exchange(request(isStream, []))) == "whole")
      #expect(server.engine.started.count == 2)
    }
  }

  @Test(arguments: [true, false]) @LoopActor
  func whoWantsToRunItIsNotToldTheFailure(_ isStream: Bool) async throws {
    try await GatewayServer.run { server in
      server.engine.script = { $0.events.push(.ended(.failed(Self.failure))) }
      #expect(await server.status(request(isStream, [])) == 502)
      server.answerAll(["whole"])
      let run = try await server.exchange(request(isStream, Self.run))
      #expect(content(run) == "whole")
      // It has succeeded, so the failure is forgotten.
      #expect(content(try await server.exchange(request(isStream, []))) == "whole")
      #expect(server.engine.started.count == 3)
    }
  }

  @Test @LoopActor
  func aFailureThatMayBeRepeatedIsNotRemembered() async throws {
    try await GatewayServer.run { server in
      let unreachable = EngineError.providerUnreachable(
        detail: "no network", after: .seconds(60), hasActed: false)
      server.engine.script = { $0.events.push(.ended(.failed(unreachable))) }
      #expect(await server.status(request(false, [])) == 503)
      server.answerAll(["whole"])
      let run = try await server.exchange(request(false, []))
      #expect(content(run) == "whole")
    }
  }
}
