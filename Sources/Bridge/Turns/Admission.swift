// Which requests may run now: one turn at a time per session, a bound on all, and none may starve the others.

/// Lets requests in, in order.
@LoopActor
final class Admission {
  /// What a request holds while its turn runs: its session's turn, then one of the permits of all.
  struct Places {
    let session: SessionKey?
    fileprivate var sessionTicket: PermitQueue.Ticket?
    fileprivate var turn: PermitQueue.Ticket?

    init(session: SessionKey?) { self.session = session }
  }

  /// Which permits a request takes one of.
  enum Lane {
    case turns
    /// Those of front ends' tasks, which are small, and wait behind no turn that takes minutes.
    case tasks
  }

  /// Tasks that run at once, and that wait for it: a front end sends three or four for a chat.
  private static let taskLimits = PermitQueue.Limits(permits: 8, maxWaiting: 256)
  /// Told in `Retry-After` while nothing is known about how long turns take.
  private static let guess = Duration.seconds(2)
  /// A longer wait would keep SDKs from repeating at all.
  private static let maxRetryAfter = Duration.seconds(60)

  private let sessions: Sessions
  /// The permits of all turns.
  let turns: PermitQueue
  private let tasks = PermitQueue(taskLimits)

  init(sessions: Sessions, configuration: Configuration) {
    self.sessions = sessions
    turns = PermitQueue(PermitQueue.Limits(configuration))
  }

  /// Waits for both places; a client that goes away leaves the queue. `notice` is given each ticket before the wait.
  func enter(
    _ session: SessionKey?,
    _ caller: any Caller,
    lane: Lane = .turns,
    notice: QueueNotice?
  ) async throws(APIError) -> Places {
    let permits = lane == .turns ? turns : tasks
    var places = Places(session: session)
    if let session {
      guard let ticket = sessions.enter(session) else {
        throw .queueFull(isSession: true, retryAfter: retryAfter(turns.averageHold ?? Self.guess))
      }
      places.sessionTicket = ticket
      if isToWait(for: ticket, caller) { try await wait(for: ticket, caller, notice, holding: places) }
    }
    guard let permit = permits.enter(caller.principal) else {
      leave(places)
      throw .queueFull(isSession: false, retryAfter: retryAfter(permits.expectedRoom(orElse: Self.guess)))
    }
    places.turn = permit
    if isToWait(for: permit, caller) { try await wait(for: permit, caller, notice, holding: places) }
    return places
  }

  /// Places for a turn that goes on with what its client has returned. It waits for nobody: it was let in before, and what it
  /// has done so far would be for nothing.
  func enterAhead(_ session: SessionKey?, _ caller: any Caller) -> Places {
    var places = Places(session: session)
    places.sessionTicket = session.map { sessions.enterAhead($0) }
    places.turn = turns.enterAhead(caller.principal)
    return places
  }

  /// Gives both places back.
  func leave(_ places: Places) {
    places.turn?.release()
    if let session = places.session, let ticket = places.sessionTicket { sessions.leave(session, ticket) }
  }

  /// Most are let in at once.
  private func isToWait(for ticket: PermitQueue.Ticket, _ caller: any Caller) -> Bool {
    !ticket.isGranted || caller.isClientGone
  }

  private func wait(
    for ticket: PermitQueue.Ticket,
    _ caller: any Caller,
    _ notice: QueueNotice?,
    holding places: Places
  ) async throws(APIError) {
    let leaving = caller.onClientGone { ticket.release() }
    notice?.ticket = ticket
    let isGranted = await ticket.wait()
    caller.remove(leaving)
    guard isGranted else {
      leave(places)
      throw APIError(.cancelled, hasStarted: false)
    }
  }

  private func retryAfter(_ wait: Duration) -> Int {
    Int(min(max(wait, .seconds(1)), Self.maxRetryAfter).inSeconds.rounded(.up))
  }
}

extension PermitQueue.Limits {
  /// Where there are several keys, no one may take more than three quarters of the permits or of the queue.
  init(_ configuration: Configuration) {
    self.init(
      permits: configuration[Settings.maxConcurrentTurns], maxWaiting: configuration[Settings.maxQueue])
    let hasSeveralKeys = configuration[Settings.apiKeys].count > 1
    let share = { (all: Int) in hasSeveralKeys ? max(min(all, 1), all * 3 / 4) : all }
    let perKey = configuration[Settings.maxTurnsPerKey]
    permitsPerLane = perKey > 0 ? min(perKey, permits) : share(permits)
    maxWaitingPerLane = share(maxWaiting)
  }
}

/// Tells a streaming client that waits how many are before it: as comments, which every client skips. To do so it
/// sends the head, so it waits a while: until then a refusal still has a status of its own.
@LoopActor
final class QueueNotice {
  private let writer: ResponseWriter
  private let begin: @LoopActor () -> Void
  private var ticker = Ticker()
  /// What is waited for now.
  var ticket: PermitQueue.Ticket?

  /// `begin` sends the head.
  init(_ writer: ResponseWriter, every interval: Duration, begin: @escaping @LoopActor () -> Void) {
    self.writer = writer
    self.begin = begin
    ticker.start(every: interval) { [weak self] in self?.tell() }
  }

  /// Must be called in the end.
  func stop() { ticker.stop() }

  private func tell() {
    guard let position = ticket?.position else { return }
    if !writer.hasBegun { begin() }
    writer.write(comment: "queued, \(position) before this one")
  }
}
