// Turns that wait for their clients while their process is replaced, and while time goes by.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .serialized)
struct ParkedTurnFaultTests {
  /// Starts a turn that calls a function, and waits until it waits for the output. Returns the turn and the call.
  @LoopActor
  private func park(_ engine: any TurnEngine) async throws -> (turn: Turn, call: Conversation.ToolCall) {
    var request = TurnRequest(thread: .ephemeral, input: [.text("demo: call=get_weather:{}")])
    request.tools.functions = [Conversation.Tool(name: "get_weather", parameters: ["type": "object"])]
    let turn = Turn(request, requestID: "test")
    try await engine.start(turn)
    while true {
      for case .toolCalls(let open) in await turn.events.next() { return (turn, try #require(open.calls.first)) }
      try #require(!turn.events.hasEnded)
    }
  }

  @LoopActor
  private func answer(_ turn: Turn, _ call: Conversation.ToolCall) async -> FakeCodex.Outcome {
    let output = Conversation.ToolOutput(callID: call.id, parts: [.text("sunny")])
    turn.resume(with: ToolReply(outputs: [output], offered: [call.name]))
    return await FakeCodex.Outcome(turn)
  }

  /// Parks a turn in a process that another takes over from.
  @LoopActor
  private func withRetired(
    _ body: @LoopActor (CodexPool, _ before: Int32, Turn, Conversation.ToolCall) async throws -> Void,
    adjust: (inout CodexOptions) -> Void = { _ in }
  ) async throws {
    let pace = CodexPool.Pace.byHand(idle: .seconds(3600))
    try await CodexPool.withFakes(.init(turns: 1), pace: pace, adjust: adjust) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let (turn, call) = try await park(pool)
      #expect(
        await eventually {
          pool.checkProcesses()
          return pool.successions == [.turns: 1]
        })
      try await body(pool, before, turn, call)
    }
  }

  /// Ends what has to end, and waits for it.
  @LoopActor
  private func isGone(_ process: Int32, _ pool: CodexPool) async -> Bool {
    await eventually {
      pool.checkProcesses()
      return kill(process, 0) != 0
    }
  }

  @Test @LoopActor
  func whoReturnsSoonGoesOnInTheProcessBefore() async throws {
    try await withRetired { pool, before, turn, call in
      #expect(kill(before, 0) == 0)
      // It counts for nothing where new turns go.
      let other = try await pool.start("demo: tokens=1")
      #expect(await FakeCodex.Outcome(other).answer == "t0 ")
      let outcome = await answer(turn, call)
      #expect(outcome.isCompleted && outcome.answer == "get_weather said: sunny", "\(outcome)")
      #expect(await isGone(before, pool))
    }
  }

  @Test @LoopActor
  func theProcessBeforeDoesNotWaitForLong() async throws {
    try await withRetired { pool, before, turn, _ in
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.outcome == .interrupted(TokenUsage()), "\(outcome)")
      #expect(turn.recording.isWhole && turn.recording.items.count == 2)
      #expect(await isGone(before, pool))
    } adjust: {
      $0.timeouts.parked = .zero
    }
  }

  /// The time of the client is not the turn's.
  @Test @LoopActor
  func noClockRunsWhileItWaits() async throws {
    let limit = Duration.seconds(3)
    let adjust = { (options: inout CodexOptions) in
      options.turnTimeout = limit
      options.turnIdleTimeout = limit
    }
    try await FakeCodex.run(adjust: adjust) { fake in
      try await fake.ready()
      let (turn, call) = try await park(fake.engine)
      await Loop.sleep(limit + .seconds(1))
      #expect(!turn.events.hasEnded)
      #expect(await answer(turn, call).isCompleted)
    }
  }

  @Test @LoopActor
  func aProcessThatIsKilledEndsThemAndLeavesTheirItems() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let (turn, _) = try await park(fake.engine)
      let process = try #require(fake.engine.status.processIDs.first)
      #expect(kill(process, SIGKILL) == 0)
      #expect(await FakeCodex.Outcome(turn).failure == .crashed)
      #expect(turn.recording.isWhole && turn.recording.items.count == 2)
      try await fake.ready()
      let other = try await fake.start("demo: tokens=1")
      #expect(await FakeCodex.Outcome(other).isCompleted)
    }
  }
}
