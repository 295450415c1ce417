// A pool of fake Codex processes.

import Glibc
import Testing

@testable import Bridge

extension CodexPool {
  /// Runs `body` with a pool of fakes; afterwards none of their processes is left.
  @LoopActor
  static func withFakes(
    _ limits: CodexSlot.Limits = .init(),
    processes: ClosedRange<Int> = 1...1,
    pace: Pace = .init(),
    options: String = "",
    adjust: (inout CodexOptions) -> Void = { _ in },
    _ body: @LoopActor (CodexPool, FakeCodex) async throws -> Void
  ) async throws {
    try await FakeCodex.run(options, adjust: adjust) { fake in
      let pool = CodexPool(processes: processes, limits: limits, pace: pace, make: fake.makeEngine)
      pool.start()
      #expect(await eventually { pool.unavailability != .starting })
      do {
        try await body(pool, fake)
      } catch {
        await pool.stop()
        throw error
      }
      let left = pool.status.processIDs
      await pool.stop()
      for process in left { #expect(kill(process, 0) != 0, "process \(process) outlives its pool") }
    }
  }

  /// Starts a turn with this text.
  func start(_ text: String, thread: TurnRequest.Thread = .ephemeral) async throws -> Turn {
    let turn = Turn(TurnRequest(thread: thread, input: [.text(text)]), requestID: "test")
    try await start(turn)
    return turn
  }

  /// Starts as many turns.
  func start(_ count: Int, _ text: String, thread: TurnRequest.Thread = .ephemeral) async throws -> [Turn] {
    var turns: [Turn] = []
    while turns.count < count { turns.append(try await start(text, thread: thread)) }
    return turns
  }
}

extension CodexPool.Pace {
  /// For tests that call `look` themselves.
  static func byHand(idle: Duration) -> Self { Self(interval: .seconds(3600), idle: idle) }
}
