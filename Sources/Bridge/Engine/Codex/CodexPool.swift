// All Codex processes as one engine. A thread belongs to the process that has it loaded; everything else goes where the
// fewest turns run. There are more of them while many turns run at once.

/// The engine of the service.
@LoopActor
final class CodexPool: TurnEngine {
  private enum Limit {
    /// How often the processes are looked at.
    static let interval = Duration.seconds(3)
    /// One process for so many turns at once. Bridge.docc/Performance.md, "More than one engine".
    static let turns = 4
  }

  /// All that there may be. Those that are open come first.
  private let slots: [CodexSlot]
  private let fewest: Int
  private let idleTime: Duration
  /// Processes that are used for new turns, or will be once they are ready.
  private(set) var openProcesses: Int
  /// When there was last work for all that are open.
  private var neededAt = Loop.now
  private var ticker = Ticker()

  /// `make` makes an engine for a process. There are as many `processes` as the turns at once make worthwhile; one that
  /// has not been needed for `idleTime` is ended.
  init(
    processes: ClosedRange<Int>,
    limits: CodexSlot.Limits,
    idleTime: Duration = .seconds(300),
    make: @escaping @LoopActor () -> CodexEngine
  ) {
    slots = (0..<max(1, processes.upperBound)).map { _ in CodexSlot(limits: limits, make: make) }
    fewest = max(1, processes.lowerBound)
    openProcesses = fewest
    self.idleTime = idleTime
  }

  func start() {
    for slot in open { slot.open() }
    ticker.start(every: Limit.interval) { [weak self] in self?.look() }
  }

  /// Looks at once whether a process has to be followed by another, and whether there are as many as are needed.
  func look() {
    for slot in slots { slot.look() }
    adapt(to: load)
  }

  private var open: ArraySlice<CodexSlot> { slots.prefix(openProcesses) }
  /// Whether every open process would take a turn now.
  var isReady: Bool { open.allSatisfy { $0.current.unavailability == nil } }
  private var load: Int { engines.reduce(0) { $0 + $1.load } }

  /// Opens or closes a slot, one at a time: what starts takes the processor from the turns that wait for it.
  private func adapt(to turns: Int) {
    let needed = (turns + Limit.turns - 1) / Limit.turns
    if needed >= openProcesses { neededAt = Loop.now }
    if needed > openProcesses, openProcesses < slots.count {
      guard isReady else { return }
      slots[openProcesses].open()
      openProcesses += 1
      Log.info("starting another Codex process beside the others", ["processes": openProcesses, "turns": turns])
    } else if openProcesses > fewest, Loop.now - neededAt >= idleTime {
      openProcesses -= 1
      slots[openProcesses].close()
      neededAt = Loop.now
      Log.info("one Codex process fewer is needed", ["processes": openProcesses])
    }
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

  var runningTurns: Int { engines.reduce(0) { $0 + $1.runningTurns } }

  /// Processes that followed one that worked.
  var successions: [CodexSlot.Reason: Int] {
    slots.reduce(into: [:]) { $0.merge($1.successions, uniquingKeysWith: +) }
  }

  private var engines: [CodexEngine] { slots.flatMap(\.engines) }

  /// The engine for what belongs to none.
  private var leastBusy: CodexEngine {
    let current = open.map(\.current)
    let usable = current.filter { $0.unavailability == nil }
    return (usable.isEmpty ? current : usable).min { $0.load < $1.load } ?? slots[0].current
  }

  // MARK: TurnEngine

  var unavailability: EngineUnavailability? { leastBusy.unavailability }

  var status: EngineStatus {
    var status = leastBusy.status
    status.processIDs = engines.flatMap(\.status.processIDs)
    status.restarts = slots.reduce(0) { $0 + $1.restarts }
    status.unknownNotifications = slots.reduce(0) { $0 + $1.unknownNotifications }
    status.successions = Dictionary(uniqueKeysWithValues: successions.map { ($0.rawValue, $1) })
    return status
  }

  func start(_ turn: Turn) async throws(EngineError) {
    adapt(to: load + 1)
    if case .existing(let thread) = turn.request.thread,
      let owner = open.map(\.current).first(where: { $0.isUsing(thread) })
    {
      return try await owner.start(turn)
    }
    try await leastBusy.start(turn)
  }

  func models() async throws(EngineError) -> ModelCatalog { try await leastBusy.models() }

  var knownModels: ModelCatalog? { leastBusy.knownModels }

  func history(of thread: ThreadID) async throws(EngineError) -> [TurnRequest.HistoryItem] {
    try await (engines.first { $0.isUsing(thread) } ?? leastBusy).history(of: thread)
  }
}
