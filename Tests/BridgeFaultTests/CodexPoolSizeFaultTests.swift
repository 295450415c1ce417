// As many Codex processes as are needed: opened, closed, and what befalls those that use them meanwhile.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .serialized)
struct CodexPoolSizeFaultTests {
  private static let idle = Duration.milliseconds(50)

  /// Runs `body` with turns in the first of two processes that go on until they are interrupted. There is room for more in
  /// the second one only.
  @LoopActor
  private func withTwo(
    freshOptions: String = "",
    _ body: @LoopActor (CodexPool, FakeCodex, [Turn]) async throws -> Void
  ) async throws {
    try await CodexPool.withFakes(processes: 1...2, pace: .byHand(idle: Self.idle)) { pool, fake in
      #expect(await eventually { pool.knownModels != nil })
      try fake.setOptions(freshOptions)
      let hanging = try await pool.start(5, "demo: hang")
      #expect(await eventually { pool.openProcesses == 2 && pool.isReady })
      try await body(pool, fake, hanging)
    }
  }

  /// Runs `body` with a session whose thread is in the first of two processes, where turns go on until they are
  /// interrupted. The second has nothing to do.
  @LoopActor
  private func withSessionInBusyProcess(
    _ text: String = "demo: tokens=1",
    freshOptions: String = "",
    _ body: @LoopActor (CodexPool, ThreadID, [Turn]) async throws -> Void
  ) async throws {
    try await CodexPool.withFakes(processes: 1...2, pace: .byHand(idle: Self.idle)) { pool, fake in
      let first = try await pool.start(text, thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      try fake.setOptions(freshOptions)
      let hanging = try await pool.start(5, "demo: hang")
      #expect(await eventually { pool.openProcesses == 2 && pool.isReady })
      try await body(pool, try #require(first.threadID), hanging)
    }
  }

  @LoopActor
  private func end(_ turns: [Turn]) async {
    for turn in turns {
      turn.interrupt()
      #expect(await !FakeCodex.Outcome(turn).isCompleted)
    }
  }

  @LoopActor
  private func shrank(_ pool: CodexPool) async -> Bool {
    await eventually {
      pool.checkProcesses()
      return pool.openProcesses == 1
    }
  }

  /// As that of the plain chat: a process is there for as long as somebody wants it, and its threads go on in the next one.
  @Test @LoopActor
  func aPoolMayBeginAndEndWithoutAProcess() async throws {
    try await CodexPool.withFakes(processes: 0...2, pace: .byHand(idle: Self.idle)) { pool, _ in
      #expect(!pool.isOpen && pool.status.processIDs.isEmpty)
      async let first = pool.open(within: .seconds(60))
      async let second = pool.open(within: .seconds(60))
      let reasons = await [first, second]
      #expect(reasons == [nil, nil])
      #expect(pool.openProcesses == 1)
      let turn = try await pool.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(turn).isCompleted)
      let hanging = try await pool.start("demo: hang")
      await Loop.sleep(Self.idle)
      pool.checkProcesses()
      #expect(pool.isOpen)
      await end([hanging])
      #expect(
        await eventually {
          pool.checkProcesses()
          return !pool.isOpen && pool.status.processIDs.isEmpty
        })
      #expect(await pool.open(within: .seconds(60)) == nil)
      let next = try await pool.start("demo: tokens=1", thread: .existing(try #require(turn.threadID)))
      #expect(await FakeCodex.Outcome(next).isCompleted)
      #expect(pool.status.restarts == 0)
    }
  }

  @Test @LoopActor
  func thereAreAsManyProcessesAsTurnsAtOnceNeed() async throws {
    try await CodexPool.withFakes(processes: 1...3, pace: .byHand(idle: Self.idle)) { pool, _ in
      var turns: [Turn] = []
      for (number, processes) in [(4, 1), (8, 2), (12, 3), (16, 3)] {
        turns += try await pool.start(number - turns.count, "demo: hang")
        #expect(await eventually { pool.status.processIDs.count == processes && pool.isReady })
        await Loop.sleep(Self.idle)
        pool.checkProcesses()
        #expect(pool.openProcesses == processes, "with \(number) turns")
      }
      let all = pool.status.processIDs
      await end(turns)
      // One at a time, and the first stays.
      for left in [2, 1, 1] {
        await Loop.sleep(Self.idle)
        pool.checkProcesses()
        #expect(await eventually { pool.status.processIDs == Array(all.prefix(left)) })
      }
      for process in all.dropFirst() { #expect(kill(process, 0) != 0) }
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
      #expect(pool.status.restarts == 0)
      // What was closed can be opened.
      let again = try await pool.start(5, "demo: hang")
      #expect(await eventually { pool.status.processIDs.count == 2 && pool.isReady })
      await end(again)
      #expect(pool.status.restarts == 0)
    }
  }

  @Test @LoopActor
  func aProcessThatIsNoLongerNeededEndsItsTurns() async throws {
    try await withTwo { pool, _, hanging in
      let second = try #require(pool.status.processIDs.last)
      let persistent = try await pool.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(persistent).isCompleted)
      let thread = try #require(persistent.threadID)
      let long = try await pool.start("demo: hang")
      await end(hanging)
      #expect(await shrank(pool))
      #expect(pool.runningTurns == 1)
      #expect(kill(second, 0) == 0)
      // Others can have the thread meanwhile.
      let again = await FakeCodex.Outcome(try await pool.start("demo: tokens=1", thread: .existing(thread)))
      #expect(again.isCompleted)
      await end([long])
      pool.checkProcesses()
      #expect(await eventually { kill(second, 0) != 0 })
      #expect(pool.status.processIDs.count == 1)
    }
  }

  @Test @LoopActor
  func oneMoreThatDoesNotStartHarmsNobody() async throws {
    try await CodexPool.withFakes(processes: 1...3, pace: .byHand(idle: Self.idle)) { pool, fake in
      try fake.setOptions("exit-at-start=3")
      let turns = try await pool.start(12, "demo: hang")
      #expect(await eventually { pool.status.restarts > 0 })
      #expect(pool.openProcesses == 2, "another was started although the one before it does not work")
      #expect(pool.unavailability == nil)
      await end(turns)
      #expect(await shrank(pool))
      #expect(await eventually { pool.status.processIDs.count == 1 })
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
    }
  }

  @Test @LoopActor
  func theOnlyOneThatWorksStays() async throws {
    try await withTwo { pool, fake, hanging in
      try fake.setOptions("exit-at-start=3")
      #expect(kill(try #require(pool.status.processIDs.first), SIGKILL) == 0)
      for turn in hanging.prefix(4) { #expect(await FakeCodex.Outcome(turn).failure == .crashed) }
      #expect(await eventually { pool.status.restarts > 0 })
      for turn in hanging.dropFirst(4) { turn.interrupt() }
      await Loop.sleep(Self.idle)
      for _ in 0..<3 { pool.checkProcesses() }
      #expect(pool.openProcesses == 2)
      #expect(pool.unavailability == nil)
      #expect(await FakeCodex.Outcome(try await pool.start("demo: tokens=1")).isCompleted)
      // Once the first is well again, the second may go.
      try fake.setOptions("")
      #expect(await eventually { pool.isReady })
      #expect(await shrank(pool))
    }
  }

  @Test @LoopActor
  func oneThatCannotListItsModelsHidesThoseOfNobody() async throws {
    try await withTwo(freshOptions: "refuse=model/list") { pool, _, hanging in
      #expect(pool.knownModels != nil)
      let models = try await pool.models()
      #expect(models == pool.knownModels)
      await end(hanging)
    }
  }

  @Test @LoopActor
  func anOldListOfModelsHidesNoFreshOne() async throws {
    let ttl = Duration.milliseconds(250)
    let setTTL = { (options: inout CodexOptions) in options.modelsTTL = ttl }
    let refusing = "refuse-again=model/list"
    try await CodexPool.withFakes(processes: 2...2, options: refusing, adjust: setTTL) { pool, fake in
      #expect(await eventually { pool.isReady })
      let models = try await pool.models()
      // Each process has read its list at a time of its own.
      #expect(await eventually { pool.knownModels == nil })
      #expect(try await pool.models() == models, "an old list is better than none")
      try fake.setOptions("")
      #expect(kill(try #require(pool.status.processIDs.last), SIGKILL) == 0)
      #expect(await eventually { pool.status.restarts == 1 && pool.isReady && pool.knownModels == nil })
      #expect(try await pool.models() == models)
      #expect(pool.knownModels == models)
    }
  }

  @Test @LoopActor
  func whatOneProcessRefusesAnotherDoes() async throws {
    try await withTwo(freshOptions: "refuse=thread/start") { pool, _, hanging in
      for thread in [TurnRequest.Thread.ephemeral, .persistent, .ephemeral] {
        let turn = try await pool.start("demo: tokens=1", thread: thread)
        #expect(await FakeCodex.Outcome(turn).isCompleted)
      }
      await end(hanging)
    }
  }

  @Test @LoopActor
  func whatAllRefuseIsRefused() async throws {
    try await CodexPool.withFakes(processes: 2...2, options: "refuse=thread/start") { pool, _ in
      #expect(await eventually { pool.isReady })
      await #expect(throws: EngineError.rejected("the fake was told to refuse this")) {
        _ = try await pool.start("demo: tokens=1")
      }
    }
  }

  @Test @LoopActor
  func aSessionMovesFromABusyProcessToAnother() async throws {
    try await withSessionInBusyProcess { pool, thread, hanging in
      let busy = try #require(pool.status.processIDs.first)
      let moved = try await pool.start("demo: history", thread: .existing(thread))
      // It goes on without the process that had it.
      #expect(kill(busy, SIGKILL) == 0)
      let outcome = await FakeCodex.Outcome(moved)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.contains("user: demo: tokens=1"))
      for turn in hanging { #expect(await FakeCodex.Outcome(turn).failure == .crashed) }
    }
  }

  @Test @LoopActor
  func aSessionThatMovedInVainGoesBack() async throws {
    try await withSessionInBusyProcess(freshOptions: "refuse=thread/resume") { pool, thread, hanging in
      let back = try await pool.start("demo: history", thread: .existing(thread))
      #expect(kill(try #require(pool.status.processIDs.last), SIGKILL) == 0)
      let outcome = await FakeCodex.Outcome(back)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.contains("user: demo: tokens=1"))
      await end(hanging)
    }
  }

  /// Its thread is loaded in the second process then, so that the first could not resume it.
  @Test(
    arguments: [
      ("refuse=turn/start", EngineError.rejected("the fake was told to refuse this")),
      ("overload=turn/start", .overloaded),
    ])
  @LoopActor
  func aTurnWhoseThreadHasMovedDoesNotGoBack(_ options: String, _ error: EngineError) async throws {
    try await withSessionInBusyProcess(freshOptions: options) { pool, thread, hanging in
      await #expect(throws: error) {
        _ = try await pool.start("demo: tokens=1", thread: .existing(thread))
      }
      await end(hanging)
    }
  }

