// The four ways in which a turn on an app-server ends: by itself, by an interrupt, by a deadline, and with its process.
// Owns the check of the deadlines, and whether turns may still begin. The running turns belong to `RunningTurns`.

/// Ends turns and watches their deadlines.
@LoopActor
final class TurnEnds: TurnRunner {
  private enum Limit {
    /// How often the deadlines of running turns are checked.
    static let check = Duration.milliseconds(250)
    /// How long Codex may take to end the commands of a thread. It takes milliseconds; after this the bridge ends the rest.
    static let cleaning = Duration.seconds(3)
  }

  private let server: AppServer
  private let options: CodexOptions
  private let active: RunningTurns
  private let threads: CodexThreads
  private let approvals: ApprovalDesk
  private let commands: CommandProcesses
  private let tools: ToolRelay
  private var ticker = Ticker()
  /// Whether the bridge is going away: no turn begins any more.
  private(set) var isDraining = false
  /// Whether another engine has taken over.
  private(set) var isRetired = false
  /// Whether the process did not end a turn that it was told to end. Another process has to take over from it.
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

  /// Begins to check deadlines. Called when a turn is being started.
  func startWatching() {
    ticker.start(every: Limit.check) { [weak self] in self?.checkDeadlines() }
  }

  /// Stops checking deadlines if no turn runs or is being started. Called when a turn has ended or was not started.
  func stopWatchingIfIdle() {
    guard active.isEmpty else { return }
    ticker.stop()
    onIdle?()
    // No other turn runs in a process with a stuck turn now, so it is replaced at once instead of waiting for a successor.
    if hasStuckTurn, !isDraining, !isRetired { server.replace(because: "it did not end an interrupted turn") }
  }

  private func checkDeadlines() {
    let now = Loop.now
    if server.silence > options.timeouts.silence { server.checkHealth() }
    for running in active.values {
      tools.check(running, at: now)
      // It goes on from its record on the engine that has taken over.
      if isRetired, running.hasWaited(until: now, atLeast: options.timeouts.parked) { interrupt(running) }
      switch running.expiry(at: now, options) {
      case .none: break
      case .ending(.over): finish(running, .interrupted(running.usage))
      case .ending(.unconfirmedInterrupt): dropStuckTurn(running)
      case .provider(let error): interrupt(running, with: .failed(error))
      case .turn(let limit, let isSilence):
        interrupt(running, with: .failed(.timedOut(after: limit, isSilence: isSilence)))
      }
    }
  }

  // MARK: Ends of turns

  /// Ends a turn that Codex has reported as completed.
  func complete(_ running: RunningTurn) {
    switch running.forcedEnd(callID: RandomID.make("call_")) {
    case .success(let calls): return close(running, .completed(running.usage), after: .toolCalls(calls))
    case .failure(let failure): return close(running, .failed(.turnFailed(failure)))
    case nil: break
    }
    switch running.commentaryAsAnswer {
    case .none: close(running, .completed(running.usage))
    case .fits(let messages): close(running, .completed(running.usage), after: .answerIsCommentary(messages))
    case .mismatch: close(running, .failed(.turnFailed(.schemaMismatch)))
    }
  }

  /// Ends a turn that has not completed. If the bridge has decided on an outcome, that replaces the given one.
  func finish(_ running: RunningTurn, _ outcome: TurnOutcome) {
    close(running, running.ending.decidedOutcome ?? outcome)
  }

  /// Frees everything that belongs to a turn and reports its end, after the event `last`.
  private func close(_ running: RunningTurn, _ outcome: TurnOutcome, after last: TurnEvent? = nil) {
    active[running.thread.raw] = nil
    approvals.withdraw(thread: running.thread)
    let isEphemeral = running.turn.request.thread == .ephemeral
    let wasCut = if case .completed = outcome { false } else { true }
    // Commands must not go on after a turn that was cut, nor on a thread that is never used again. In a turn that was
    // cut, a command may have begun of which Codex had not reported yet.
    if wasCut
      ? running.hasRunCommands || running.turn.profile.letsCommandsOutlive : running.hasRunCommands && isEphemeral
    {
      endCommands(of: running, wasCut: wasCut)
    } else {
      if running.hasRunCommands { threads.ranCommands(running.thread) }
      commands.turnCompleted(on: running.thread)
    }
    if running.hasEffects { running.turn.hadEffects() }
    threads.turnEnded(on: running.thread, running.turn)
    if let last { running.turn.events.push(last) }
    running.turn.end(outcome)
    stopWatchingIfIdle()
  }

