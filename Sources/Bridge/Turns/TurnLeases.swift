// The turns that wait for functions of their clients. Owns which are parked here; what lasts of them lies in an
// `OpenTurnRepository`.

/// Parks turns and finds them again.
@LoopActor
final class TurnLeases {
  /// Parked turns of the process; each holds a thread of Codex, some two megabytes and two descriptors. With more, the one that
  /// has waited the longest goes on from its record.
  static let maxParked = 200
  private static let sweepInterval = Duration.seconds(1)

  /// What an ask does to the turn that its outputs belong to.
  enum Claim {
    /// It brings none, or nothing is known of the turn.
    case none
    /// This call of the turn has no output among them.
    case incomplete(callID: String)
    /// The turn goes on as it is.
    case live(ParkedTurn)
    /// The turn is over, and goes on from what is known of it.
    case suspended(OpenTurn)
  }

  private let wait: Duration
  private let repository: any OpenTurnRepository
  /// The one that has waited the longest comes first.
  private var parked: [ParkedTurn] = []
  private var sweeper = Ticker()
  private let changes = ChangeSignal()

  /// `wait` is how long a turn is kept as it is.
  init(wait: Duration, repository: any OpenTurnRepository) {
    self.wait = wait
    self.repository = repository
  }

  isolated deinit { sweeper.stop() }

  var count: Int { parked.count }

  // MARK: Parking

  /// Keeps what happens in a turn whose answer has ended with calls, until it is parked.
  func hold(_ turn: Turn) -> ParkedEvents {
    let events = ParkedEvents()
    turn.events.reader = events
    for event in turn.events.gathered() { _ = events.take(event) }
    return events
  }

  /// Parks a turn. Returns once its record lasts, so that its calls can be handed out.
  func park(_ parkedTurn: ParkedTurn) async {
    let open = parkedTurn.open
    if parkedTurn.turn.recording.isWhole, !(await repository.save(open)) {
      Log.warning("an open turn cannot be kept; it is lost with the process", ["thread": open.thread])
    }
    guard !parkedTurn.turn.events.hasEnded else { return }
    parkedTurn.turn.onRecorded = { [repository] item in
      Loop.spawn { await repository.add(item, to: open.turnID) }
    }
    parkedTurn.events.onEnd = { [weak self, weak parkedTurn] in
      if let parkedTurn { self?.remove(parkedTurn) }
    }
    parked.append(parkedTurn)
    if parked.count > Self.maxParked, let oldest = parked.first { suspend(oldest) }
    sweeper.start(every: Self.sweepInterval) { [weak self] in self?.sweep() }
  }

  private func sweep() {
    for turn in parked.prefix(while: { Loop.now - $0.parkedAt > wait }) { suspend(turn) }
  }

  /// Ends a turn at the engine. What is known of it stays.
  private func suspend(_ turn: ParkedTurn) {
    remove(turn)
    turn.turn.interrupt()
  }

  private func remove(_ turn: ParkedTurn) {
    turn.turn.onRecorded = nil
    parked.removeAll { $0 === turn }
    if parked.isEmpty { sweeper.stop() }
    changes.send()
  }

  /// Ends all that are parked, as when the bridge stops.
  func suspendAll() {
    for turn in parked { suspend(turn) }
  }

  // MARK: Going on

  /// Finds the turn that an ask brings outputs for, and takes it out.
  func claim(_ ask: Ask, by owner: Principal, session: SessionKey?, _ profile: TurnProfile) async -> Claim {
    let outputs = ask.conversation.newOutputs
    guard !outputs.isEmpty else { return .none }
    let ids = Set(outputs.map(\.callID))
    if let found = parked.last(where: { $0.open.owner == owner && !ids.isDisjoint(with: $0.open.callIDs) }) {
      if let missing = found.open.callIDs.first(where: { !ids.contains($0) }) {
        return .incomplete(callID: missing)
      }
      guard !found.goesOn(with: ask, session: session, profile) else {
        remove(found)
        return .live(found)
      }
      await close(found)
      return suspended(found.suspended, ask, session)
    }
    for id in ids {
      if let open = await repository.turn(withCall: id, of: owner) { return suspended(open, ask, session) }
    }
    return .none
  }

  private func suspended(_ open: OpenTurn?, _ ask: Ask, _ session: SessionKey?) -> Claim {
    guard let open, open.session == session, open.isContinued(by: ask) else { return .none }
    return .suspended(open)
  }

  /// Ends the parked turn of a session, if there is one: another turn of the session is about to run on its thread.
  func close(_ session: SessionKey) async {
    if let found = parked.first(where: { $0.open.session == session }) { await close(found) }
  }

  private func close(_ found: ParkedTurn) async {
    let turn = found.turn
    suspend(found)
    found.events.onEnd = { [changes] in changes.send() }
    // The engine ends an interrupted turn itself, or gives it up.
    await changes.wait { turn.events.hasEnded }
  }

  /// Notes that outputs have come for a turn, before the engine is given the first.
  func markResumed(_ open: OpenTurn) async { await repository.markResumed(open.turnID) }

  /// A turn with functions is over.
  func forget(_ turnID: String) async { await repository.remove(turnID) }
}