  @Test @LoopActor
  func aSessionThatNobodyHasLoadedIsResumedWhereThatWorks() async throws {
    try await withTwo(freshOptions: "refuse=thread/resume") { pool, fake, hanging in
      // Another process has made it.
      let first = try await fake.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      let turn = try await pool.start("demo: history", thread: .existing(thread))
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.contains("user: demo: tokens=1"))
      await end(hanging)
    }
  }

  @Test @LoopActor
  func aSessionLeavesAProcessThatHasLostItsLogin() async throws {
    try await CodexPool.withFakes(processes: 2...2) { pool, _ in
      #expect(await eventually { pool.isReady })
      let first = try await pool.start("demo: tokens=1 log-out", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      #expect(await eventually { !pool.isReady })
      #expect(pool.unavailability == nil)
      let turn = try await pool.start("demo: tokens=1", thread: .existing(try #require(first.threadID)))
      #expect(await FakeCodex.Outcome(turn).isCompleted)
    }
  }

  /// Those may still run in the background, and would end with its thread.
  @Test @LoopActor
  func aSessionThatHasRunCommandsStays() async throws {
    try await withSessionInBusyProcess("demo: run=sleep 60") { pool, thread, hanging in
      let turn = try await pool.start("demo: tokens=10 delay=20", thread: .existing(thread))
      #expect(kill(try #require(pool.status.processIDs.last), SIGKILL) == 0)
      #expect(await FakeCodex.Outcome(turn).isCompleted)
      await end(hanging)
    }
  }

  /// A session whose turn comes in time is answered where its thread is.
  @Test @LoopActor
  func aTurnThatComesInTimeClosesNothing() async throws {
    try await withTwo { pool, _, hanging in
      let session = try await pool.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(session).isCompleted)
      let thread = try #require(session.threadID)
      await end(hanging)
      await Loop.sleep(Self.idle)
      let again = try await pool.start("demo: tokens=1", thread: .existing(thread))
      #expect(pool.openProcesses == 2)
      #expect(await FakeCodex.Outcome(again).isCompleted)
    }
  }

  /// That of a turn which could not be started is one of them.
  @Test @LoopActor
  func aRetiredEngineLetsGoOfAllItsThreads() async throws {
    try await FakeCodex.run("shuffle") { fake in
      try await fake.ready()
      let first = try await fake.start("demo: tokens=1", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      let long = try await fake.start("demo: hang")
      var request = TurnRequest(thread: .existing(thread), input: [.text("demo: tokens=1")])
      request.history = [.message(.user, [.text("something to inject")])]
      let turn = Turn(request, requestID: "test")
      let isOver = Waiter<Void>()
      Loop.spawn {
        await #expect(throws: EngineError.cancelled) { try await fake.engine.start(turn) }
        isOver.finish()
      }
      await Loop.nextTurn()
      #expect(fake.engine.isUsing(thread))
      fake.engine.retire()
      turn.interrupt()
      await isOver.value()
      #expect(!fake.engine.isUsing(thread))
      long.interrupt()
      #expect(await !FakeCodex.Outcome(long).isCompleted)
    }
  }

  /// The other processes of a pool that stops are gone when it has stopped; so are those that were ending before.
  @Test @LoopActor
  func whatIsEndingWhenThePoolStopsIsGoneAfterwards() async throws {
    try await withTwo(freshOptions: "ignore-eof") { pool, _, hanging in
      let second = try #require(pool.status.processIDs.last)
      await end(hanging)
      #expect(await shrank(pool))
      #expect(pool.status.processIDs.contains(second))
      await pool.stop()
      #expect(kill(second, 0) != 0)
    }
  }
}
