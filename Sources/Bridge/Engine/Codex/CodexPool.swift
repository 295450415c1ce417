// All Codex processes as one engine. A thread belongs to the process that has it loaded; everything else goes where the
// fewest turns run.

/// The engine of the service.
@LoopActor
final class CodexPool: TurnEngine {
  /// How often the processes are looked at.
  private static let interval = Duration.seconds(3)

  private let slots: [CodexSlot]
  private var ticker = Ticker()

  /// `make` makes an engine for a process.
  init(processes: Int, limits: CodexSlot.Limits, make: @escaping @LoopActor () -> CodexEngine) {
    slots = (0..<max(1, processes)).map { _ in CodexSlot(limits: limits, make: make) }
  }

  func start() {
    for slot in slots { slot.start() }
    ticker.start(every: Self.interval) { [weak self] in self?.look() }
  }

  /// Looks at once whether a process has to be followed by another.
  func look() {
    for slot in slots { slot.look() }
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
    let current = slots.map(\.current)
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
    if case .existing(let thread) = turn.request.thread,
      let owner = slots.map(\.current).first(where: { $0.isUsing(thread) })
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
