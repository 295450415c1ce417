// All Codex processes as one engine: how many there are, and which of them a turn goes to.

/// The engine of the service.
@LoopActor
final class CodexPool: TurnEngine {
  /// When the pool looks after itself.
  struct Pace: Sendable {
    /// How often the processes are looked at.
    var interval = Duration.seconds(3)
    /// A process that has not been needed for so long is ended.
    var idle = Duration.seconds(300)
  }

  /// One process for so many turns at once. Bridge.docc/Performance.md, "More than one engine".
  private static let turnsPerProcess = 4

  /// All that there may be. Those that are open come first.
  private let slots: [CodexSlot]
  private let fewest: Int
  private let pace: Pace
  /// Processes that are used for new turns, or will be once they are ready.
  private(set) var openProcesses: Int
  /// When there was last work for all that are open.
  private var neededAt = Loop.now
  private var ticker = Ticker()
  /// Shared by all engines.
  let changes: ChangeSignal

  /// `make` makes an engine for a process. There are as many `processes` as the turns at once make worthwhile; where there
  /// may be none, `open` starts the first.
  init(
    processes: ClosedRange<Int>,
    limits: CodexSlot.Limits,
    pace: Pace = Pace(),
    changes: ChangeSignal = ChangeSignal(),
    make: @escaping @LoopActor () -> CodexEngine
  ) {
    self.changes = changes
    slots = (0..<max(1, processes.upperBound)).map { [changes] _ in
      CodexSlot(limits: limits) {
        let engine = make()
        engine.changes = changes
        return engine
      }
    }
    fewest = max(0, processes.lowerBound)
    openProcesses = fewest
    self.pace = pace
  }

  func start() {
    for slot in slots.prefix(openProcesses) { slot.open() }
    ticker.start(every: pace.interval) { [weak self] in self?.look() }
  }

  /// Looks at once whether a process has to be followed by another, and whether one fewer would do.
  func look() {
    for slot in slots { slot.look() }
    noteNeed(of: load)
    shrink()
  }

  /// Interrupts every running turn; none is started from here on.
  func endTurns() {
    for engine in engines { engine.endTurns() }
  }

  /// Ends all processes.
  func stop() async {
    ticker.stop()
    await withDiscardingTaskGroup { group in
      for slot in slots { group.addTask { await slot.stop() } }
    }
  }

  // MARK: How many

  /// The engines that take new turns.
  private var current: [CodexEngine] { slots.prefix(openProcesses).map(\.current) }
  private var load: Int { current.reduce(0) { $0 + $1.load } }
  /// Whether every open process would take a turn now.
  var isReady: Bool { current.allSatisfy { $0.unavailability == nil } }

  @discardableResult
  private func noteNeed(of turns: Int) -> Int {
    let needed = (turns + Self.turnsPerProcess - 1) / Self.turnsPerProcess
    if needed >= openProcesses { neededAt = Loop.now }
    return needed
  }

  /// Whether there is a process, or one that starts.
  var isOpen: Bool { openProcesses > 0 }

  /// Starts a process if there is none, and suspends until turns can be started, for `limit` at most. Returns why they
  /// cannot be then.
  func open(within limit: Duration) async -> EngineUnavailability? {
    grow(for: load + 1)
    return await unavailability(afterStartingFor: limit)
  }

  /// Opens one at a time: what starts takes the processor from the turns that wait for it.
  private func grow(for turns: Int) {
    guard noteNeed(of: turns) > openProcesses, openProcesses < slots.count, isReady else { return }
    slots[openProcesses].open()
    openProcesses += 1
    // The first one is told by whoever wants it.
    guard openProcesses > 1 else { return }
    Log.info("starting another Codex process beside the others", ["processes": openProcesses, "turns": turns])
  }

  /// Closes the last one, unless it is the only one that works and one is to be kept.
  private func shrink() {
    guard openProcesses > fewest, Loop.now - neededAt >= pace.idle else { return }
    let usable = current.map { $0.unavailability == nil }
    guard openProcesses == 1 || usable.dropLast().contains(true) || usable.last == false else { return }
    openProcesses -= 1
    slots[openProcesses].close()
    neededAt = Loop.now
    Log.info("one Codex process fewer is needed", ["processes": openProcesses])
  }

  // MARK: All together

  var runningTurns: Int { engines.reduce(0) { $0 + $1.runningTurns } }

  /// Processes that followed one that worked.
  var successions: [CodexSlot.Reason: Int] {
    slots.reduce(into: [:]) { $0.merge($1.successions, uniquingKeysWith: +) }
  }

  private var engines: [CodexEngine] { slots.flatMap(\.engines) }

  /// The engines that could take a turn, the oldest first; all if none could.
  private var usable: [CodexEngine] {
    let usable = current.filter { $0.unavailability == nil }
    return usable.isEmpty ? current : usable
  }

  /// Those with the fewest turns first.
  private var candidates: [CodexEngine] { usable.sorted { $0.load < $1.load } }

  /// The engine for what belongs to none.
  private var leastBusy: CodexEngine { candidates.first ?? slots[0].current }

