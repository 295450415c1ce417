// The turns that wait for functions of their clients. Owns which are parked here and which of them go on; what lasts of them
// lies in an `OpenTurnRepository`.

/// Parks turns and finds them again.
@LoopActor
final class TurnLeases {
  /// Parked turns of the process; each holds a thread of Codex, some two megabytes and two descriptors. With more, the one that
  /// has waited the longest goes on from its record.
  static let maxParked = 200
  /// What all of them may hold of their items. Mostly these lie in the database alone.
  private static let maxRecordedBytes = 256 << 20
  private static let sweepInterval = Duration.seconds(1)
  /// Outputs whose calls are looked up in the database. Those of one turn lead to it each for itself.
  private static let maxLookUps = 64

  /// What an ask does to the turn that its outputs belong to.
  enum Claim {
    /// It brings none, or nothing is known of the turn.
    case none
    /// The bridge stops: the turn goes on with whoever follows.
    case draining
    /// This call of the turn has no output among them.
    case incomplete(callID: String)
    /// The turn goes on already, with the outputs that another request has brought.
    case goesOn
    /// The turn goes on as it is.
    case live(ParkedTurn)
    /// The turn is over, and goes on from what is known of it.
    case suspended(OpenTurn)
  }

  private let wait: Duration
  private let repository: any OpenTurnRepository
  /// The one that has waited the longest comes first.
  private var parked: [ParkedTurn] = []
  /// Turns that are told to end and have not ended yet.
  private var ending: [ParkedTurn] = []
  /// Turns whose outputs have come, by the engine's names, until they are over or parked again.
  private var resumed: Set<String> = []
  private var isDraining = false
  private var sweeper = Ticker()
  private let changes = ChangeSignal()
  /// How many turns were parked that could not be kept.
  private(set) var notKeptCount = 0

  /// `wait` is how long a turn is kept as it is.
  init(wait: Duration, repository: any OpenTurnRepository) {
    self.wait = wait
    self.repository = repository
  }

  isolated deinit { sweeper.stop() }

  /// Turns that wait.
  var count: Int { parked.count }

  /// The sessions of the turns that wait.
  var sessions: Set<SessionKey> { Set(parked.compactMap(\.open.session)) }

  // MARK: Parking

  /// Keeps what happens in a turn whose answer has ended with calls, until it is parked.
  func hold(_ turn: Turn) -> ParkedEvents {
    let events = ParkedEvents()
    turn.events.reader = events
    for event in turn.events.gathered() { _ = events.take(event) }
    return events
  }

  /// Parks a turn. Returns once its record lasts, so that its calls can be handed out.
  func park(_ waiting: ParkedTurn) async {
    let (turn, open) = (waiting.turn, waiting.open)
    waiting.isKept = waiting.isPassing ? false : await keep(waiting)
    if !waiting.isKept, !waiting.isPassing {
      notKeptCount += 1
      Log.warning("an open turn cannot be kept; it is lost with the process", ["thread": open.thread])
      _ = waiting.events.take(.notKept)
    }
    await leave(open.turnID, replaced: waiting.origin.resumedFrom)
    guard !turn.events.hasEnded else { return }
    // It goes on with whoever follows.
    if isDraining { return turn.interrupt() }
    waiting.events.onEnd = { [weak self, weak waiting] in
      if let waiting { self?.remove(waiting) }
    }
    parked.append(waiting)
    makeRoom()
    sweeper.start(every: Self.sweepInterval) { [weak self] in self?.sweep() }
  }

  /// Keeps the record of a turn. False if it is too long, or if there is no place for it.
  private func keep(_ waiting: ParkedTurn) async -> Bool {
    let turn = waiting.turn
    guard turn.recording.isWhole else { return false }
    var open = waiting.open
    (open.keptItems, open.items) = (turn.recording.storedItems, turn.recording.items)
    // What is added from here on comes to the record after what is saved now.
    turn.onRecorded = { [repository, turnID = open.turnID] item in
      Loop.spawn { await repository.add(item, to: turnID) }
    }
    guard await repository.save(open) else {
      turn.onRecorded = nil
      return false
    }
    // From here on they are read where they lie.
    if repository.isReadable { turn.itemsWereStored(open.items.count) }
    return true
  }

  /// Suspends turns of the key that has most of them, the one that has waited the longest first, while there are too many.
  /// One that could not be kept would be lost, and one that asks a person would take its question with it: they stay.
  private func makeRoom() {
    while parked.count > 1, parked.count > Self.maxParked || recordedBytes > Self.maxRecordedBytes {
      let candidates = Dictionary(grouping: parked.filter(\.canMakeRoom), by: \.open.owner)
      guard let oldest = candidates.values.max(by: { $0.count < $1.count })?.first else { return }
      suspend(oldest)
    }
  }

