// What a stream holds while it waits for tokens: counted as the C library counts, in bytes that are in use.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct OpenStreamMemoryTests {
  /// Several times as many, and the smallest figure counts: tests that need no loop run meanwhile and allocate too.
  private static let rounds = 5
  private static let streams = 20
  /// A debug build's, with its client: about 10,600 bytes, and 20,000 when the task that waits had started the turn too.
  private static let limit = 15_000

  /// A prompt is seventy times what a stream may hold, so keeping a part of one would show as well.
  @Test @LoopActor
  func anOpenStreamHoldsNeitherItsRequestNorTheWayToItsTurn() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1000"]) { server in
      server.engine.script = { turn in
        turn.forgetContent()
        turn.events.push(.answer(EscapedText("a")))
      }
      let prompt = GatewayServer.chat(String(repeating: "x", count: 1 << 20), stream: true)
      // What is made once is made by the first.
      var clients = [try await open(server, prompt)]
      var least = Int.max
      for _ in 0..<Self.rounds {
        let before = try HeapUse.bytes()
        for _ in 0..<Self.streams { clients.append(try await open(server, prompt)) }
        least = min(least, (try HeapUse.bytes() - before) / Self.streams)
      }
      #expect(least < Self.limit, "an open stream holds \(least) bytes")
      for turn in server.engine.started { turn.answer([]) }
      for client in clients { client.close() }
    }
  }

  /// A client that has seen the first piece of its answer.
  @LoopActor
  private func open(_ server: GatewayServer, _ request: String) async throws -> TestClient {
    let client = try await server.connect()
    client.send(request)
    await client.wait(forBytes: { String(decoding: $0, as: UTF8.self).contains("\"content\":\"a\"") })
    return client
  }
}