  // MARK: TurnEngine

  var unavailability: EngineUnavailability? { leastBusy.unavailability }

  var status: EngineStatus {
    var status = leastBusy.status
    // What is left of the plan is told to the process that has used some of it.
    if let last = current.filter({ $0.status.account != nil }).max(by: Self.wasToldBefore),
      last.limitsToldAt != nil
    {
      status.account = last.status.account
    }
    status.processIDs = slots.flatMap(\.processIDs)
    status.restarts = slots.reduce(0) { $0 + $1.restarts }
    status.unknownNotifications = slots.reduce(0) { $0 + $1.unknownNotifications }
    status.successions = Dictionary(uniqueKeysWithValues: successions.map { ($0.rawValue, $1) })
    return status
  }

  /// When Codex has last told what is left of the plan.
  var limitsToldAt: Duration? { current.max(by: Self.wasToldBefore)?.limitsToldAt }

  private static func wasToldBefore(_ left: CodexEngine, _ right: CodexEngine) -> Bool {
    left.limitsToldAt ?? .zero < right.limitsToldAt ?? .zero
  }

  /// Whether a thread is loaded here; no process of another pool could resume it then.
  func isUsing(_ thread: ThreadID) -> Bool { engines.contains { $0.isUsing(thread) } }

  /// Lets go of a thread that no turn runs on, for another pool.
  func handOver(_ thread: ThreadID) {
    for engine in engines where engine.isUsing(thread) { _ = engine.handOver(thread) }
  }

  func start(_ turn: Turn) async throws(EngineError) {
    // No process can resume a thread on which another may still run a turn.
    if case .existing(let thread) = turn.request.thread, engines.contains(where: { $0.isStuck(thread) }) {
      throw .threadNotFound(thread)
    }
    grow(for: load + 1)
    let (first, owner) = engine(for: turn.request.thread)
    do throws(EngineError) {
      try await first.start(turn)
    } catch {
      // A process that refuses has the fewest turns for ever, so another is asked before the client is told.
      guard error.isOfTheProcess(turn), let second = other(than: first, owner, for: turn, after: error)
      else { throw error }
      do throws(EngineError) {
        try await second.start(turn)
      } catch let other {
        // What a client can mend is told rather than that a process is not there.
        if case .unavailable = error { throw other }
        throw error
      }
    }
  }

  /// The engine to ask when `first` has refused a turn. Whoever has its thread loaded keeps it: no other process could
  /// resume it.
  private func other(
    than first: CodexEngine,
    _ owner: CodexEngine?,
    for turn: Turn,
    after error: EngineError
  ) -> CodexEngine? {
    let second = candidates.first { $0 !== first }
    guard case .existing(let thread) = turn.request.thread else { return second }
    if turn.hasThread || first.isUsing(thread) { return nil }
    return owner ?? (error.meansBusyThread ? nil : second)
  }

  /// The engine for a turn. A thread is used where it is loaded; but if that process is busy and another is not, or has
  /// lost its login, it moves: to be resumed costs less than to wait. `owner` is the engine that has given it up then.
  private func engine(for thread: TurnRequest.Thread) -> (engine: CodexEngine, owner: CodexEngine?) {
    let least = leastBusy
    guard case .existing(let thread) = thread, let owner = current.first(where: { $0.isUsing(thread) }) else {
      return (least, nil)
    }
    let moves =
      switch owner.unavailability {
      case nil: owner.load >= Self.turnsPerProcess && least.load + 1 < owner.load
      case .notLoggedIn: true
      // What hangs, or is gone, cannot let go of it.
      default: false
      }
    return moves && least.unavailability == nil && owner.handOver(thread) ? (least, owner) : (owner, nil)
  }

  func models() async throws(EngineError) -> ModelCatalog {
    if let knownModels { return knownModels }
    var failure = EngineError.unavailable(.starting)
    var old: ModelCatalog?
    for engine in usable {
      do throws(EngineError) {
        let (models, areOld) = try await engine.latestModels()
        guard areOld else { return models }
        old = old ?? models
      } catch {
        failure = error
      }
    }
    guard let old else { throw failure }
    return old
  }

  var knownModels: ModelCatalog? {
    for index in 0..<openProcesses {
      if let models = slots[index].current.knownModels { return models }
    }
    return nil
  }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    try await (engines.first { $0.isUsing(thread) } ?? leastBusy).history(of: thread)
  }
}

extension EngineError {
  /// Whether this process did not take the turn for a reason of its own, so that another may.
  @LoopActor fileprivate func isOfTheProcess(_ turn: Turn) -> Bool {
    switch self {
    case .unavailable, .overloaded: true
    case .rejected: !turn.hasThread
    case .threadNotFound, .turnFailed, .crashed, .timedOut, .providerUnreachable, .unresponsive, .forbidden,
      .cancelled:
      false
    }
  }

  /// Whether another process has the thread loaded.
  fileprivate var meansBusyThread: Bool {
    if case .rejected(let message) = self { CodexPayload.meansBusyThread(message) } else { false }
  }
}
