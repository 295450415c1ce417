// Permits for running turns: first come, first served, with a bound on how many may wait.

internal import DequeModule

/// A counting semaphore with a bounded, orderly queue.
@LoopActor
final class PermitQueue {
  private let permits: Int
  private let maxWaiting: Int
  private var held = 0
  private var waiting: Deque<Ticket> = []

  /// A place in the queue, and then the permit itself.
  @LoopActor
  final class Ticket {
    fileprivate enum State { case waiting, granted, released }

    fileprivate var state = State.waiting
    fileprivate let decided = Wait()
    private weak var queue: PermitQueue?

    fileprivate init(queue: PermitQueue) { self.queue = queue }

    /// Waits for the permit. False if the ticket was given back first.
    func wait() async -> Bool {
      await decided.value()
      return state == .granted
    }

    /// Gives the permit back, or leaves the queue. Safe to call twice.
    func release() {
      let before = state
      state = .released
      decided.finish()
      switch before {
      case .waiting: queue?.left()
      case .granted: queue?.returned()
      case .released: break
      }
    }
  }

  init(permits: Int, maxWaiting: Int) {
    self.permits = permits
    self.maxWaiting = maxWaiting
  }

  var runningCount: Int { held }
  var waitingCount: Int { waiting.count }
  var isUnused: Bool { held == 0 && waiting.isEmpty }

  /// A ticket, granted at once if a permit is free; nil if too many wait already.
  func enter() -> Ticket? {
    let ticket = Ticket(queue: self)
    if held < permits, waiting.isEmpty {
      held += 1
      ticket.state = .granted
      ticket.decided.finish()
    } else if waiting.count < maxWaiting {
      waiting.append(ticket)
    } else {
      return nil
    }
    return ticket
  }

  private func returned() {
    held -= 1
    while held < permits, let next = waiting.popFirst() {
      guard next.state == .waiting else { continue }
      held += 1
      next.state = .granted
      next.decided.finish()
    }
  }

  private func left() {
    waiting.removeAll { $0.state == .released }
  }
}
