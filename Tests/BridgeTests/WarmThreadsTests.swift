// The stock of threads that are started ahead.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct WarmThreadsTests {
  private static let kind = WarmThreads.Kind(isEphemeral: true, model: nil, profile: .test)

  @Test @LoopActor func aThreadIsTakenOnce() async {
    let warm = WarmThreads(perKind: 1)
    #expect(warm.take(Self.kind) == nil)
    warm.addThread(of: Self.kind) { ThreadID("a") }
    warm.addThread(of: Self.kind) { ThreadID("one too many") }
    await Loop.nextTurn()
    #expect(warm.take(.init(isEphemeral: false, model: nil, profile: .test)) == nil)
    #expect(warm.take(.init(isEphemeral: true, model: "other", profile: .test)) == nil)
    var wider = TurnProfile.test
    wider.networkAccess = true
    #expect(warm.take(.init(isEphemeral: true, model: nil, profile: wider)) == nil)
    #expect(warm.take(Self.kind) == ThreadID("a"))
    #expect(warm.take(Self.kind) == nil)
  }

  @Test @LoopActor func keepsAsManyAsWereAskedFor() async {
    let warm = WarmThreads(perKind: 3)
    for name in ["a", "b", "c", "one too many"] {
      warm.addThread(of: Self.kind) { ThreadID(name) }
      await Loop.nextTurn()
    }
    // The youngest first: those that are not needed get old.
    for name in ["c", "b", "a"] { #expect(warm.take(Self.kind) == ThreadID(name)) }
    #expect(warm.take(Self.kind) == nil)
  }

  @Test @LoopActor func oneThatCannotBeStartedIsTriedAgain() async {
    let warm = WarmThreads(perKind: 1)
    warm.addThread(of: Self.kind) { nil }
    await Loop.nextTurn()
    warm.addThread(of: Self.kind) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.takeOld() == [])
    #expect(warm.takeAll() == [ThreadID("a")])
    #expect(warm.take(Self.kind) == nil)
  }

  @Test @LoopActor func keepsAFewKindsOnly() async {
    let warm = WarmThreads(perKind: 1)
    for number in 0..<20 {
      warm.addThread(of: .init(isEphemeral: true, model: "\(number)", profile: .test)) { ThreadID("\(number)") }
      await Loop.nextTurn()
    }
    #expect(warm.takeAll().count == 4)
  }

  @Test @LoopActor func whatALostProcessStartsIsForgotten() async {
    let warm = WarmThreads(perKind: 1)
    let wait = Waiter<Void>()
    warm.addThread(of: Self.kind) {
      await wait.value()
      return ThreadID("of the process before")
    }
    await Loop.nextTurn()
    warm.forgetAll()
    wait.finish()
    await Loop.nextTurn()
    #expect(warm.take(Self.kind) == nil)
    warm.addThread(of: Self.kind) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.take(Self.kind) == ThreadID("a"))
  }

  @Test @LoopActor func noneIsKeptUnlessWanted() async {
    let warm = WarmThreads(perKind: 0)
    warm.addThread(of: Self.kind) { ThreadID("a") }
    await Loop.nextTurn()
    #expect(warm.takeAll() == [])
  }
}
