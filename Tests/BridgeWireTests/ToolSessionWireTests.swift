// Sessions with functions of the client whose threads are copied, and which are not.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ToolSessionWireTests {
  private func ask(_ text: String, functions: [String] = ["f", "g"]) -> String {
    let tools = functions.map { #"{"type":"function","function":{"name":"\#($0)"}}"# }.joined(separator: ",")
    return GatewayServer.chat(text, more: ",\"session_id\":\"s\",\"tools\":[\(tools)]")
  }

  /// A session with one turn behind it, on a thread that would be loaded again.
  @LoopActor
  private func begun(_ server: GatewayServer) async throws {
    server.answerAll(["a"])
    _ = try await server.exchange(ask("1"))
    server.engine.threadItems = ThreadItems(texts: ["{}"])
    server.engine.threadStanding = .loadedAgain
  }

  @Test @LoopActor
  func aThreadThatIsLoadedAgainIsCopied() async throws {
    try await GatewayServer.run { server in
      try await begun(server)
      let response = try await server.exchange(ask("2"))
      #expect(response.status == 200 && response.field("x-bridge-session-restarted") == nil)
      #expect(response.field("x-bridge-session-state") != "restarted")
      let request = try #require(server.engine.started.last).request
      #expect(request.thread == .persistent && request.base == ["{}"] && request.input == [.text("2")])
      try #require(await eventually { server.engine.deleted == [ThreadID("thread-1")] })
      server.engine.threadStanding = .whole
      _ = try await server.exchange(ask("3"))
      #expect(server.engine.started.last?.request.thread == .existing(ThreadID("thread-2")))
    }
  }

  /// Codex does not promise the form of its items.
  @Test @LoopActor
  func whatCannotBeCopiedGoesOnAsItIs() async throws {
    try await GatewayServer.run { server in
      try await begun(server)
      server.engine.refusals = [.rejected("items[0] is not a valid response item")]
      #expect(try await server.exchange(ask("refused")).status == 200)
      server.engine.threadItems = nil
      #expect(try await server.exchange(ask("unreadable")).status == 200)
      let threads = server.engine.started.dropFirst().map(\.request.thread)
      #expect(threads == [.existing(ThreadID("thread-1")), .existing(ThreadID("thread-1"))])
      #expect(server.engine.deleted == [])
    }
  }

  @Test @LoopActor
  func aThreadIsNotLeftWhereThatWouldLoseSomething() async throws {
    try await GatewayServer.run { server in
      try await begun(server)
      #expect(try await server.exchange(ask("fewer functions", functions: ["f"])).status == 200)
      #expect(try await server.exchange(ask("no functions", functions: [])).status == 200)
      server.engine.threadStanding = .bound
      #expect(try await server.exchange(ask("commands run")).status == 200)
      let threads = Set(server.engine.started.dropFirst().map(\.request.thread.id))
      #expect(threads == [ThreadID("thread-1")] && server.engine.started.count == 4)
    }
  }
}
