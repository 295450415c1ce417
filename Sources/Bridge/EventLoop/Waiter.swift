// The one place where a task is suspended until something happens, and the one place with a continuation.

/// A value that comes once, and the tasks that wait for it.
///
/// The value may come before anybody waits: it is kept. A second value is ignored.
@LoopActor
final class Waiter<Value: Sendable> {
  private enum State {
    case waiting([UnsafeContinuation<Value, Never>])
    case finished(Value)
  }

  private var state = State.waiting([])

  /// A waiter whose value has not come.
  init() {}

  /// Whether the value has come.
  var isFinished: Bool {
    if case .finished = state { true } else { false }
  }

  /// Gives the value to all that wait and to those that will ask.
  func finish(with value: Value) {
    guard case .waiting(let continuations) = state else { return }
    state = .finished(value)
    for continuation in continuations { continuation.resume(returning: value) }
  }

  /// The value; suspends until it has come.
  func value() async -> Value {
    if case .finished(let value) = state { return value }
    // The state is looked at again inside: a task that does not prefer the loop may be suspended before the closure runs,
    // and the value may come meanwhile.
    return await withUnsafeContinuation { continuation in
      switch state {
      case .finished(let value): continuation.resume(returning: value)
      case .waiting(let continuations): state = .waiting(continuations + [continuation])
      }
    }
  }
}

extension Waiter where Value == Void {
  /// Wakes all that wait; whoever waits from now on does not suspend.
  func finish() { finish(with: ()) }
}
