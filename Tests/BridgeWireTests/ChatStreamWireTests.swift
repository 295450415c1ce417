// The exact form of a streamed answer, and of one without streaming (clients.md C16–C28, C33).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ChatStreamWireTests {
  private static let usageMore = #","stream_options":{"include_usage":true}"#

  /// Streams one request and returns its response with its events.
  @LoopActor
  private func stream(
    _ server: GatewayServer, more: String = "", asksForUsage: Bool = false, fields: [String] = []
  ) async throws -> (TestResponse, ChatEvents) {
    let response = try await server.exchange(
      GatewayServer.chat(stream: true, more: more, fields: fields))
    return (response, ChatEvents(response.body, asksForUsage: asksForUsage))
  }

  @Test @LoopActor
  func hasTheHeadOfAnEventStream() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let (response, _) = try await stream(server)
      #expect(response.status == 200)
      #expect(response.field("content-type") == "text/event-stream; charset=utf-8")
      #expect(response.field("cache-control") == "no-cache")
      #expect(response.field("x-accel-buffering") == "no")
      #expect(response.field("transfer-encoding") == "chunked")
      #expect(response.field("content-length") == nil)
      #expect(response.field("x-request-id")?.isEmpty == false)
    }
  }

  @Test @LoopActor
  func sendsOneChunkPerDelta() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["Hel", "lo", " ", "w\"or\\ld\n", "é🎉", "\u{1}"])
      let (_, events) = try await stream(server)
      #expect(events.problems == [])
      #expect(events.contents == ["Hel", "lo", " ", "w\"or\\ld\n", "é🎉", "\u{1}"])
      #expect(events.finishReasons == ["stop"])
      #expect(events.answers.first?["model"] == "gpt-test")
    }
  }

  @Test @LoopActor
  func repeatsTheModelAsItWasAskedFor() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      for model in ["gpt-test", "gpt-test:high", "gpt-other"] {
        let (_, events) = try await stream(server, more: ",\"model\":\"\(model)\"")
        #expect(events.answers.first?["model"] == .string(model))
      }
      #expect(server.engine.started[1].request.effort == "high")
      #expect(server.engine.started[1].request.model == "gpt-test")
    }
  }

  @Test @LoopActor
  func anAnswerWithoutTextIsStillWhole() async throws {
    try await GatewayServer.run { server in
      server.answerAll([])
      let (_, events) = try await stream(server)
      #expect(events.problems == [])
      #expect(events.content.isEmpty)
      #expect(events.chunks.count == 2)
    }
  }

  @Test @LoopActor
  func usageComesOnceAndOnlyWhenAsked() async throws {
    try await GatewayServer.run { server in
      let usage = TokenUsage(input: 11, cachedInput: 5, output: 7, reasoningOutput: 2)
      server.engine.script = { $0.answer(["a", "b"], usage: usage) }
      let (_, events) = try await stream(server, more: Self.usageMore, asksForUsage: true)
      #expect(events.problems == [])
      let expected: JSONValue = [
        "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
        "prompt_tokens_details": ["cached_tokens": 5], "completion_tokens_details": ["reasoning_tokens": 2],
      ]
      #expect(events.usage == expected)
      for more in ["", #","stream_options":{"include_usage":false}"#, #","stream_options":null"#] {
        let (_, plain) = try await stream(server, more: more)
        #expect(plain.problems == [])
      }
    }
  }

  @Test @LoopActor
  func reasoningGoesBeforeTheContentInAFieldOfItsOwn() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText("thi")))
        turn.events.push(.reasoning(EscapedText("nking")))
        turn.answer(["answer"])
      }
      let (_, events) = try await stream(server)
      #expect(events.problems == [])
      #expect(events.reasoning == "thinking")
      #expect(events.content == "answer")
      #expect(events.deltas.allSatisfy { $0["content"] == nil || $0["reasoning_content"] == nil })
    }
  }

  @Test @LoopActor
  func theHeadLeavesAtTheFirstSignOfTheModel() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      for _ in 0..<20 { await Loop.nextTurn() }
      #expect(client.text.isEmpty)
      turn.events.push(.began)
      await client.wait { $0.contains(#""role":"assistant""#) }
      #expect(client.text.hasPrefix("HTTP/1.1 200 "))
      turn.answer(["a"])
      #expect(await client.responses(1).count == 1)
      client.close()
    }
  }

  @Test @LoopActor
  func deltasLeaveWhenTheyCome() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      for piece in ["one", "two", "three"] {
        turn.events.push(.answer(EscapedText(piece)))
        #expect(await client.wait { $0.contains(piece) }.contains(piece))
      }
      turn.answer([])
      let response = try #require(await client.responses(1).first)
      #expect(ChatEvents(response.body).contents == ["one", "two", "three"])
      client.close()
    }
  }

  @Test @LoopActor
  func doneAndTheEndOfTheBodyLeaveTogether() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("a")))
      await client.wait { $0.contains(#""content":"a""#) }
      turn.answer(["b"])
      await client.responses(1)
      let last = client.reads.filter { String(decoding: $0, as: UTF8.self).contains("[DONE]") }
      let text = String(decoding: last.first ?? [], as: UTF8.self)
      #expect(last.count == 1)
      #expect(text.hasSuffix("data: [DONE]\n\n\r\n0\r\n\r\n"))
      #expect(text.contains(#""finish_reason":"stop""#))
      // One event is never cut by a chunk of the transfer coding.
      let response = TestResponse.parse(bytes: client.received).first
      #expect(response?.chunks.allSatisfy { $0.hasSuffix("\n\n") } == true)
      client.close()
    }
  }

  @Test @LoopActor
  func oneDeltaOfMegabytesPasses() async throws {
    try await GatewayServer.run { server in
      let text = String(repeating: "abc🎉\"\n", count: 300_000)
      server.answerAll([text, "end"])
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      await client.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
      let response = try #require(TestResponse.parse(bytes: client.received).first)
      let events = ChatEvents(response.body)
      #expect(events.problems == [])
      let isWhole = events.content == text + "end"
      #expect(isWhole)
      client.close()
    }
  }

  /// More than the high-water mark in one loop turn, several times: each time the writer must be woken again.
  @Test @LoopActor
  func burstsAboveTheHighWaterMarkGoOn() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      let piece = String(repeating: "x", count: 50_000)
      for number in 1...5 {
        for _ in 0..<3 { turn.events.push(.answer(EscapedText(piece))) }
        turn.events.push(.answer(EscapedText("mark-\(number)")))
        await client.wait(forBytes: { $0.count > number * 150_000 })
        #expect(client.received.count > number * 150_000, "burst \(number) did not arrive")
      }
      turn.answer([])
      await client.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
      let response = try #require(TestResponse.parse(bytes: client.received).first)
      #expect(ChatEvents(response.body).content.utf8.count == 15 * 50_000 + 5 * 6)
      client.close()
    }
  }

  /// Far more than may wait for a client, but in one turn of the loop: none of it could have been sent yet.
  @Test @LoopActor
  func megabytesInOneTurnOfTheLoopPass() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      let pieces = (0..<100).map { String(repeating: "\($0 % 10)", count: 30_000) }
      turn.answer(pieces)
      await client.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
      let response = try #require(TestResponse.parse(bytes: client.received).first)
      let isWhole = ChatEvents(response.body).content == pieces.joined()
      #expect(isWhole)
      #expect(!turn.isInterrupted)
      client.close()
    }
  }

  @Test @LoopActor
  func commentsKeepASilentStreamOpen() async throws {
    try await GatewayServer.run(paces: Paces(keepAlive: .milliseconds(30))) { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      await client.wait { $0.count(of: ": keep-alive\n") >= 3 }
      turn.answer(["a"])
      let response = try #require(await client.responses(1).first)
      let events = ChatEvents(response.body)
      #expect(events.problems == [])
      #expect(events.comments.count >= 3)
      #expect(events.comments.allSatisfy { $0 == "keep-alive" })
      #expect(events.content == "a")
      // A blank line behind a comment would be an event without data.
      #expect(!response.body.contains(": keep-alive\n\n"))
      #expect(response.body.contains(": keep-alive\ndata: {"))
      client.close()
    }
  }

  /// Some clients split lines where Unicode does: there the JSON of an event would be cut.
  @Test @LoopActor
  func theLineBreaksOfUnicodeAreEscaped() async throws {
    try await GatewayServer.run { server in
      let text = "a\u{2028}b\u{2029}c\u{85}d\u{B}e“é”"
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText(text)))
        turn.answer([text, "\u{85}"])
      }
      for more in ["", #","stop":"STOP""#] {
        let (response, events) = try await stream(server, more: more)
        #expect(events.problems == [])
        #expect(events.content == text + "\u{85}")
        #expect(events.reasoning == text)
        #expect(!response.body.unicodeScalars.contains("\u{2028}"))
      }
      let whole = try await server.exchange(GatewayServer.chat(text))
      #expect(!whole.body.unicodeScalars.contains("\u{85}"))
      #expect(whole.json["choices"]?.arrayValue?.first?["message"]?["content"]?.stringValue == text + "\u{85}")
    }
  }

  @Test @LoopActor
  func anHTTP10ClientGetsTheEventsUnframed() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a", "b"])
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true).replacing("HTTP/1.1", with: "HTTP/1.0"))
      await client.waitForEnd()
      let response = try #require(TestResponse.parse(bytes: client.received, isEnded: true).first)
      let events = ChatEvents(response.body)
      #expect(events.problems == [])
      #expect(events.content == "ab")
      client.close()
    }
  }

  @Test @LoopActor
  func theConnectionCanBeUsedAgainAfterAStream() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let client = try await server.connect()
      for number in 1...4 {
        client.send(GatewayServer.chat(stream: number.isMultiple(of: 2)))
        #expect(await client.responses(number).count == number)
      }
      #expect(server.connectionCount == 1)
      client.close()
    }
  }

  // MARK: Stop sequences

  @Test @LoopActor
  func stopsAtASequenceThatIsSplitOverDeltas() async throws {
    try await GatewayServer.run { server in
      for pieces in [
        ["one ST", "OP two"], ["one S", "T", "O", "P"], ["one STOP two"], ["on", "e ", "STOP", " two"],
      ] {
        for isStream in [true, false] {
          let count = server.engine.started.count
          server.engine.script = { turn in for piece in pieces { turn.events.push(.answer(EscapedText(piece))) } }
          let response = try await server.exchange(
            GatewayServer.chat(stream: isStream, more: #","stop":["STOP","never"]"#))
          if isStream {
            let events = ChatEvents(response.body)
            #expect(events.problems == [])
            #expect(events.content == "one ")
            #expect(events.finishReasons == ["stop"])
          } else {
            #expect(response.json["choices"]?.arrayValue?.first?["message"]?["content"] == "one ")
            #expect(response.json["choices"]?.arrayValue?.first?["finish_reason"] == "stop")
          }
          #expect(server.engine.started[count].isInterrupted)
        }
      }
    }
  }

  @Test @LoopActor
  func textThatOnlyBeganLikeAStopSequenceIsNotLost() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["one S", "T", "Ox tw", "o ST"])
      let (_, events) = try await stream(server, more: #","stop":"STOP""#)
      #expect(events.problems == [])
      #expect(events.content == "one STOx two ST")
    }
  }

  // MARK: Failures

  @Test @LoopActor
  func aRetractionAfterTextIsAnErrorEvent() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.answer(EscapedText("half")))
        turn.events.push(.answerRetracted)
        turn.answer(["half and whole"])
      }
      let (_, events) = try await stream(server)
      #expect(events.problems == [])
      #expect(events.content == "half", "retracted text was sent twice")
      #expect(events.error?["message"]?.stringValue?.isEmpty == false)
      #expect(events.error?["type"] == "codex_error")
      #expect(server.engine.started.first?.isInterrupted == true || events.isDone)
      // Without streaming nothing has gone out, so the answer is simply whole.
      let whole = try await server.exchange(GatewayServer.chat())
      #expect(whole.json["choices"]?.arrayValue?.first?["message"]?["content"] == "half and whole")
    }
  }

  @Test @LoopActor
  func aFailureMidStreamIsAnErrorEventAndDone() async throws {
    try await GatewayServer.run { server in
      for error in [
        EngineError.crashed, .timedOut(after: .seconds(5), isSilence: false),
        .turnFailed(TurnFailure(name: "boom", upstreamStatus: nil, message: "It broke.", upstreamCode: nil)),
      ] {
        server.engine.script = { turn in
          turn.events.push(.answer(EscapedText("text")))
          turn.events.push(.ended(.failed(error)))
        }
        let (response, events) = try await stream(
          server, more: Self.usageMore, asksForUsage: true, fields: ["X-Bridge-Retry: run"])
        #expect(response.status == 200)
        #expect(events.problems == [])
        #expect(events.content == "text")
        #expect(events.error != nil)
        #expect(events.chunks.last?["choices"] == nil)
        #expect(response.body.hasSuffix("\n\ndata: [DONE]\n\n"))
      }
    }
  }

  @Test @LoopActor
  func aFailureBeforeTheStartHasItsStatus() async throws {
    try await GatewayServer.run { server in
      server.engine.refusals = [.unavailable(.starting)]
      let response = try await server.exchange(GatewayServer.chat(stream: true))
      #expect(response.status == 503)
      #expect(response.field("content-type") == "application/json")
      #expect(response.error("code") == "starting")
    }
  }

  /// The engine has accepted the turn, and the model has not been heard of.
  @Test @LoopActor
  func aFailureBeforeTheFirstSignHasItsStatus() async throws {
    try await GatewayServer.run { server in
      for (error, status, retry) in [
        (
          EngineError.providerUnreachable(detail: "Reconnecting", after: .seconds(60), hasActed: false), 503,
          "true"
        ),
        (.providerUnreachable(detail: "Reconnecting", after: .seconds(60), hasActed: true), 503, "false"),
        (.crashed, 502, "false"),
      ] {
        server.engine.script = { turn in
          turn.events.push(.reconnecting("no network"))
          turn.events.push(.ended(.failed(error)))
        }
        for isLate in [false, true] {
          if isLate {
            server.engine.script = { turn in
              Loop.spawn {
                for _ in 0..<5 { await Loop.nextTurn() }
                turn.events.push(.reconnecting("no network"))
                turn.events.push(.ended(.failed(error)))
              }
            }
          }
          let response = try await server.exchange(
            GatewayServer.chat(stream: true, more: #","session_id":"s""#, fields: ["X-Bridge-Retry: run"]))
          #expect(response.status == status)
          #expect(response.field("content-type") == "application/json")
          #expect(response.field("x-should-retry") == retry)
          #expect(response.field("x-bridge-session") == "s")
          #expect((response.field("retry-after") != nil) == (retry == "true"))
        }
      }
    }
  }

  /// No silence is longer than between two comments, the one before the first sign included.
  @Test @LoopActor
  func aModelThatThinksLongGetsItsHeadInTime() async throws {
    try await GatewayServer.run(paces: Paces(keepAlive: .milliseconds(40))) { server in
      for isReconnecting in [false, true] {
        let client = try await server.connect()
        client.send(GatewayServer.chat(stream: true))
        let turn = try await server.turn(isReconnecting ? 2 : 1)
        if isReconnecting { turn.events.push(.reconnecting("no network")) }
        await client.wait { $0.contains(#""role":"assistant""#) }
        #expect(client.text.hasPrefix("HTTP/1.1 200 "))
        turn.answer(["a"])
        let response = try #require(await client.responses(1).first)
        let events = ChatEvents(response.body)
        #expect(events.problems == [])
        #expect(events.content == "a")
        let told = "Codex cannot reach the model and tries again: no network"
        #expect(events.reasoning == (isReconnecting ? told : ""))
        client.close()
      }
    }
  }

  @Test @LoopActor
  func aClientThatLeavesBeforeTheFirstSignEndsItsTurn() async throws {
    try await GatewayServer.run { server in
      let client = try await server.connect()
      client.send(GatewayServer.chat(stream: true))
      let turn = try await server.turn(1)
      client.close()
      #expect(await eventually { turn.isInterrupted })
    }
  }

  // MARK: Without streaming

  @Test @LoopActor
  func theAnswerWithoutStreamingIsOneObject() async throws {
    try await GatewayServer.run { server in
      server.engine.script = { turn in
        turn.events.push(.reasoning(EscapedText("hm")))
        turn.answer(["Hel", "lo"], usage: TokenUsage(input: 11, cachedInput: 5, output: 7, reasoningOutput: 2))
      }
      let response = try await server.exchange(
        GatewayServer.chat(more: #","session_id":"s","temperature":1,"seed":2"#))
      #expect(response.status == 200)
      #expect(response.field("content-type") == "application/json")
      let json = response.json
      #expect(json["object"] == "chat.completion")
      #expect(json["id"]?.stringValue?.hasPrefix("chatcmpl-") == true)
      #expect((json["created"]?.intValue ?? 0) > 1_600_000_000)
      #expect(json["model"] == "gpt-test")
      #expect(json["session_id"] == "s")
      let choice = try #require(json["choices"]?.arrayValue?.first)
      #expect(choice["index"] == 0)
      #expect(choice["finish_reason"] == "stop")
      #expect(choice["message"]?["role"] == "assistant")
      #expect(choice["message"]?["content"] == "Hello")
      #expect(choice["message"]?["reasoning_content"] == "hm")
      #expect(json["usage"]?["total_tokens"] == 18)
      #expect(json["usage"]?["prompt_tokens_details"]?["cached_tokens"] == 5)
      #expect(json["usage"]?["completion_tokens_details"]?["reasoning_tokens"] == 2)
      #expect(response.field("x-bridge-session") == "s")
      #expect(response.field("x-bridge-ignored") == "temperature, seed")
    }
  }

  @Test @LoopActor
  func anEmptyAnswerHasAContentAllTheSame() async throws {
    try await GatewayServer.run { server in
      server.answerAll([])
      let response = try await server.exchange(GatewayServer.chat())
      #expect(response.json["choices"]?.arrayValue?.first?["message"]?["content"] == "")
      #expect(response.json["usage"] != nil)
      #expect(response.json["session_id"] == nil)
      #expect(response.field("x-bridge-ignored") == nil)
      #expect(response.field("x-bridge-session") == nil)
    }
  }
}

extension String {
  /// How often `mark` occurs.
  fileprivate func count(of mark: String) -> Int { ranges(of: mark).count }
}
