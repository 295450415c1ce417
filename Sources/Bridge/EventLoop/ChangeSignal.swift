// Waiting for a condition: as a condition variable does it between threads, this does it between tasks of the loop.

/// Tells tasks that what they look at may have changed.
@LoopActor
final class ChangeSignal {
  /// Nil while nobody waits: most changes are nobody's business.
  private var next: Waiter<Void>?

  /// Has all waiting tasks look at their conditions again.
  func send() {
    let waiter = next
    next = nil
    waiter?.finish()
  }

  /// Suspends until `condition` holds. It is evaluated at once and after each `send`.
  func wait(until condition: @LoopActor () -> Bool) async {
    while !condition() {
      let waiter = next ?? Waiter<Void>()
      next = waiter
      await waiter.value()
    }
  }

  /// Suspends until `condition` holds, for `limit` at most. Returns whether it holds.
  @discardableResult
  func wait(atMost limit: Duration, until condition: @LoopActor () -> Bool) async -> Bool {
    if condition() { return true }
    let deadline = Loop.now + limit
    // It wakes the other tasks too, which find their conditions as they were.
    let timer = LoopTimer { self.send() }
    timer.start(after: limit)
    defer { timer.close() }
    await wait { condition() || Loop.now >= deadline }
    return condition()
  }
}
