// When threads are started ahead of need, seen from the next turn: one that was made for it has its instructions.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct WarmThreadsFaultTests {
  @Test @LoopActor
  func whoeverComesWhileAnAnswerIsWrittenFindsAThread() async throws {
    try await FakeCodex.run(adjust: { $0.warmThreads = 8 }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: tokens=100000 delay=20")
      while !(await turn.events.next().contains(where: Self.isAnswer)) {}
      try await Self.roundTrip(fake, turn)
      #expect(try await !Self.isThreadMadeForItsTurn(fake))
      turn.interrupt()
      _ = await FakeCodex.Outcome(turn)
    }
  }

  @Test @LoopActor
  func untilAnAnswerBeginsNothingElseIsStarted() async throws {
    try await FakeCodex.run(adjust: { $0.warmThreads = 8 }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: hang")
      try await Self.roundTrip(fake, turn)
      #expect(try await Self.isThreadMadeForItsTurn(fake))
      turn.interrupt()
      _ = await FakeCodex.Outcome(turn)
    }
  }

  @Test @LoopActor
  func aTurnThatEndsWithoutAnAnswerPutsAThreadBack() async throws {
    try await FakeCodex.run(adjust: { $0.warmThreads = 8 }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: hang")
      turn.interrupt()
      _ = await FakeCodex.Outcome(turn)
      try await Self.roundTrip(fake, turn)
      #expect(try await !Self.isThreadMadeForItsTurn(fake))
    }
  }

  @Test @LoopActor
  func aTurnOfASessionThatGoesOnPutsNoneBack() async throws {
    try await FakeCodex.run(adjust: { $0.warmThreads = 8 }) { fake in
      try await fake.ready()
      let first = try await fake.start("demo: tokens=1", thread: .persistent)
      _ = await FakeCodex.Outcome(first)
      let thread = try #require(first.threadID)
      let second = try await fake.start("demo: tokens=1", thread: .existing(thread))
      _ = await FakeCodex.Outcome(second)
      try await Self.roundTrip(fake, second)
      #expect(try await Self.isThreadMadeForItsTurn(fake))
    }
  }

  /// A thread has its rights from its start: one that was started for others must not be used.
  @Test @LoopActor
  func aThreadStartedAheadIsOnlyForTurnsWithItsRights() async throws {
    try await FakeCodex.run(adjust: { $0.warmThreads = 8 }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: tokens=1")
      _ = await FakeCodex.Outcome(turn)
      try await Self.roundTrip(fake, turn)
      var wider = TurnProfile.test
      wider.sandbox = .workspaceWrite
      #expect(try await Self.isThreadMadeForItsTurn(fake, wider))
      #expect(try await !Self.isThreadMadeForItsTurn(fake))
    }
  }

  @Test @LoopActor
  func aLoadedThreadTakesNoTurnWithOtherRights() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let first = try await fake.start("demo: tokens=1", thread: .persistent)
      _ = await FakeCodex.Outcome(first)
      let thread = try #require(first.threadID)
      var wider = TurnProfile.test
      wider.workingDirectory = "/"
      let request = TurnRequest(thread: .existing(thread), input: [.text("demo: tokens=1")])
      await #expect(throws: EngineError.threadNotFound(thread)) {
        try await fake.engine.start(Turn(request, profile: wider, requestID: "test"))
      }
      #expect(try await fake.run("demo: tokens=1", thread: .existing(thread)).isCompleted)
    }
  }

  /// Lets all calls be made that are due, and asks something more: the fake answers in order.
  @LoopActor
  private static func roundTrip(_ fake: FakeCodex, _ turn: Turn) async throws {
    await Loop.nextTurn()
    _ = try? await fake.engine.history(of: try #require(turn.threadID))
    await Loop.nextTurn()
  }

  /// Runs a one-off turn with instructions. A thread that was started ahead gets them as a message.
  @LoopActor
  private static func isThreadMadeForItsTurn(
    _ fake: FakeCodex, _ profile: TurnProfile = .test
  ) async throws -> Bool {
    var request = TurnRequest(thread: .ephemeral, input: [.text("demo: params")])
    request.instructions = "the instructions"
    let turn = Turn(request, profile: profile, requestID: "test")
    try await fake.engine.start(turn)
    let outcome = await FakeCodex.Outcome(turn)
    #expect(outcome.isCompleted)
    return outcome.answer.contains("the instructions")
  }

  private static func isAnswer(_ event: TurnEvent) -> Bool {
    if case .answer = event { true } else { false }
  }
}
