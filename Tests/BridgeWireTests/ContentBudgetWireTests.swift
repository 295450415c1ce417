// The bound on what all requests hold together.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ContentBudgetWireTests {
  private static let body = #"{"messages":[{"role":"user","content":"hi"}]}"#

  @Test @LoopActor
  func requestsThatHoldTooMuchTogetherAreRefused() async throws {
    // What a body becomes in memory counts beside it.
    try await GatewayServer.run(paces: Paces(contentBytes: 7600)) { server in
      server.answerAll(["a"])
      let waiting = try await server.connect()
      // Most of a body: what has come is held.
      let large = GatewayServer.chat(String(repeating: "x", count: 3500))
      waiting.send(String(large.dropLast(10)))
      for _ in 0..<20 { await Loop.nextTurn() }
      let response = try await server.exchange(GatewayServer.chat(String(repeating: "y", count: 2000)))
      #expect(response.status == 503)
      #expect(response.error("code") == "overloaded")
      #expect(response.field("retry-after") == "1")
      #expect(await server.status(GatewayServer.chat("small")) == 200)
      waiting.send(String(large.suffix(10)))
      #expect(await waiting.responses(1).first?.status == 200)
      waiting.close()
      // Given back, so that the next one of that size is answered.
      #expect(await server.status(GatewayServer.chat(String(repeating: "y", count: 2000))) == 200)
    }
  }

  @Test @LoopActor
  func aRunningTurnHoldsNothing() async throws {
    try await GatewayServer.run(paces: Paces(contentBytes: 8 << 10)) { server in
      var clients: [TestClient] = []
      for number in 1...4 {
        let client = try await server.connect()
        client.send(GatewayServer.chat(String(repeating: "x", count: 3000)))
        _ = try await server.turn(number)
        clients.append(client)
      }
      for turn in server.engine.started { turn.answer(["a"]) }
      for client in clients {
        #expect(await client.responses(1).first?.status == 200)
        client.close()
      }
    }
  }

  /// A few bytes can stand for a value that takes many times as many: those count, not the bytes as sent.
  @Test @LoopActor
  func whatABodyBecomesInMemoryCounts() async throws {
    try await GatewayServer.run(paces: Paces(contentBytes: 200 << 10)) { server in
      server.answerAll(["a"])
      let schema = { (count: Int) in
        #"{"enum":[\#(Array(repeating: "1", count: count).joined(separator: ","))]}"#
      }
      let request = { (count: Int) in
        GatewayServer.chat(more: #","output_schema":\#(schema(count))"#)
      }
      #expect(await server.status(request(2000)) == 200)
      // Forty thousand bytes as sent.
      let response = try await server.exchange(request(20_000))
      #expect(response.status == 503)
      #expect(response.error("code") == "overloaded")
    }
  }

  /// Twelve bytes of memory for each byte of text, and more.
  @Test @LoopActor
  func aBodyThatGrowsTooMuchIsRefused() async throws {
    try await GatewayServer.run { server in
      server.answerAll(["a"])
      let ones = Array(repeating: "1", count: 600_000).joined(separator: ",")
      for values in [ones, Array(repeating: "1", count: 1_500_000).joined(separator: ",")] {
        let response = try await server.exchange(GatewayServer.chat(more: ",\"metadata\":[\(values)]"))
        #expect(response.status == 400)
        #expect(response.body.contains("too much"))
        #expect(!response.body.contains("not valid JSON"))
      }
      let deep = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
      let response = try await server.exchange(GatewayServer.chat(more: ",\"metadata\":\(deep)"))
      #expect(response.status == 400)
      #expect(response.body.contains("nested too deeply"))
      #expect(!response.body.contains("not valid JSON"))
    }
  }
}
