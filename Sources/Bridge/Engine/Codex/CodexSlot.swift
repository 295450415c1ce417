// A slot of the pool: one Codex process for new turns, and those that it has replaced. A successor is started and becomes
// ready before it takes over. The replaced process finishes its running turns, so that none is lost.

import Glibc

/// One slot of the pool. While it is open, new turns go to its current engine.
@LoopActor
final class CodexSlot {
  /// When a working process is replaced by a fresh one. Nil for no bound.
  struct Limits: Sendable {
    /// Memory of the process.
    var residentBytes: Int?
    /// Turns that the process was given.
    var turns: Int?
    /// Time since the process was started.
    var age: Duration?
  }

  /// Why a process is replaced although it works.
  enum Reason: String, Sendable {
    case memory
    case turns
    case age
    /// The login in Codex's home has changed; a process reads it only at its start.
    case login
    /// The process did not end a turn that it was told to end.
    case stuck
  }

  private enum Limit {
    /// A successor that is not ready after this time is given up.
    static let start = Duration.seconds(60)
    /// The shortest time between two successions. Without it, a limit that even a fresh process exceeds would start one
    /// process after the other.
    static let pause = Duration.seconds(60)
    /// How many replaced processes may still run turns. While there are so many, no further process is replaced, to bound
    /// the memory.
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
  /// Replaced engines that still run turns.
  private var retiring: [CodexEngine] = []
  /// Engines without turns whose processes are being ended.
  private var ending: [CodexEngine] = []
  /// The login file as it was when `current`, or its successor, was started.
  private var loginOfProcess: FileVersion?
  /// The login file as the last check found it.
  private var lastSeenLogin: FileVersion?
  /// When a successor last took over or was given up, on the loop's clock.
  private var lastSuccessionAt: Duration?
  private var state = State.closed
  /// How often a successor has taken over, by reason.
  private(set) var successions: [Reason: Int] = [:]
  private var openings = 0
  /// Counts of the engines that are gone.
  private var pastLaunches = 0
  private var pastUnknownNotifications = 0

  /// `make` makes an engine that has not been started.
  init(limits: Limits, make: @escaping @LoopActor () -> CodexEngine) {
    self.limits = limits
    self.make = make
    current = make()
  }

  /// The current engine, and the replaced ones that still run turns.
  var engines: [CodexEngine] { [current] + retiring }
  /// All processes, including those that are starting or ending.
  var processIDs: [Int32] {
    (engines + ending + [successor?.engine].compactMap(\.self)).flatMap(\.status.processIDs)
  }

  /// How often a process was started, apart from the starts that opened the slot.
  var restarts: Int { engines.reduce(pastLaunches - openings) { $0 + $1.launches } }
  var unknownNotifications: Int { engines.reduce(pastUnknownNotifications) { $0 + $1.unknownNotificationCount } }

  /// Opens the slot: starts its process.
  func open() {
    guard case .closed = state else { return }
    state = .open
    openings += 1
    loginOfProcess = FileVersion(current.loginFile)
    lastSeenLogin = loginOfProcess
    current.start()
  }

  /// Closes the slot: its process finishes its running turns and is ended then. The slot can be opened again at once.
  func close() {
    guard case .open = state else { return }
    state = .closed
    if let successor { giveUp(successor) }
    replaceCurrent(with: make())
  }

  /// Ends all processes of the slot, which cannot be opened again.
  func stop() async {
    state = .stopped
    let engines = engines + ending + [successor?.engine].compactMap(\.self)
    successor = nil
    await withDiscardingTaskGroup { group in
      for engine in engines { group.addTask { await engine.stop() } }
    }
  }

  /// Checks the process against its limits, and starts a successor if there is a reason. Called every few seconds.
  func checkProcess() {
    endDrainedEngines()
    guard case .open = state else { return }
    current.dropUnusedThreads()
    current.checkIdleHealth()
    if let successor { return checkSuccessor(successor) }
    guard retiring.count < Limit.retiring, let reason = reasonToReplace() else { return }
    Log.info("starting another Codex process to take over", ["reason": reason.rawValue])
    let engine = make()
    successor = Successor(engine: engine, reason: reason, startedAt: Loop.now)
    loginOfProcess = FileVersion(engine.loginFile)
    engine.onChange = { [weak self, weak engine] in
      if let self, let successor = self.successor, successor.engine === engine { self.checkSuccessor(successor) }
    }
    engine.start()
  }

  private func reasonToReplace() -> Reason? {
    let login = FileVersion(current.loginFile)
    // A file that has changed since the last check may still be being written. The next check decides.
    let isSettled = login == lastSeenLogin
    lastSeenLogin = login
    let isLoggedOut = current.unavailability?.isLoggedOut == true
    if isSettled, login != loginOfProcess, isLoggedOut || !isPausing { return .login }
    guard !isPausing, current.unavailability == nil, let process = current.process else { return nil }
    if current.hasStuckTurn { return .stuck }
    if let turns = limits.turns, process.turns >= turns { return .turns }
    if let age = limits.age, Loop.now - process.startedAt >= age { return .age }
    if let most = limits.residentBytes, let used = ProcessStatus.residentBytes(of: process.id), used > most {
      return .memory
    }
    return nil
  }

  private var isPausing: Bool { lastSuccessionAt.map { Loop.now - $0 < Limit.pause } ?? false }

  private func checkSuccessor(_ successor: Successor) {
    switch successor.engine.unavailability {
    // A successor that is not logged in takes over too: both processes read the same login, so waiting would not help.
    case nil, .notLoggedIn?: takeOver(successor)
    case let reason?:
      guard Loop.now - successor.startedAt > Limit.start else { return }
      Log.error("a fresh Codex process does not start; the one before it goes on", ["reason": reason.message])
      lastSuccessionAt = Loop.now
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
    lastSuccessionAt = Loop.now
    // Codex may have written the file itself while it started, which is no new login.
    loginOfProcess = FileVersion(current.loginFile)
    lastSeenLogin = loginOfProcess
    successions[successor.reason, default: 0] += 1
  }

  private func replaceCurrent(with engine: CodexEngine) {
    current.retire()
    retiring.append(current)
    current = engine
    engine.changes.send()
    endDrainedEngines()
  }

  private func endDrainedEngines() {
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