  /// Has Codex end the commands of a turn that is over. Once Codex has answered, the bridge ends processes that are left.
  private func endCommands(of running: RunningTurn, wasCut: Bool) {
    let cut = wasCut ? commands.turnCut(on: running.thread) : nil
    if !wasCut { commands.turnCompleted(on: running.thread) }
    let endRest = { @LoopActor [commands] in if let cut { commands.endProcesses(of: cut) } }
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

  func steer(_ turn: Turn, with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void) {
    guard let running = active[turn] else { return then(.refused) }
    tools.steer(running, with: parts, then: then)
  }

  /// Interrupts a turn, which ends with `outcome` if the bridge has decided on one. The second call tells Codex nothing.
  func interrupt(_ running: RunningTurn, with outcome: TurnOutcome? = nil) {
    guard running.interrupt(with: outcome) else { return }
    running.turn.stopRecording()
    let params: JSONValue = ["threadId": .string(running.thread.raw), "turnId": .string(running.turnID ?? "")]
    // A refusal mostly means that the turn has just ended. Other failures need no action: a lost process ends its turns.
    server.rpc?.call(Method.turnInterrupt, params) { [weak running] reply in
      if case .failure(let failure) = reply, CodexPayload.meansTurnIsOver(failure.message) {
        running?.engineKnowsNoTurn()
      }
    }
  }

  // MARK: Stuck turns

  /// Drops a turn that Codex does not end. The process's other turns go on; another process takes over, and this one is
  /// ended when no turn runs in it any more.
  private func dropStuckTurn(_ running: RunningTurn) {
    Log.warning(
      "Codex does not end an interrupted turn; it is dropped",
      ["request": running.turn.requestID, "thread": running.thread])
    markStuck(running.thread)
    finish(running, .interrupted(running.usage))
    if running.turnID == nil { endUnansweredStart() }
  }

  /// Called when a turn was dropped before Codex had answered its `turn/start`: its client still waits for that answer. A
  /// silent process without other turns is replaced, which ends the wait. Any other process is sent a health check.
  private func endUnansweredStart() {
    if active.count == 0, server.silence > options.timeouts.idleSilence {
      server.replace(because: "it does not answer")
    } else {
      server.checkHealth()
    }
  }

  /// Marks a thread on which a turn may still run that does not end. No turn is started on it again, because Codex would
  /// add the new input to the turn that runs.
  func markStuck(_ thread: ThreadID) {
    hasStuckTurn = true
    threads.markStuck(thread)
    onStuckTurn?()
  }

  // MARK: Ends of the engine

  /// Interrupts every running turn; each ends with an error that says that the bridge is shutting down. No turn may begin
  /// from then on.
  func drain() {
    isDraining = true
    for running in active.values { interrupt(running, with: .failed(.unavailable(.draining))) }
  }

  /// Called when another engine has taken over. Running turns go on.
  func retire() { isRetired = true }

  /// Ends processes that commands have left running in a process of Codex that is lost. Its turns end with `endAll`.
  func processLost() {
    hasStuckTurn = false
    for running in active.values {
      if let cut = commands.turnCut(on: running.thread) { commands.endProcesses(of: cut) }
    }
  }

  /// Ends all turns of a process that is lost.
  func endAll() {
    // A turn without an id still waits for the answer to `turn/start`; the failure of that call ends it.
    for running in active.values where running.turnID != nil {
      approvals.withdraw(thread: running.thread)
      running.turn.end(running.ending.decidedOutcome ?? .failed(.crashed))
    }
    active.removeAll()
    ticker.stop()
  }
}
