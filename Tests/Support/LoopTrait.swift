// The event loop of a test process: started once, on a thread of its own, and never stopped.

internal import CLibUV
import Glibc
import Synchronization
import Testing

@testable import Bridge

/// Makes sure that the loop runs before a test that is isolated to `LoopActor`, and that the test closes every handle it
/// opens.
///
/// Tests with this trait run one after the other: they share one thread anyway, and only alone can a test tell what it
/// left behind. None is excepted: what one leaves behind would come up in another.
struct LoopTrait: TestTrait, SuiteTrait, TestScoping {
  let isRecursive = true

  @concurrent
  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await Self.run(function)
  }

  /// Runs `function` as a test with this trait: for the body of an exit test, whose process has a loop of its own.
  @concurrent
  static func run(_ function: @concurrent @Sendable () async throws -> Void) async throws {
    LoopThread.start()
    // As the bridge's own tasks are born (see LoopExecutor.drain).
    try await withTaskExecutorPreference(LoopActor.shared.executor) {
      await LoopTurnstile.enter()
      // What the test before has closed is gone a loop turn later.
      await Loop.offLoop {}
      let before = await Handle.openCount
      do {
        try await function()
      } catch {
        await LoopTurnstile.leave()
        throw error
      }
      await expectHandles(before)
      await LoopTurnstile.leave()
    }
  }

  /// Handles close a loop turn later, and a lingering connection when its client has read its answer.
  @LoopActor
  private static func expectHandles(_ count: Int) async {
    // Waiting on a timer would itself be an open handle.
    for _ in 0..<4000 where Handle.openCount > count { await Loop.offLoop { _ = usleep(2000) } }
    guard Handle.openCount > count else { return }
    if let output = fdopen(dup(STDERR_FILENO), "w") {
      uv_print_all_handles(LoopActor.shared.executor.loop, output)
      fclose(output)
    }
    Issue.record("of \(Handle.openCount) open handles of libuv only \(count) were open before")
  }
}

extension Trait where Self == LoopTrait {
  /// The test runs on the event loop and must close every handle it opens.
  static var onLoop: Self { LoopTrait() }
}

/// Lets tests onto the loop one at a time.
@LoopActor
private enum LoopTurnstile {
  private static var isTaken = false
  private static var waiting: [Waiter<Void>] = []
  /// What the loop waits for, never finished. Held here, or the leak checker would count it as lost.
  static let end = Waiter<Void>()

  static func enter() async {
    guard isTaken else {
      isTaken = true
      return
    }
    let turn = Waiter<Void>()
    waiting.append(turn)
    await turn.value()
  }

  static func leave() {
    if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().finish() }
  }
}

private enum LoopThread {
  private static let isStarted = Atomic<Bool>(false)

  static func start() {
    guard !isStarted.exchange(true, ordering: .relaxed) else { return }
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        // Never finished: the loop serves every test of the process.
        _ = Loop.run {
          await LoopTurnstile.end.value()
          return 0
        }
        return nil
      }, nil)
    precondition(status == 0, "no thread for the event loop")
  }
}

extension Loop {
  /// Hands the rest of the caller to the next loop turn, after pending I/O has been seen.
  @LoopActor static func nextTurn() async { await sleep(.zero) }
}