  private var recordedBytes: Int { parked.reduce(0) { $0 + $1.turn.recording.heldBytes } }

  private func sweep() {
    // A question has a time limit of its own.
    for turn in parked where Loop.now - turn.parkedAt > wait && !turn.asksPerson { suspend(turn) }
  }

  /// Ends a turn at the engine. What is known of it stays.
  private func suspend(_ waiting: ParkedTurn) {
    remove(waiting)
    guard !waiting.turn.events.hasEnded else { return }
    ending.append(waiting)
    waiting.events.onEnd = { [weak self, weak waiting] in
      self?.ending.removeAll { $0 === waiting }
      self?.changes.send()
    }
    waiting.turn.interrupt()
  }

  private func remove(_ turn: ParkedTurn) {
    parked.removeAll { $0 === turn }
    if parked.isEmpty { sweeper.stop() }
    changes.send()
  }

  /// Ends all that wait, and from here on each that would, as when the bridge stops.
  func drain() {
    isDraining = true
    for turn in parked { suspend(turn) }
  }

  // MARK: Going on

  /// Finds the turn that an ask brings outputs for, and takes it out.
  func claim(_ ask: Ask, by owner: Principal, session: SessionKey?, _ profile: TurnProfile) async -> Claim {
    let outputs = ask.conversation.newOutputs
    guard !outputs.isEmpty else { return .none }
    if isDraining { return .draining }
    // Ids of calls may come twice; the conversation settles it.
    let named = NamedCalls(outputs)
    let candidate = parked.last {
      $0.open.owner == owner && $0.open.isOf(session) && $0.isMeant(by: named)
        && $0.open.isContinued(by: ask)
    }
    if let found = candidate {
      if let missing = found.missingCall(in: named) { return .incomplete(callID: missing) }
      if found.goesOn(with: ask, profile) {
        remove(found)
        resumed.insert(found.open.turnID)
        return .live(found)
      }
      await close(found)
      return take(await suspended(found))
    }
    for output in outputs.prefix(Self.maxLookUps) {
      let known = await repository.turns(withCall: output.callID, of: owner)
      if let open = known.first(where: { $0.isOf(session) && $0.isContinued(by: ask) }) { return take(open) }
    }
    return .none
  }

  /// What is known of a turn that was parked here.
  func suspended(_ found: ParkedTurn) async -> OpenTurn? { await found.suspended(from: repository) }

  private func take(_ open: OpenTurn?) -> Claim {
    guard let open else { return .none }
    if resumed.contains(open.turnID) { return .goesOn }
    resumed.insert(open.turnID)
    return .suspended(open)
  }

  /// Notes that outputs have come for a turn, before the engine is given the first.
  func markResumed(_ open: OpenTurn) async { await repository.markResumed(open.turnID) }

  /// A turn that was claimed will not go on now. What is known of it stays.
  func giveBack(_ open: OpenTurn) { resumed.remove(open.turnID) }

  /// A turn with functions is over. What is known of it is not needed any more if it has completed; otherwise whoever repeats
  /// the request may need it.
  func ended(_ turn: Turn, _ origin: TurnOrigin, isComplete: Bool) async {
    let turnID = turn.recording.turnID
    if isComplete { await repository.remove(turnID) }
    await leave(turnID, replaced: isComplete ? origin.resumedFrom : nil)
    if let earlier = origin.resumedFrom { resumed.remove(earlier) }
  }

  /// A turn does not go on any more; the one that it was built from is not needed if `replaced`.
  private func leave(_ turnID: String, replaced earlier: String?) async {
    resumed.remove(turnID)
    guard let earlier, earlier != turnID else { return }
    resumed.remove(earlier)
    await repository.remove(earlier)
  }

  // MARK: Closing

  /// Ends the parked turn of a session, if there is one: another turn of the session is about to run on its thread, which nobody
  /// may take back to before the two.
  func close(_ session: SessionKey) async {
    // One that was suspended may still be ending.
    await changes.wait { !self.ending.contains { $0.open.session == session } }
    guard let found = parked.first(where: { $0.open.session == session }) else { return }
    await close(found)
    await repository.remove(found.open.turnID)
  }

  private func close(_ found: ParkedTurn) async {
    let turn = found.turn
    suspend(found)
    // The engine ends an interrupted turn itself, or gives it up.
    await changes.wait { turn.events.hasEnded }
  }

  /// Forgets what waits in a session that was deleted.
  func forget(_ session: SessionKey) async {
    for found in parked where found.open.session == session { suspend(found) }
    await repository.remove(of: session)
  }
}
