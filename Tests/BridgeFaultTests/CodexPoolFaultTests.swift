// Codex processes that follow each other while turns run.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .serialized)
struct CodexPoolFaultTests {
  /// Looks until another process has taken over.
  @LoopActor
  private func succeeded(_ pool: CodexPool, _ reason: CodexSlot.Reason) async -> Bool {
    await eventually {
      pool.checkProcesses()
      return pool.successions == [reason: 1]
    }
  }

  @Test @LoopActor
  func afterSoManyTurnsAnotherProcessTakesOver() async throws {
    try await CodexPool.withFakes(.init(turns: 2)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      for _ in 0..<2 { _ = await FakeCodex.Outcome(try await pool.start("demo: tokens=1")) }
      #expect(await succeeded(pool, .turns))
      let outcome = await FakeCodex.Outcome(try await pool.start("demo: tokens=2"))
      #expect(outcome.answer == "t0 t1 ")
      #expect(pool.status.processIDs.first != before)
      #expect(await eventually { kill(before, 0) != 0 }, "the process before is still there")
      #expect(pool.status.restarts == 1)
      // However many turns, not again so soon.
      for _ in 0..<4 { _ = await FakeCodex.Outcome(try await pool.start("demo: tokens=1")) }
      pool.checkProcesses()
      #expect(pool.successions == [.turns: 1])
    }
  }

