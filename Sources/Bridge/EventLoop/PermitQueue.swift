// Permits for running turns: each holder of a key waits in a lane of its own, the lanes take turns, and there is a
// bound on how many may wait.

internal import DequeModule

/// A counting semaphore with a bounded, fair queue.
@LoopActor
final class PermitQueue {
  struct Limits: Sendable {
    var permits: Int
    var maxWaiting: Int
    /// What a single lane may take of both.
    var permitsPerLane: Int
    var maxWaitingPerLane: Int

    /// Without bounds of their own for the lanes.
    init(permits: Int, maxWaiting: Int) {
      self.permits = permits
      self.maxWaiting = maxWaiting
      permitsPerLane = permits
      maxWaitingPerLane = maxWaiting
    }
  }

  private struct Lane {
    var held = 0
    var waiting: Deque<Ticket> = []
  }

  /// How much the latest hold counts in the average of all.
  private static let averageWeight = 0.1

  private let limits: Limits
  private(set) var runningCount = 0
  private(set) var waitingCount = 0
  private var lanes: [Principal: Lane] = [:]
  /// Lanes in which somebody waits; the one that was served the longest ago comes first.
  private var rotation: [Principal] = []
  /// How long a permit is held, on average; nil while nothing is known.
  private(set) var averageHold: Duration?

  /// A place in the queue, and then the permit itself.
  @LoopActor
  final class Ticket {
    fileprivate enum State { case waiting, granted(since: Duration), released }

    fileprivate let lane: Principal
    fileprivate var state = State.waiting
    /// Finished once the ticket does not wait any more. Made when somebody waits for that; most are granted at once.
    private var decision: Waiter<Void>?
    /// Where it is or was granted; nil once it is given back, so that a queue and those that wait in it do not keep each other.
    private var queue: PermitQueue?

    fileprivate init(lane: Principal, queue: PermitQueue) {
      self.lane = lane
      self.queue = queue
    }

    fileprivate func grant() {
      state = .granted(since: Loop.now)
      decision?.finish()
    }

    fileprivate var isWaiting: Bool {
      if case .waiting = state { true } else { false }
    }

    var isGranted: Bool {
      if case .granted = state { true } else { false }
    }

    /// Waits for the permit. False if the ticket was given back first.
    func wait() async -> Bool {
      if isWaiting {
        let decision = decision ?? Waiter<Void>()
        self.decision = decision
        await decision.value()
      }
      return isGranted
    }

    /// How many are served before this one if nobody leaves or comes; nil if it does not wait.
    var position: Int? { isWaiting ? queue?.position(of: self) : nil }

    /// Gives the permit back, or leaves the queue. Safe to call twice.
    func release() {
      let before = state
      state = .released
      decision?.finish()
      let queue = queue
      self.queue = nil
      switch before {
      case .waiting: queue?.left(lane)
      case .granted(let since): queue?.returned(lane, after: Loop.now - since)
      case .released: break
      }
    }
  }

  init(_ limits: Limits) { self.limits = limits }

  convenience init(permits: Int, maxWaiting: Int) {
    self.init(Limits(permits: permits, maxWaiting: maxWaiting))
  }

  var isUnused: Bool { runningCount == 0 && waitingCount == 0 }

  /// A ticket, granted at once if a permit is free for the lane; nil if too many wait already.
  func enter(_ lane: Principal = .everybody) -> Ticket? {
    let ticket = Ticket(lane: lane, queue: self)
    var current = lanes[lane] ?? Lane()
    if runningCount < limits.permits, current.held < limits.permitsPerLane, current.waiting.isEmpty {
      runningCount += 1
      current.held += 1
      ticket.grant()
    } else if waitingCount < limits.maxWaiting, current.waiting.count < limits.maxWaitingPerLane {
      if current.waiting.isEmpty { rotation.append(lane) }
      waitingCount += 1
      current.waiting.append(ticket)
    } else {
      return nil
    }
    lanes[lane] = current
    return ticket
  }

  /// A ticket that is granted at once, beyond the number of permits if none is free.
  func enterAhead(_ lane: Principal = .everybody) -> Ticket {
    let ticket = Ticket(lane: lane, queue: self)
    runningCount += 1
    lanes[lane, default: Lane()].held += 1
    ticket.grant()
    return ticket
  }

  /// When a refused caller may expect a place, judged by how long permits were held so far. At least a second.
  func expectedRoom(orElse guess: Duration) -> Duration {
    max(.seconds(1), averageHold.map { $0 / limits.permits } ?? guess)
  }

  private func returned(_ lane: Principal, after hold: Duration) {
    averageHold = averageHold.map { $0 + (hold - $0) * Self.averageWeight } ?? hold
    runningCount -= 1
    lanes[lane]?.held -= 1
    serve()
    dropIfUnused(lane)
  }

  private func left(_ lane: Principal) {
    let before = lanes[lane]?.waiting.count ?? 0
    lanes[lane]?.waiting.removeAll { !$0.isWaiting }
    waitingCount -= before - (lanes[lane]?.waiting.count ?? 0)
    if lanes[lane]?.waiting.isEmpty == true { rotation.removeAll { $0 == lane } }
    dropIfUnused(lane)
  }

  private func dropIfUnused(_ lane: Principal) {
    if lanes[lane]?.held == 0, lanes[lane]?.waiting.isEmpty == true { lanes[lane] = nil }
  }

  private func serve() {
    while runningCount < limits.permits, let index = rotation.firstIndex(where: mayRun) {
      let lane = rotation.remove(at: index)
      guard let ticket = lanes[lane]?.waiting.popFirst() else { continue }
      waitingCount -= 1
      runningCount += 1
      lanes[lane]?.held += 1
      if lanes[lane]?.waiting.isEmpty == false { rotation.append(lane) }
      ticket.grant()
    }
  }

  private func mayRun(_ lane: Principal) -> Bool { (lanes[lane]?.held ?? 0) < limits.permitsPerLane }

  private func position(of ticket: Ticket) -> Int? {
    guard let own = lanes[ticket.lane]?.waiting.firstIndex(where: { $0 === ticket }),
      let turn = rotation.firstIndex(of: ticket.lane)
    else { return nil }
    var ahead = own
    for (index, lane) in rotation.enumerated() where index != turn {
      ahead += min(lanes[lane]?.waiting.count ?? 0, index < turn ? own + 1 : own)
    }
    return ahead
  }
}
