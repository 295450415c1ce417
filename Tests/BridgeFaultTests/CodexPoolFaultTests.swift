// Codex processes that follow each other while turns run.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .serialized)
struct CodexPoolFaultTests {
  /// Runs `body` with a pool of fakes; afterwards none of their processes is left.
  @LoopActor
  private func withPool(
    _ limits: CodexSlot.Limits = .init(),
    processes: ClosedRange<Int> = 1...1,
    idleTime: Duration = .seconds(300),
    options: String = "",
    _ body: @LoopActor (CodexPool, FakeCodex) async throws -> Void
  ) async throws {
    try await FakeCodex.run(options) { fake in
      let pool = CodexPool(processes: processes, limits: limits, idleTime: idleTime, make: fake.makeEngine)
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
      for process in left { #expect(await eventually { kill(process, 0) != 0 }) }
    }
  }

  @LoopActor
  private func start(_ text: String, _ pool: CodexPool, thread: TurnRequest.Thread = .ephemeral) async throws
    -> Turn
  {
    let turn = Turn(TurnRequest(thread: thread, input: [.text(text)]), requestID: "test")
    try await pool.start(turn)
    return turn
  }

  @LoopActor
  private func start(_ count: Int, _ text: String, _ pool: CodexPool) async throws -> [Turn] {
    var turns: [Turn] = []
    while turns.count < count { turns.append(try await start(text, pool)) }
    return turns
  }

  /// Looks until another process has taken over.
  @LoopActor
  private func succeeded(_ pool: CodexPool, _ reason: CodexSlot.Reason) async -> Bool {
    await eventually {
      pool.look()
      return pool.successions == [reason: 1]
    }
  }

  @Test @LoopActor
  func afterSoManyTurnsAnotherProcessTakesOver() async throws {
    try await withPool(.init(turns: 2)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      for _ in 0..<2 { _ = await FakeCodex.Outcome(try await start("demo: tokens=1", pool)) }
      #expect(await succeeded(pool, .turns))
      let outcome = await FakeCodex.Outcome(try await start("demo: tokens=2", pool))
      #expect(outcome.answer == "t0 t1 ")
      #expect(pool.status.processIDs.last != before)
      #expect(await eventually { kill(before, 0) != 0 }, "the process before is still there")
      #expect(pool.status.restarts == 1)
      // However many turns, not again so soon.
      for _ in 0..<4 { _ = await FakeCodex.Outcome(try await start("demo: tokens=1", pool)) }
      pool.look()
      #expect(pool.successions == [.turns: 1])
    }
  }

  @Test @LoopActor
  func theTurnsOfTheProcessBeforeAreNotLost() async throws {
    try await withPool(.init(turns: 3)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let long = [
        try await start("demo: tokens=200 delay=20", pool),
        try await start("demo: tokens=200 delay=20", pool, thread: .persistent),
      ]
      _ = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(await succeeded(pool, .turns))
      #expect(pool.runningTurns == 2)
      #expect(pool.status.processIDs.count == 2)
      let other = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(other.isCompleted)
      for turn in long {
        let outcome = await FakeCodex.Outcome(turn)
        #expect(outcome.isCompleted)
        #expect(outcome.answer.split(separator: " ").count == 200)
      }
      pool.look()
      #expect(await eventually { kill(before, 0) != 0 })
      #expect(pool.status.processIDs.count == 1)
    }
  }

  @Test @LoopActor
  func aProcessThatUsesTooMuchMemoryIsFollowed() async throws {
    try await withPool(.init(residentBytes: 1 << 20)) { pool, _ in
      #expect(await succeeded(pool, .memory))
      // The fresh one exceeds it too; that must not start one after the other.
      for _ in 0..<3 { pool.look() }
      #expect(pool.successions == [.memory: 1])
    }
  }

  @Test @LoopActor
  func anOldProcessIsFollowed() async throws {
    try await withPool(.init(age: .milliseconds(10))) { pool, _ in
      await Loop.sleep(.milliseconds(20))
      #expect(await succeeded(pool, .age))
    }
  }

  @Test @LoopActor
  func aChangedLoginIsReadByAFreshProcess() async throws {
    try await withPool { pool, fake in
      pool.look()
      #expect(pool.successions == [:])
      try fake.home.write("{}", to: "auth.json")
      #expect(await succeeded(pool, .login))
      for _ in 0..<3 { pool.look() }
      #expect(pool.successions == [.login: 1])
    }
  }

  @Test @LoopActor
  func aLoginIsNoticed() async throws {
    try await withPool(options: "not-logged-in") { pool, fake in
      #expect(pool.unavailability == .notLoggedIn)
      try fake.setOptions("")
      try fake.home.write("{}", to: "auth.json")
      #expect(await succeeded(pool, .login))
      #expect(pool.unavailability == nil)
      let outcome = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func oneThatDoesNotStartTakesNothingOver() async throws {
    try await withPool(.init(turns: 1)) { pool, fake in
      _ = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      try fake.setOptions("exit-at-start=3")
      for _ in 0..<5 {
        pool.look()
        await Loop.sleep(.milliseconds(20))
      }
      let outcome = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(outcome.isCompleted)
      #expect(pool.successions == [:])
      #expect(pool.unavailability == nil)
    }
  }

  @Test @LoopActor
  func aProcessThatDiesWhileItEndsItsTurnsIsNotStartedAgain() async throws {
    try await withPool(.init(turns: 1)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let turn = try await start("demo: tokens=100 delay=50", pool)
      #expect(await succeeded(pool, .turns))
      #expect(kill(before, SIGKILL) == 0)
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.failure == .crashed)
      pool.look()
      #expect(pool.status.processIDs.count == 1)
      #expect(pool.status.processIDs.first != before)
      let next = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(next.isCompleted)
    }
  }

  @Test @LoopActor
  func severalProcessesShareTheTurns() async throws {
    try await withPool(processes: 2...2) { pool, _ in
      #expect(await eventually { Set(pool.status.processIDs).count == 2 })
      let turns = try await [start("demo: hang", pool), start("demo: hang", pool)]
      #expect(pool.runningTurns == 2)
      for turn in turns {
        turn.interrupt()
        #expect(await !FakeCodex.Outcome(turn).isCompleted)
      }
      // A loaded thread stays where it is.
      let first = try await start("demo: tokens=1", pool, thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      let again = await FakeCodex.Outcome(try await start("demo: tokens=1", pool, thread: .existing(thread)))
      #expect(again.isCompleted)
      for process in pool.status.processIDs { #expect(kill(process, SIGKILL) == 0) }
      #expect(await eventually { pool.unavailability != nil })
      #expect(await eventually { pool.unavailability == nil })
      let last = await FakeCodex.Outcome(try await start("demo: tokens=1", pool))
      #expect(last.isCompleted)
    }
  }

  @Test @LoopActor
  func thereAreAsManyProcessesAsTurnsAtOnceNeed() async throws {
    try await withPool(processes: 1...3, idleTime: .milliseconds(100)) { pool, _ in
      var turns: [Turn] = []
      for (number, processes) in [(4, 1), (8, 2), (12, 3), (16, 3)] {
        while turns.count < number { turns.append(try await start("demo: hang", pool)) }
        #expect(await eventually { pool.status.processIDs.count == processes && pool.isReady })
        await Loop.sleep(.milliseconds(120))
        pool.look()
        #expect(pool.status.processIDs.count == processes, "with \(number) turns")
      }
      let all = pool.status.processIDs
      for turn in turns {
        turn.interrupt()
        #expect(await !FakeCodex.Outcome(turn).isCompleted)
      }
      // One at a time, and the first stays.
      for left in [2, 1, 1] {
        await Loop.sleep(.milliseconds(120))
        pool.look()
        #expect(await eventually { pool.status.processIDs == Array(all.prefix(left)) })
      }
      for process in all.dropFirst() { #expect(await eventually { kill(process, 0) != 0 }) }
      #expect(await FakeCodex.Outcome(try await start("demo: tokens=1", pool)).isCompleted)
      #expect(pool.status.restarts == 0)
      // Once more: what was closed can be opened.
      let again = try await start(5, "demo: tokens=20 delay=20", pool)
      #expect(await eventually { pool.status.processIDs.count == 2 && pool.isReady })
      for turn in again { #expect(await FakeCodex.Outcome(turn).isCompleted) }
      #expect(pool.status.restarts == 0)
    }
  }

  @Test @LoopActor
  func aProcessThatIsNoLongerNeededEndsItsTurns() async throws {
    try await withPool(processes: 1...2, idleTime: .milliseconds(50)) { pool, _ in
      let hanging = try await start(5, "demo: hang", pool)
      #expect(await eventually { pool.status.processIDs.count == 2 && pool.isReady })
      let second = try #require(pool.status.processIDs.last)
      // The others are in the first process, so these are in the second.
      let persistent = try await start("demo: tokens=1", pool, thread: .persistent)
      #expect(await FakeCodex.Outcome(persistent).isCompleted)
      let thread = try #require(persistent.threadID)
      let long = try await start("demo: tokens=40 delay=20", pool)
      for turn in hanging {
        turn.interrupt()
        #expect(await !FakeCodex.Outcome(turn).isCompleted)
      }
      #expect(
        await eventually {
          pool.look()
          return pool.openProcesses == 1
        })
      #expect(pool.runningTurns == 1)
      #expect(kill(second, 0) == 0)
      let outcome = await FakeCodex.Outcome(long)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.split(separator: " ").count == 40)
      let again = await FakeCodex.Outcome(try await start("demo: tokens=1", pool, thread: .existing(thread)))
      #expect(again.isCompleted)
      pool.look()
      #expect(await eventually { kill(second, 0) != 0 })
      #expect(pool.status.processIDs.count == 1)
    }
  }

  @Test @LoopActor
  func oneMoreThatDoesNotStartHarmsNobody() async throws {
    try await withPool(processes: 1...3, idleTime: .milliseconds(50)) { pool, fake in
      try fake.setOptions("exit-at-start=3")
      let turns = try await start(12, "demo: tokens=10 delay=20", pool)
      #expect(await eventually { pool.status.restarts > 0 })
      #expect(pool.openProcesses == 2, "another was started although the one before it does not work")
      #expect(pool.unavailability == nil)
      for turn in turns { #expect(await FakeCodex.Outcome(turn).isCompleted) }
      #expect(
        await eventually {
          pool.look()
          return pool.openProcesses == 1
        })
      #expect(await eventually { pool.status.processIDs.count == 1 })
      #expect(await FakeCodex.Outcome(try await start("demo: tokens=1", pool)).isCompleted)
    }
  }

  @Test @LoopActor
  func aHangBetweenTurnsIsNoticed() async throws {
    try await withPool { pool, _ in
      let process = try #require(pool.status.processIDs.first)
      #expect(kill(process, SIGSTOP) == 0)
      #expect(await eventually { pool.unavailability == .unresponsive })
      await #expect(throws: EngineError.unavailable(.unresponsive)) { _ = try await start("hi", pool) }
      // Whoever only paused is used again, and what stays silent is replaced.
      #expect(kill(process, SIGCONT) == 0)
      #expect(await eventually { pool.unavailability == nil })
      let next = try #require(pool.status.processIDs.first)
      #expect(kill(next, SIGSTOP) == 0)
      #expect(await eventually { pool.status.processIDs.first != next && pool.unavailability == nil })
      #expect(await FakeCodex.Outcome(try await start("demo: tokens=1", pool)).isCompleted)
    }
  }
}
