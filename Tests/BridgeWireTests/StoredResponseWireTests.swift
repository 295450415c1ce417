// Responses that are kept: shown, listed, followed, cancelled and deleted (responses.md §9, situations.md).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct StoredResponseWireTests {
  /// Longer than any test takes.
  private static let longGrace = ["CODEX_RETRY_GRACE": "10m"]
  private static let keys = ["CODEX_BRIDGE_API_KEY": "alice-key,bob-key"]
  private static let background = #","background":true"#

  private func cancel(_ id: String) -> String { GatewayServer.request("POST", "/v1/responses/\(id)/cancel") }

  /// Begins a stream and reads up to its first piece of text. Returns the client and the id of the response.
  @LoopActor
  private func begun(
    _ server: GatewayServer, _ piece: String = "one ", more: String = ""
  ) async throws -> (client: TestClient, turn: Turn, id: String) {
    let client = try await server.connect()
    client.send(GatewayServer.response(stream: true, more: more))
    let turn = try await server.turn(1)
    turn.events.push(.answer(EscapedText(piece)))
    await client.wait { $0.contains("response.output_text.delta") }
    let id = try #require(client.responseEvents.first?["response"]?["id"]?.stringValue)
    return (client, turn, id)
  }

  // MARK: Shown and listed

  @Test @LoopActor
  func inputItemsAreListed() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let items = (0..<3).map { #"{"role":"user","content":"\#($0)"}"# }.joined(separator: ",")
      let body = #"{"input":[\#(items)],"instructions":"Be brief."}"#
      let id = try await server.exchange(GatewayServer.post("/v1/responses", body)).json.id
      func texts(_ query: String) async throws -> [String] {
        let list = try await server.exchange(GatewayServer.stored(id, "/input_items\(query)")).json
        #expect(list["object"] == "list" && list["has_more"] != nil)
        let data = list["data"]?.arrayValue ?? []
        #expect(data.first?["id"] == (list["first_id"]?.isNull == true ? nil : list["first_id"]))
        return data.compactMap { $0["content"]?.arrayValue?.first?["text"]?.stringValue }
      }
      // The instructions are no item.
      #expect(try await texts("") == ["2", "1", "0"])
      #expect(try await texts("?order=asc&limit=2") == ["0", "1"])
      let first = try await server.exchange(GatewayServer.stored(id, "/input_items?limit=1")).json
      #expect(first["has_more"] == true)
      #expect(try await texts("?after=\(first["last_id"]?.stringValue ?? "")&include%5B%5D=x") == ["1", "0"])
      for query in ["?limit=0", "?limit=101", "?order=up"] {
        #expect(await server.status(GatewayServer.stored(id, "/input_items\(query)")) == 400)
      }
    }
  }

  @Test @LoopActor
  func anotherKeySeesNothing() async throws {
    try await GatewayServer.run(Self.keys) { server in
      server.answerAll(["a"])
      let id = try await server.exchange(GatewayServer.response(key: "alice-key")).json.id
      for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")] {
        #expect(
          await server.status(GatewayServer.request(method, "/v1/responses/\(id)\(path)", key: "bob-key")) == 404)
      }
      let next = GatewayServer.response(more: #","previous_response_id":"\#(id)""#, key: "bob-key")
      #expect(await server.status(next) == 400)
      #expect(await server.status(GatewayServer.stored(id, key: "alice-key")) == 200)
    }
  }

  @Test @LoopActor
  func aDeletedResponseIsUnknown() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let id = try await server.exchange(GatewayServer.response("one")).json.id
      let next = try await server.exchange(
        GatewayServer.response("two", more: #","previous_response_id":"\#(id)""#)
      ).json
      let deleted = try await server.exchange(GatewayServer.request("DELETE", "/v1/responses/\(id)"))
      #expect(deleted.status == 200)
      #expect(deleted.json == ["id": .string(id), "object": "response", "deleted": true])
      for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items")] {
        #expect(await server.status(GatewayServer.request(method, "/v1/responses/\(id)\(path)")) == 404)
      }
      // Those that go on from it stay, and can be gone on from.
      #expect(await server.status(GatewayServer.stored(next.id)) == 200)
      #expect(
        await server.status(GatewayServer.response("three", more: #","previous_response_id":"\#(next.id)""#))
          == 200)
    }
  }

  @Test @LoopActor
  func aResponseGoesOnInItsThread() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let first = try await server.exchange(GatewayServer.response("one")).json
      let second = try await server.exchange(
        GatewayServer.response("two", more: #","previous_response_id":"\#(first.id)""#)
      ).json
      #expect(second["previous_response_id"] == .string(first.id))
      #expect(server.engine.started[1].request.thread == .existing(ThreadID("thread-1")))
      #expect(server.engine.started[1].request.input == [.text("two")])
    }
  }

  /// The thread is lost, and with it what the model knew; the image was too large to keep.
  @Test @LoopActor
  func whatWasSaidWithAnImageIsToldAgainWithoutIt() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let body =
        #"{"input":[{"role":"user","content":[{"type":"input_text","text":"one"},{"type":"input_image","image_url":"\#(TestImage.dataURL)"}]}]}"#
      let first = try await server.exchange(GatewayServer.post("/v1/responses", body))
      try #require(first.status == 200)
      // Nothing of it may go on in the thread.
      let more = #","previous_response_id":"\#(first.json.id)","store":false"#
      let second = try await server.exchange(GatewayServer.response("two", more: more))
      #expect(second.status == 200)
      let history = try #require(server.engine.started.last).request.history
      #expect(history == [.message(.user, [.text("one")]), .message(.assistant, [.text("a")])])
    }
  }

  // MARK: Followed

  @Test @LoopActor
  func aStreamIsToldAgain() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["one ", "two ", "three"])
      let body = try await server.exchange(GatewayServer.response(stream: true)).body
      let id = try #require(ResponseEvents(body).id)
      let again = try await server.exchange(GatewayServer.stored(id, "?stream=true&include_obfuscation=true"))
      #expect(again.status == 200 && again.field("content-type") == "text/event-stream; charset=utf-8")
      #expect(ResponseEvents(again.body).problems == [])
      #expect(ResponseEvents(again.body).deltas == ["one ", "two ", "three"])
      let rest = try await server.exchange(GatewayServer.stored(id, "?starting_after=4&stream=true"))
      let events = ResponseEvents(rest.body, after: 4)
      #expect(events.problems == [] && events.deltas == ["two ", "three"])
      for number in ["-1", "x", ""] {
        #expect(await server.status(GatewayServer.stored(id, "?stream=true&starting_after=\(number)")) == 400)
      }
      #expect(try await server.exchange(GatewayServer.stored(id, "?stream=false")).json["status"] == "completed")
    }
  }

  /// An answer that was sent whole is told as its object.
  @Test @LoopActor
  func aWholeResponseIsToldAsAStream() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["one ", "two"])
      let object = try await server.exchange(GatewayServer.response()).json
      let events = ResponseEvents(try await server.exchange(GatewayServer.stored(object.id, "?stream=true")).body)
      #expect(events.problems == [] && events.deltas == ["one two"])
      #expect(events.items.map { $0["id"] } == object["output"]?.arrayValue?.map { $0["id"] })
    }
  }

  @Test @LoopActor
  func whoeverIsCutOffComesBackForTheRest() async throws {
    try await GatewayServer.run(Self.longGrace) { server in
      let (client, turn, id) = try await begun(server)
      let number = try #require(client.responseEvents.last?["sequence_number"]?.intValue)
      client.close()
      #expect(await eventually { server.connectionCount == 0 })
      turn.events.push(.answer(EscapedText("two ")))
      #expect(!turn.isInterrupted)
      let second = try await server.connect()
      second.send(GatewayServer.stored(id, "?stream=true&starting_after=\(number)"))
      await second.wait { $0.contains("two ") }
      turn.answer(["three"])
      let response = try #require(await second.responses(1).first)
      let events = ResponseEvents(response.body, after: number)
      #expect(events.problems == [] && events.deltas == ["two ", "three"])
      #expect(events.response?.outputText == "one two three")
      #expect(try await server.response(id, at: "completed").outputText == "one two three")
      second.close()
    }
  }

  @Test @LoopActor
  func whoeverIsNotMissedEndsTheTurn() async throws {
    try await GatewayServer.run(["CODEX_RETRY_GRACE": "0"]) { server in
      let (client, turn, id) = try await begun(server)
      client.close()
      #expect(await eventually { turn.isInterrupted })
      let kept = try await server.response(id, at: "cancelled")
      #expect(kept.outputText == "one ")
    }
  }

  @Test @LoopActor
  func aResponseWithoutAStreamCannotBeFollowed() async throws {
    try await GatewayServer.run { server in
      try await server.makeDatabase()
      let client = try await server.connect()
      client.send(GatewayServer.response())
      let turn = try await server.turn(1)
      let id = try await server.unfinishedResponse()
      let refused = try await server.exchange(GatewayServer.stored(id, "?stream=true"))
      #expect(refused.status == 400 && refused.json["error"]?["param"] == "stream")
      turn.answer(["a"])
      #expect(await client.responses(1).first?.status == 200)
      client.close()
    }
  }

  // MARK: In the background

  @Test @LoopActor
  func aResponseInTheBackground() async throws {
    try await GatewayServer.run { server in
      let queued = try await server.exchange(GatewayServer.response(more: Self.background))
      #expect(queued.status == 200 && queued.json["status"] == "queued" && queued.json["background"] == true)
      #expect(queued.json["output"] == [])
      let turn = try await server.turn(1)
      #expect(await eventually { server.connectionCount == 0 })
      #expect(try await server.response(queued.json.id, at: "in_progress")["created_at"]?.intValue != nil)
      #expect(!turn.isInterrupted)
      turn.answer(["a"])
      let ended = try await server.response(queued.json.id, at: "completed")
      #expect(ended.outputText == "a" && ended["usage"]?["total_tokens"] == 5)
    }
  }

  /// Each of two clients that ask the same has been told an id of its own, under which it asks for the answer.
  @Test @LoopActor
  func twoThatAskTheSameInTheBackgroundAreTwoTurns() async throws {
    try await GatewayServer.run(Self.longGrace) { server in
      var ids: [String] = []
      for _ in 0..<2 {
        ids.append(try await server.exchange(GatewayServer.response(more: Self.background)).json.id)
        #expect(await eventually { server.connectionCount == 0 })
      }
      _ = try await server.turn(2)
      for (turn, text) in zip(server.engine.started, ["a", "b"]) { turn.answer([text]) }
      var texts: [String] = []
      for id in ids { texts.append(try await server.response(id, at: "completed").outputText) }
      #expect(texts.sorted() == ["a", "b"])
      // Neither does one that comes when the others have ended.
      server.answerAll(["c"])
      let third = try await server.exchange(GatewayServer.response(more: Self.background)).json.id
      #expect(try await server.response(third, at: "completed").outputText == "c")
    }
  }

  /// A retry of an SDK is told the id of the first.
  @Test @LoopActor
  func aMarkedRetryInTheBackgroundIsTheFirst() async throws {
    try await GatewayServer.run { server in
      var ids: [String] = []
      for count in 0..<3 {
        let fields = ["X-Stainless-Retry-Count: \(count)"]
        ids.append(
          try await server.exchange(GatewayServer.response(more: Self.background, fields: fields)).json.id)
        if count == 1 {
          try await server.turn(1).answer(["a"])
          _ = try await server.response(ids[0], at: "completed")
        }
      }
      #expect(Set(ids).count == 1 && server.engine.started.count == 1)
    }
  }

  @Test @LoopActor
  func aTurnInTheBackgroundThatDoesNotStartHasFailed() async throws {
    try await GatewayServer.run { server in
      server.engine.refusals = [.rejected("no")]
      let queued = try await server.exchange(GatewayServer.response(more: Self.background)).json
      let failed = try await server.response(queued.id, at: "failed")
      #expect(failed["error"]?["message"]?.stringValue?.isEmpty == false)
    }
  }

  @Test @LoopActor
  func aResponseInTheBackgroundIsCancelled() async throws {
    try await GatewayServer.run { server in
      let id = try await server.exchange(GatewayServer.response(more: Self.background)).json.id
      let turn = try await server.turn(1)
      turn.events.push(.answer(EscapedText("half")))
      let cancelled = try await server.exchange(cancel(id))
      #expect(cancelled.status == 200 && cancelled.json["status"] == "cancelled")
      #expect(cancelled.json.outputText == "half" && turn.isInterrupted)
      #expect(try await server.exchange(cancel(id)).json == cancelled.json)
      #expect(try await server.exchange(GatewayServer.stored(id)).json == cancelled.json)
      let events = ResponseEvents(try await server.exchange(GatewayServer.stored(id, "?stream=true")).body)
      #expect(events.problems == [])
      #expect(events.types.last == "response.incomplete")
    }
  }

  @Test @LoopActor
  func oneThatHasNotStartedIsCancelled() async throws {
    try await GatewayServer.run { server in
      server.engine.holdsStarts = true
      let id = try await server.exchange(GatewayServer.response(more: Self.background)).json.id
      #expect(await eventually { server.engine.heldStarts.count == 1 })
      let client = try await server.connect()
      client.send(cancel(id))
      #expect(await eventually { server.engine.heldStarts.first?.isInterrupted == true })
      server.engine.holdsStarts = false
      #expect(await client.responses(1).first?.json["status"] == "cancelled")
      #expect(server.engine.started.isEmpty)
      client.close()
    }
  }

  @Test @LoopActor
  func whatHasEndedIsNotCancelled() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let id = try await server.exchange(GatewayServer.response(more: Self.background)).json.id
      let ended = try await server.response(id, at: "completed")
      #expect(try await server.exchange(cancel(id)).json == ended)
      let plain = try await server.exchange(GatewayServer.response("other")).json.id
      let refused = try await server.exchange(cancel(plain))
      #expect(refused.status == 400 && refused.json["error"]?["param"] == JSONValue.null)
    }
  }

  /// A stream in the background that is cancelled ends for everybody who reads it.
  @Test @LoopActor
  func aCancelledStreamEndsForItsReaders() async throws {
    try await GatewayServer.run { server in
      let (client, _, id) = try await begun(server, more: Self.background)
      let second = try await server.connect()
      second.send(GatewayServer.stored(id, "?stream=true"))
      await second.wait { $0.contains("one ") }
      #expect(try await server.exchange(cancel(id)).json["status"] == "cancelled")
      for reader in [client, second] {
        let events = ResponseEvents(try #require(await reader.responses(1).first).body)
        #expect(events.problems == [] && events.response?["status"] == "cancelled")
        reader.close()
      }
    }
  }

  @Test(arguments: [0, 1]) @LoopActor
  func aSlowReaderIsCutAlone(_ slow: Int) async throws {
    try await GatewayServer.run { server in
      let (first, turn, id) = try await begun(server, more: Self.background)
      let second = try await server.connect()
      second.send(GatewayServer.stored(id, "?stream=true"))
      await second.wait { $0.contains("one ") }
      let clients = [first, second]
      let other = clients[1 - slow]
      let byteCount = await server.answer(turn, to: other, whileReadsNothing: clients[slow])
      let events = ResponseEvents(TestResponse.parse(bytes: other.received).first?.body ?? "")
      #expect(events.problems == [])
      #expect(events.deltas.reduce(0) { $0 + $1.utf8.count } == 4 + byteCount)
      for client in clients { client.close() }
    }
  }
}
