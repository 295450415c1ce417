// How turns on an app-server end: by themselves, by an interrupt, by a deadline, with their process.
// Owns the look at their deadlines and whether turns may still begin; the running turns belong to `RunningTurns`.

/// Ends turns and watches their deadlines.
@LoopActor
final class TurnEnds: TurnRunner {
  private enum Limit {
    /// How often running turns are looked at.
    static let sweep = Duration.milliseconds(250)
    /// How long Codex may take to end the commands of a thread, which it does within milliseconds; then it is done for it.
    static let cleaning = Duration.seconds(3)
  }

  private let server: AppServer
  private let options: CodexOptions
  private let active: RunningTurns
  private let threads: CodexThreads
  private let approvals: ApprovalDesk
  private let commands: CommandProcesses
  private let tools: ToolRelay
  private var sweeper = Ticker()
  /// Whether the bridge is going away: no turn begins any more.
  private(set) var isDraining = false
  /// Whether another engine has taken over.
  private(set) var isRetired = false
  /// Whether this process did not end a turn that it was told to end: it is to be followed by another.
  private(set) var hasStuckTurn = false
  /// Called when no turn runs or is being started any more.
  var onIdle: (@LoopActor () -> Void)?
  /// Called when a turn has got stuck.
  var onStuckTurn: (@LoopActor () -> Void)?

  init(
    server: AppServer, options: CodexOptions, active: RunningTurns, threads: CodexThreads,
    approvals: ApprovalDesk, commands: CommandProcesses, tools: ToolRelay
  ) {
    self.server = server
    self.options = options
    self.active = active
    self.threads = threads
    self.approvals = approvals
    self.commands = commands
    self.tools = tools
  }

  // MARK: Watching

  /// Looks at the turns again and again, until `stopWatchingIfIdle` finds none.
  func watch() {
    sweeper.start(every: Limit.sweep) { [weak self] in self?.sweep() }
  }

  func stopWatchingIfIdle() {
    guard active.load == 0 else { return }
    sweeper.stop()
    onIdle?()
    // Nobody else's turn runs in it, so nobody has to wait for a successor.
    if hasStuckTurn, !isDraining, !isRetired { server.replace(because: "it did not end an interrupted turn") }
  }

  private func sweep() {
    let now = Loop.now
    if server.silence > options.timeouts.silence { server.checkHealth() }
    for running in active.values {
      switch running.expiry(at: now, options) {
      case .none: break
      case .ending(.over): finish(running, .interrupted(running.usage))
      case .ending(.unconfirmedInterrupt): giveUp(running)
      case .provider(let error): interrupt(running, with: .failed(error))
      case .turn(let limit, let isSilence):
        interrupt(running, with: .failed(.timedOut(after: limit, isSilence: isSilence)))
      }
    }
  }

  // MARK: Ends of turns

  /// Takes the engine's word that a turn has completed.
  func complete(_ running: RunningTurn) {
    switch running.commentaryAsAnswer {
    case .none: close(running, .completed(running.usage))
    case .fits(let messages): close(running, .completed(running.usage), after: .answerIsCommentary(messages))
    case .mismatch: close(running, .failed(.turnFailed(.schemaMismatch)))
    }
  }

  /// Ends a turn that has not completed. What the bridge has decided on goes before what the engine says.
  func finish(_ running: RunningTurn, _ outcome: TurnOutcome) {
    close(running, running.ending.decidedOutcome ?? outcome)
  }

  /// Ends a turn for whoever waits for it; `last` comes before its end.
  private func close(_ running: RunningTurn, _ outcome: TurnOutcome, after last: TurnEvent? = nil) {
    active[running.thread.raw] = nil
    approvals.withdraw(thread: running.thread)
    let isEphemeral = running.turn.request.thread == .ephemeral
    let wasCut = if case .completed = outcome { false } else { true }
    // A command may outlive an interrupted turn, and any turn of a thread that nobody will see again. One that had just
    // begun when its turn was cut is not told of.
    if wasCut
      ? running.hasRunCommands || running.turn.profile.letsCommandsOutlive : running.hasRunCommands && isEphemeral
    {
      endCommands(of: running, wasCut: wasCut)
    } else {
      if running.hasRunCommands { threads.ranCommands(running.thread) }
      commands.turnCompleted(on: running.thread)
    }
    threads.release(running.thread, of: running.turn)
    if let last { running.turn.events.push(last) }
    running.turn.end(outcome)
    stopWatchingIfIdle()
  }

