// Several Codex processes as one engine. Decides how many processes there are, and which of them runs a turn.

/// The engine of the service.
@LoopActor
final class CodexPool: TurnEngine {
  /// How often the pool checks its processes, and when it ends one.
  struct Pace: Sendable {
    /// The time between two checks.
    var interval = Duration.seconds(3)
    /// A process that was not needed for this long is ended.
    var idle = Duration.seconds(300)
  }

  /// A further process is started for each so many turns at once. Performance, "More than one engine", tells why.
  private static let turnsPerProcess = 4

  /// One for each process that there may be. The open ones come first.
  private let slots: [CodexSlot]
  private let minProcesses: Int
  private let pace: Pace
  /// How many of the slots are open. They take new turns as soon as their processes are ready.
  private(set) var openProcesses: Int
  /// When there were last enough turns to need all open processes.
  private var allNeededAt = Loop.now
  private var ticker = Ticker()
  private var isStopping = false
  /// Shared by all engines of the pool.
  let changes: ChangeSignal

  /// `make` makes the engine of a process. The pool runs as many processes of the range as its running turns are worth; where
  /// there may be none, `open` starts the first.
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
    minProcesses = max(0, processes.lowerBound)
    openProcesses = minProcesses
    self.pace = pace
  }

  /// Starts the first process, and the others when that has made the files of Codex's home: in a new one, several that make them
  /// at once stand in each other's way.
  func start() {
    if minProcesses > 0 { slots[0].open() }
    if minProcesses > 1 { Loop.spawn { await self.openOthers() } }
    ticker.start(every: pace.interval) { [weak self] in self?.checkProcesses() }
  }

  private func openOthers() async {
    await changes.wait { self.isStopping || self.slots[0].current.unavailability != .starting }
    guard !isStopping else { return }
    for slot in slots[1..<minProcesses] { slot.open() }
  }

  /// Checks whether a process has to be replaced by a fresh one, and whether one process fewer would do. The ticker calls
  /// it; tests call it at once.
  func checkProcesses() {
    for slot in slots { slot.checkProcess() }
    recordNeed(of: load)
    shrink()
  }

  /// Interrupts every running turn. No turn can be started from then on.
  func endTurns() {
    for engine in engines { engine.endTurns() }
  }

  /// Ends all processes.
  func stop() async {
    ticker.stop()
    isStopping = true
    changes.send()
    await withDiscardingTaskGroup { group in
      for slot in slots { group.addTask { await slot.stop() } }
    }
  }

  // MARK: How many

  /// The engines that new turns may go to.
  private var current: [CodexEngine] { slots.prefix(openProcesses).map(\.current) }
  private var load: Int { current.reduce(0) { $0 + $1.load } }
  /// Whether every open process would take a turn now.
  var isReady: Bool { current.allSatisfy { $0.unavailability == nil } }

  /// Returns how many processes this many turns need, and records the time if that is all open ones.
  @discardableResult
  private func recordNeed(of turns: Int) -> Int {
    let needed = (turns + Self.turnsPerProcess - 1) / Self.turnsPerProcess
    if needed >= openProcesses { allNeededAt = Loop.now }
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

  /// Opens a further process if the turns need it. One at a time: a process that starts takes the processor from the turns.
  private func grow(for turns: Int) {
    guard recordNeed(of: turns) > openProcesses, openProcesses < slots.count, isReady else { return }
    slots[openProcesses].open()
    openProcesses += 1
    // The first one is told by whoever wants it.
    guard openProcesses > 1 else { return }
    Log.info("starting another Codex process beside the others", ["processes": openProcesses, "turns": turns])
  }

  /// Closes the last process if it was not needed for long, unless it is the only one that works and one is to be kept.
  private func shrink() {
    guard openProcesses > minProcesses, Loop.now - allNeededAt >= pace.idle else { return }
    let usable = current.map { $0.unavailability == nil }
    guard openProcesses == 1 || usable.dropLast().contains(true) || usable.last == false else { return }
    openProcesses -= 1
    slots[openProcesses].close()
    allNeededAt = Loop.now
    Log.info("one Codex process fewer is needed", ["processes": openProcesses])
  }

  // MARK: All together

  var runningTurns: Int { engines.reduce(0) { $0 + $1.runningTurns } }

  /// How often a fresh process took over from one that still worked, by reason.
  var successions: [CodexSlot.Reason: Int] {
    slots.reduce(into: [:]) { $0.merge($1.successions, uniquingKeysWith: +) }
  }

  private var engines: [CodexEngine] { slots.flatMap(\.engines) }

  /// The open engines that could start a turn now; all open ones if none could.
  private var usable: [CodexEngine] {
    let usable = current.filter { $0.unavailability == nil }
    return usable.isEmpty ? current : usable
  }

  /// The usable engines, those with the fewest turns first.
  private var candidates: [CodexEngine] { usable.sorted { $0.load < $1.load } }

  /// The engine that gets whatever is not bound to a certain one.
  private var leastBusy: CodexEngine { candidates.first ?? slots[0].current }

  // MARK: TurnEngine

  var unavailability: EngineUnavailability? { leastBusy.unavailability }

  var status: EngineStatus {
    var status = leastBusy.status
    // A process learns what is left of the plan only from its own turns, so the latest report counts.
    if let last = current.filter({ $0.status.account != nil }).max(by: Self.wasToldBefore),
      last.limitsReportedAt != nil
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
  var limitsReportedAt: Duration? { current.max(by: Self.wasToldBefore)?.limitsReportedAt }

  private static func wasToldBefore(_ left: CodexEngine, _ right: CodexEngine) -> Bool {
    left.limitsReportedAt ?? .zero < right.limitsReportedAt ?? .zero
  }

  /// Whether a thread is loaded here; no process of another pool could resume it then.
  func isUsing(_ thread: ThreadID) -> Bool { engines.contains { $0.isUsing(thread) } }

  /// Lets go of a thread that no turn runs on, for another pool.
  func handOver(_ thread: ThreadID) {
    for engine in engines where engine.isUsing(thread) { _ = engine.handOver(thread) }
  }

  func start(_ turn: Turn) async throws(EngineError) {
    // No process can resume a thread on which another may still run a turn.
    if let thread = turn.request.thread.id, engines.contains(where: { $0.isStuck(thread) }) {
      throw .threadNotFound(thread)
    }
    grow(for: load + 1)
    let (first, owner) = engine(for: turn.request.thread)
    do throws(EngineError) {
      try await first.start(turn)
    } catch {
      // A process that refuses all turns always has the fewest, so it would get every new one. Another is asked before the
      // turn fails.
      guard error.concernsProcess(of: turn),
        let second = secondEngine(insteadOf: first, owner: owner, for: turn, after: error)
      else { throw error }
      do throws(EngineError) {
        try await second.start(turn)
      } catch let other {
        // The second error may be one that the client can mend; that a process is not available is not.
        if case .unavailable = error { throw other }
        throw error
      }
    }
  }

  /// The engine to ask when `first` has refused a turn; nil if no other could run it. While a process has the turn's
  /// thread loaded, no other process can resume it. `owner` is the engine that had the thread loaded before it was moved
  /// to `first`.
  private func secondEngine(
    insteadOf first: CodexEngine, owner: CodexEngine?, for turn: Turn, after error: EngineError
  ) -> CodexEngine? {
    let second = candidates.first { $0 !== first }
    guard let thread = turn.request.thread.id else { return second }
    if turn.hasThread || first.isUsing(thread) { return nil }
    return owner ?? (error.meansBusyThread ? nil : second)
  }

  /// The engine for a turn: the one that has its thread loaded, else the least busy one. If the first has lost its login,
  /// or is busy while another is not, the thread is moved: resuming it elsewhere costs less than waiting. In that case
  /// `owner` is the engine that has unloaded the thread.
  private func engine(for thread: TurnRequest.Thread) -> (engine: CodexEngine, owner: CodexEngine?) {
    let least = leastBusy
    guard let thread = thread.id, let owner = current.first(where: { $0.isUsing(thread) }) else {
      return (least, nil)
    }
    return gives(owner, to: least) && owner.handOver(thread) ? (least, owner) : (owner, nil)
  }

  /// Whether a thread of one process is better resumed by another.
  private func gives(_ owner: CodexEngine, to least: CodexEngine) -> Bool {
    guard least.unavailability == nil else { return false }
    return switch owner.unavailability {
    case nil: owner.load >= Self.turnsPerProcess && least.load + 1 < owner.load
    case .notLoggedIn: true
    // A process that hangs or has ended cannot unload the thread.
    default: false
    }
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

  /// The engine that has a thread loaded; any where none has.
  private func user(of thread: ThreadID) -> CodexEngine { engines.first { $0.isUsing(thread) } ?? leastBusy }

  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? {
    await user(of: thread).items(of: thread, without: turnID, placing: outputs)
  }

  func standing(of thread: ThreadID) -> ThreadStanding {
    let users = engines.filter { $0.isUsing(thread) || $0.isStuck(thread) }
    if users.contains(where: { $0.standing(of: thread) == .bound }) { return .bound }
    guard let owner = current.first(where: { $0.isUsing(thread) }), !gives(owner, to: leastBusy) else {
      return .loadedAgain
    }
    return owner.standing(of: thread)
  }

  func items(of thread: ThreadID, keeping part: TurnPart, ofTurn turnID: String) async -> [String]? {
    await user(of: thread).items(of: thread, keeping: part, ofTurn: turnID)
  }

  func messages(of thread: ThreadID) async -> [Conversation.Item]? {
    await user(of: thread).messages(of: thread)
  }

  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript {
    try await user(of: thread).transcript(of: thread, for: owner)
  }

  func delete(_ thread: ThreadID, endingCommands: Bool) async {
    guard !engines.contains(where: { $0.isStuck(thread) }) else { return }
    await user(of: thread).delete(thread, endingCommands: endingCommands)
  }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    try await user(of: thread).history(of: thread)
  }
}

extension EngineError {
  /// Whether a process refused the turn for a reason that may not hold for another process.
  @LoopActor fileprivate func concernsProcess(of turn: Turn) -> Bool {
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
