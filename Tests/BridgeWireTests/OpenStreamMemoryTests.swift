// What a stream holds while it waits for tokens: counted as the C library counts, in bytes that are in use.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct OpenStreamMemoryTests {
  private static let streams = 100
  /// A debug build's, with its client: 5,000 bytes, and 19,400 when the task that starts the turn waits for its end.
  private static let limit = 10_000

  /// In a process of its own: the heap belongs to all tests of this one, and others allocate meanwhile.
  @Test(.enabled(if: HeapUse.isCounted)) func anOpenStreamHoldsNeitherItsRequestNorTheWayToItsTurn() async throws {
    await #expect(processExitsWith: .success) {
      try await LoopTrait.run { try await Self.measure() }
    }
  }

  /// A prompt is a hundred times what a stream may hold, so keeping a part of one would show as well.
  @LoopActor
  private static func measure() async throws {
    try await GatewayServer.run(["CODEX_MAX_CONCURRENT_TURNS": "1000"]) { server in
      server.engine.script = { turn in
        turn.forgetContent()
        turn.events.push(.answer(EscapedText("a")))
      }
      let prompt = GatewayServer.chat(String(repeating: "x", count: 1 << 20), stream: true)
      // What is made once is made by the first.
      var clients = [try await open(server, prompt)]
      let before = try HeapUse.bytes()
      for _ in 0..<streams { clients.append(try await open(server, prompt)) }
      let each = (try HeapUse.bytes() - before) / streams
      #expect(each < limit, "an open stream holds \(each) bytes")
      for turn in server.engine.started { turn.answer([]) }
      for client in clients { client.close() }
    }
  }

  /// A client that has seen the first piece of its answer.
  @LoopActor
  private static func open(_ server: GatewayServer, _ request: String) async throws -> TestClient {
    let client = try await server.connect()
    client.send(request)
    await client.wait(forBytes: { String(decoding: $0, as: UTF8.self).contains("\"content\":\"a\"") })
    return client
  }
}
