// One place for a Codex process, and the processes that follow each other in it. A successor is started and ready before
// it takes over; the one before it ends the turns it runs, so that none is lost.

/// The engine of one process at a time, while it is open.
@LoopActor
final class CodexSlot {
  /// When a process is followed by a fresh one.
  struct Limits: Sendable {
    /// Memory of the process; nil for no bound.
    var residentBytes: Int?
    var turns: Int?
    var age: Duration?
  }

  /// Why a process is replaced although it works.
  enum Reason: String, Sendable {
    case memory
    case turns
    case age
    case login
    /// It does not end a turn.
    case stuck
  }

  private enum Limit {
    /// A successor that is not ready by then is given up.
    static let start = Duration.seconds(60)
    /// Between two successions: a limit that even a fresh process exceeds must not start one after the other.
    static let pause = Duration.seconds(60)
    /// Processes that still end their turns; while there are more, no further one is started.
    static let retiring = 3
  }

  private enum State {
    case closed
    case open
    case stopped
  }

  private struct Successor {
    let engine: CodexEngine
    let reason: Reason
    let startedAt: Duration
  }

  private let make: @LoopActor () -> CodexEngine
  private let limits: Limits
  private(set) var current: CodexEngine
  private var successor: Successor?
  private var retiring: [CodexEngine] = []
  /// Nothing runs in these any more; their processes are about to be gone.
  private var ending: [CodexEngine] = []
  /// When the login that `current` has read was written.
  private var login: FileVersion?
  private var loginSeen: FileVersion?
  private var changedAt: Duration?
  private var state = State.closed
  /// Successions so far.
  private(set) var successions: [Reason: Int] = [:]
  private var openings = 0
  private var pastLaunches = 0
  private var pastUnknownNotifications = 0

  /// `make` makes an engine that has not been started.
  init(limits: Limits, make: @escaping @LoopActor () -> CodexEngine) {
    self.limits = limits
    self.make = make
    current = make()
  }

  /// The current engine and those before it that still run turns.
  var engines: [CodexEngine] { [current] + retiring }
  /// All processes, those that start or end included.
  var processIDs: [Int32] {
    (engines + ending + [successor?.engine].compactMap(\.self)).flatMap(\.status.processIDs)
  }

  /// Starts of processes besides those for opening it.
  var restarts: Int { engines.reduce(pastLaunches - openings) { $0 + $1.launches } }
  var unknownNotifications: Int { engines.reduce(pastUnknownNotifications) { $0 + $1.unknownNotificationCount } }

  /// Starts a process.
  func open() {
    guard case .closed = state else { return }
    state = .open
    openings += 1
    login = FileVersion(current.loginFile)
    loginSeen = login
    current.start()
  }

  /// Lets the process end the turns it runs, and be gone then. It can be opened again at once.
  func close() {
    guard case .open = state else { return }
    state = .closed
    if let successor { giveUp(successor) }
    replaceCurrent(with: make())
  }

  /// Ends all of its processes, for good.
  func stop() async {
    state = .stopped
    let engines = engines + ending + [successor?.engine].compactMap(\.self)
    successor = nil
    await withDiscardingTaskGroup { group in
      for engine in engines { group.addTask { await engine.stop() } }
    }
  }

  /// Checks the limits. Called every few seconds.
  func look() {
    endWhatIsDrained()
    guard case .open = state else { return }
    current.dropUnwantedThreads()
    current.checkIdleHealth()
    if let successor { return look(at: successor) }
    guard retiring.count < Limit.retiring, let reason = reasonToSucceed() else { return }
    Log.info("starting another Codex process to take over", ["reason": reason.rawValue])
    let engine = make()
    successor = Successor(engine: engine, reason: reason, startedAt: Loop.now)
    login = FileVersion(engine.loginFile)
    engine.onChange = { [weak self, weak engine] in
      if let self, let successor = self.successor, successor.engine === engine { self.look(at: successor) }
    }
    engine.start()
  }

  private func reasonToSucceed() -> Reason? {
    let seen = FileVersion(current.loginFile)
    // A file that is still being written is looked at again.
    let isSettled = seen == loginSeen
    loginSeen = seen
    let isLoggedOut = current.unavailability?.isLoggedOut == true
    if isSettled, seen != login, isLoggedOut || !isPausing { return .login }
    guard !isPausing, current.unavailability == nil, let process = current.process else { return nil }
    if current.hasStuckTurn { return .stuck }
    if let turns = limits.turns, process.turns >= turns { return .turns }
    if let age = limits.age, Loop.now - process.startedAt >= age { return .age }
    if let most = limits.residentBytes, let used = ProcessStatus.residentBytes(of: process.id), used > most {
      return .memory
    }
    return nil
  }

  private var isPausing: Bool { changedAt.map { Loop.now - $0 < Limit.pause } ?? false }

  private func look(at successor: Successor) {
    switch successor.engine.unavailability {
    // Without a login it serves nobody, but that is the truth then.
    case nil, .notLoggedIn?: takeOver(successor)
    case let reason?:
      guard Loop.now - successor.startedAt > Limit.start else { return }
      Log.error("a fresh Codex process does not start; the one before it goes on", ["reason": reason.message])
      changedAt = Loop.now
      giveUp(successor)
    }
  }

  private func giveUp(_ successor: Successor) {
    self.successor = nil
    end(successor.engine)
  }

  private func takeOver(_ successor: Successor) {
    replaceCurrent(with: successor.engine)
    self.successor = nil
    changedAt = Loop.now
    // Codex may have written the file itself while it started.
    login = FileVersion(current.loginFile)
    loginSeen = login
    successions[successor.reason, default: 0] += 1
  }

  private func replaceCurrent(with engine: CodexEngine) {
    current.retire()
    retiring.append(current)
    current = engine
    engine.changes.send()
    endWhatIsDrained()
  }

  private func endWhatIsDrained() {
    for engine in retiring where engine.isDrained {
      retiring.removeAll { $0 === engine }
      pastLaunches += engine.launches
      pastUnknownNotifications += engine.unknownNotificationCount
      Log.info("a Codex process has ended its turns and is stopped")
      end(engine)
    }
  }

  private func end(_ engine: CodexEngine) {
    ending.append(engine)
    Loop.spawn {
      await engine.stop()
      self.ending.removeAll { $0 === engine }
    }
  }
}
