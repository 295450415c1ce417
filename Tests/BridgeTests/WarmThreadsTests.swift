// The stock of threads that are started ahead.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct WarmThreadsTests {
  private static let shape = WarmThreads.Shape(isEphemeral: true, model: nil, profile: .test)

  @Test @LoopActor func aThreadIsTakenOnce() async {
    let warm = WarmThreads(perShape: 1)
    #expect(warm.take(Self.shape) == nil)
    warm.refill(Self.shape) { ThreadID("a") }
    warm.refill(Self.shape) { ThreadID("one too many") }
    await Loop.nextTurn()
    #expect(warm.take(.init(isEphemeral: false, model: nil, profile: .test)) == nil)
    #expect(warm.take(.init(isEphemeral: true, model: "other", profile: .test)) == nil)
    var wider = TurnProfile.test
    wider.networkAccess = true
    #expect(warm.take(.init(isEphemeral: true, model: nil, profile: wider)) == nil)
    #expect(warm.take(Self.shape) == ThreadID("a"))
    #expect(warm.take(Self.shape) == nil)
  }

  @Test @LoopActor func keepsAsManyAsWereAskedFor() async {
    let warm = WarmThreads(perShape: 3)
    for name in ["a", "b", "c", "one too many"] {
      warm.refill(Self.shape) { ThreadID(name) }
      await Loop.nextTurn()
    }
    // The youngest first: those that are not needed get old.
    for name in ["c", "b", "a"] { #expect(warm.take(Self.shape) == ThreadID(name)) }
    #expect(warm.take(Self.shape) == nil)
  }

  @Test @LoopActor func oneThatCannotBeStartedIsTriedAgain() async {
    let warm = WarmThreads(perShape: 1)
    warm.refill(Self.shape) { nil }
    await Loop.nextTurn()
    warm.refill(Self.shape) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.takeOld() == [])
    #expect(warm.takeAll() == [ThreadID("a")])
    #expect(warm.take(Self.shape) == nil)
  }

  @Test @LoopActor func keepsAFewKindsOnly() async {
    let warm = WarmThreads(perShape: 1)
    for number in 0..<20 {
      warm.refill(.init(isEphemeral: true, model: "\(number)", profile: .test)) { ThreadID("\(number)") }
      await Loop.nextTurn()
    }
    #expect(warm.takeAll().count == 4)
  }

  @Test @LoopActor func whatALostProcessStartsIsForgotten() async {
    let warm = WarmThreads(perShape: 1)
    let wait = Waiter<Void>()
    warm.refill(Self.shape) {
      await wait.value()
      return ThreadID("of the process before")
    }
    await Loop.nextTurn()
    warm.forgetAll()
    wait.finish()
    await Loop.nextTurn()
    #expect(warm.take(Self.shape) == nil)
    warm.refill(Self.shape) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.take(Self.shape) == ThreadID("a"))
  }

  @Test @LoopActor func noneIsKeptUnlessWanted() async {
    let warm = WarmThreads(perShape: 0)
    warm.refill(Self.shape) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.takeAll() == [])
  }
}