  /// Has Codex end the commands of a turn that is over; what that does not reach is ended once Codex has answered.
  private func endCommands(of running: RunningTurn, wasCut: Bool) {
    let cut = wasCut ? commands.turnCut(on: running.thread) : nil
    if !wasCut { commands.turnCompleted(on: running.thread) }
    let endRest = { @LoopActor [commands] in if let cut { commands.end(cut) } }
    guard let rpc = server.rpc else { return endRest() }
    let params: JSONValue = ["threadId": .string(running.thread.raw)]
    rpc.call(Method.cleanBackgroundTerminals, params, timeout: Limit.cleaning) { _ in endRest() }
  }

  // MARK: Interrupts

  func progress(of turn: Turn) -> TurnProgress? {
    active[turn].map { TurnProgress(activity: $0.activity, lastActivityAt: $0.lastProgressAt) }
  }

  func interrupt(_ turn: Turn) {
    if let running = active[turn] { interrupt(running) }
  }

  func resume(_ turn: Turn, with reply: ToolReply) {
    if let running = active[turn] { tools.resume(running, with: reply) }
  }

  /// Interrupts a turn, which ends with `outcome` if the bridge has decided on one. The second call tells Codex nothing.
  func interrupt(_ running: RunningTurn, with outcome: TurnOutcome? = nil) {
    guard running.interrupt(with: outcome) else { return }
    let params: JSONValue = ["threadId": .string(running.thread.raw), "turnId": .string(running.turnID ?? "")]
    // Its end mostly is on the way then, and a lost engine ends all turns itself.
    server.rpc?.call(Method.turnInterrupt, params) { [weak running] reply in
      if case .failure(let failure) = reply, CodexPayload.meansTurnIsOver(failure.message) {
        running?.engineKnowsNoTurn()
      }
    }
  }

  // MARK: Stuck turns

  /// Drops a turn that the engine does not end. The others go on: another process takes over, and this one is ended
  /// when nothing runs in it any more.
  private func giveUp(_ running: RunningTurn) {
    Log.warning(
      "Codex does not end an interrupted turn; it is dropped",
      ["request": running.turn.requestID, "thread": running.thread])
    giveUp(running.thread)
    finish(running, .interrupted(running.usage))
    if running.turnID == nil { endUnansweredStart() }
  }

  /// A turn that was given up before Codex had answered its start is still waited for by whoever started it. A process that
  /// is silent, and in which nobody else's turn runs, is replaced, which ends the wait; any other is asked for a sign of life.
  private func endUnansweredStart() {
    if active.count == 0, server.silence > options.timeouts.idleSilence {
      server.replace(because: "it does not answer")
    } else {
      server.checkHealth()
    }
  }

  /// No turn is started again on a thread that may still run one: Codex would make one of the two.
  func giveUp(_ thread: ThreadID) {
    hasStuckTurn = true
    threads.giveUp(thread)
    onStuckTurn?()
  }

  // MARK: Ends of the engine

  /// Interrupts every running turn, which ends with an error that says that the bridge is going away. No turn may begin
  /// from here on.
  func drain() {
    isDraining = true
    for running in active.values { interrupt(running, with: .failed(.unavailable(.draining))) }
  }

  /// Another engine takes over; turns that run go on.
  func retire() { isRetired = true }

  /// The process is gone, and commands of its turns may not be. The turns end with `endAll`.
  func processLost() {
    hasStuckTurn = false
    for running in active.values {
      if let cut = commands.turnCut(on: running.thread) { commands.end(cut) }
    }
  }

  /// Ends all turns of a process that is gone.
  func endAll() {
    // Who waits for the answer to `turn/start` is told by it.
    for running in active.values where running.turnID != nil {
      approvals.withdraw(thread: running.thread)
      running.turn.end(running.ending.decidedOutcome ?? .failed(.crashed))
    }
    active.removeAll()
    sweeper.stop()
  }
}