  /// Another process takes over from one that does not end a turn; whoever runs in it runs on.
  @Test @LoopActor
  func aTurnThatDoesNotEndCostsNobodyElseATurn() async throws {
    let pace = CodexPool.Pace.byHand(idle: .seconds(3600))
    try await CodexPool.withFakes(pace: pace, adjust: FakeCodex.hurry) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let long = try await pool.start("demo: tokens=250 delay=30")
      let stuck = try await pool.start("demo: stuck hang", thread: .persistent)
      let thread = try #require(stuck.threadID)
      stuck.interrupt()
      #expect(await FakeCodex.Outcome(stuck).outcome == .interrupted(TokenUsage()))
      #expect(await succeeded(pool, .stuck))
      #expect(pool.status.processIDs.count == 2)
      // The process before still holds the thread, so no other could load it.
      await #expect(throws: EngineError.threadNotFound(thread)) {
        _ = try await pool.start("demo: tokens=1", thread: .existing(thread))
      }
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
      let outcome = await FakeCodex.Outcome(long)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.split(separator: " ").count == 250)
      pool.checkProcesses()
      #expect(await eventually { kill(before, 0) != 0 }, "the process with the stuck turn is still there")
      #expect(
        await FakeCodex.Outcome(try await pool.start("demo: tokens=1", thread: .existing(thread))).isCompleted)
    }
  }

  @Test @LoopActor
  func theTurnsOfTheProcessBeforeAreNotLost() async throws {
    try await CodexPool.withFakes(.init(turns: 3)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let long = [
        try await pool.start("demo: tokens=200 delay=20"),
        try await pool.start("demo: tokens=200 delay=20", thread: .persistent),
      ]
      _ = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(await succeeded(pool, .turns))
      #expect(pool.runningTurns == 2)
      #expect(pool.status.processIDs.count == 2)
      let other = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(other.isCompleted)
      for turn in long {
        let outcome = await FakeCodex.Outcome(turn)
        #expect(outcome.isCompleted)
        #expect(outcome.answer.split(separator: " ").count == 200)
      }
      pool.checkProcesses()
      #expect(await eventually { kill(before, 0) != 0 })
      #expect(pool.status.processIDs.count == 1)
    }
  }

  @Test @LoopActor
  func aProcessThatUsesTooMuchMemoryIsFollowed() async throws {
    try await CodexPool.withFakes(.init(residentBytes: 1 << 20)) { pool, _ in
      #expect(await succeeded(pool, .memory))
      // The fresh one exceeds it too; that must not start one after the other.
      for _ in 0..<3 { pool.checkProcesses() }
      #expect(pool.successions == [.memory: 1])
    }
  }

  @Test @LoopActor
  func anOldProcessIsFollowed() async throws {
    try await CodexPool.withFakes(.init(age: .milliseconds(10))) { pool, _ in
      await Loop.sleep(.milliseconds(20))
      #expect(await succeeded(pool, .age))
    }
  }

  @Test @LoopActor
  func aChangedLoginIsReadByAFreshProcess() async throws {
    try await CodexPool.withFakes { pool, fake in
      pool.checkProcesses()
      #expect(pool.successions == [:])
      try fake.home.write("{}", to: "auth.json")
      #expect(await succeeded(pool, .login))
      for _ in 0..<3 { pool.checkProcesses() }
      #expect(pool.successions == [.login: 1])
    }
  }

  /// One of several has renewed the login; what the others hold may be worth nothing from then on.
  @Test @LoopActor
  func aLoginThatOneProcessHasRenewedIsReadByAll() async throws {
    try await CodexPool.withFakes(processes: 3...3) { pool, fake in
      #expect(await eventually { pool.isReady })
      let before = Set(pool.status.processIDs)
      #expect(before.count == 3)
      try fake.home.write("{}", to: "auth.json")
      #expect(
        await eventually {
          pool.checkProcesses()
          return pool.successions == [.login: 3]
        })
      #expect(await eventually { before.isDisjoint(with: pool.status.processIDs) })
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
    }
  }

  @Test @LoopActor
  func aLoginIsNoticed() async throws {
    try await CodexPool.withFakes(options: "not-logged-in") { pool, fake in
      #expect(pool.unavailability?.isLoggedOut == true)
      try fake.setOptions("")
      try fake.home.write("{}", to: "auth.json")
      #expect(await succeeded(pool, .login))
      #expect(pool.unavailability == nil)
      let outcome = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func oneThatDoesNotStartTakesNothingOver() async throws {
    try await CodexPool.withFakes(.init(turns: 1)) { pool, fake in
      _ = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      try fake.setOptions("exit-at-start=3")
      for _ in 0..<5 {
        pool.checkProcesses()
        await Loop.sleep(.milliseconds(20))
      }
      let outcome = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(outcome.isCompleted)
      #expect(pool.successions == [:])
      #expect(pool.unavailability == nil)
    }
  }

  @Test @LoopActor
  func aProcessThatDiesWhileItEndsItsTurnsIsNotStartedAgain() async throws {
    try await CodexPool.withFakes(.init(turns: 1)) { pool, _ in
      let before = try #require(pool.status.processIDs.first)
      let turn = try await pool.start("demo: tokens=100 delay=50")
      #expect(await succeeded(pool, .turns))
      #expect(kill(before, SIGKILL) == 0)
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.failure == .crashed)
      pool.checkProcesses()
      #expect(pool.status.processIDs.count == 1)
      #expect(pool.status.processIDs.first != before)
      let next = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(next.isCompleted)
    }
  }

  @Test @LoopActor
  func severalProcessesShareTheTurns() async throws {
    try await CodexPool.withFakes(processes: 2...2) { pool, _ in
      #expect(await eventually { Set(pool.status.processIDs).count == 2 })
      let turns = try await [pool.start("demo: hang"), pool.start("demo: hang")]
      #expect(pool.runningTurns == 2)
      for turn in turns {
        turn.interrupt()
        #expect(await !FakeCodex.Outcome(turn).isCompleted)
      }
      // A loaded thread stays where it is.
      let first = try await pool.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      let again = await FakeCodex.Outcome(try await pool.start("demo: tokens=1", thread: .existing(thread)))
      #expect(again.isCompleted)
      for process in pool.status.processIDs { #expect(kill(process, SIGKILL) == 0) }
      #expect(await eventually { pool.unavailability != nil })
      #expect(await eventually { pool.unavailability == nil })
      let last = await FakeCodex.Outcome(try await pool.start("demo: tokens=1"))
      #expect(last.isCompleted)
    }
  }

  @Test @LoopActor
  func aHangBetweenTurnsIsNoticed() async throws {
    try await CodexPool.withFakes(adjust: FakeCodex.hurry) { pool, _ in
      let process = try #require(pool.status.processIDs.first)
      #expect(kill(process, SIGSTOP) == 0)
      #expect(await eventually { pool.unavailability == .unresponsive })
      await #expect(throws: EngineError.unavailable(.unresponsive)) { _ = try await pool.start("hi") }
      // Whoever only paused is used again, and what stays silent is replaced.
      #expect(kill(process, SIGCONT) == 0)
      #expect(await eventually { pool.unavailability == nil })
      let next = try #require(pool.status.processIDs.first)
      #expect(kill(next, SIGSTOP) == 0)
      #expect(await eventually { pool.status.processIDs.first != next && pool.unavailability == nil })
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
    }
  }
}
