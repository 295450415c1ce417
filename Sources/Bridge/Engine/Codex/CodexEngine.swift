// Turns on the app-server: started, watched and ended here.
// Owns the running turns; the process belongs to `AppServer`, the threads to `CodexThreads`.

/// The Codex CLI as an engine.
@LoopActor
final class CodexEngine: TurnEngine, TurnRunner, AppServerDelegate {
  enum Limit {
    /// How often running turns are looked at.
    static let sweep = Duration.milliseconds(250)
    /// With more turns than this the processor is busy with them and nothing is started ahead of need.
    static let loadForWarming = 8
    /// Items of a history whose call is put together on the loop.
    static let itemsOnLoop = 256
    /// How long Codex may take to end the commands of a thread, which it does within milliseconds; then it is done for it.
    static let cleaning = Duration.seconds(3)
  }

  private let server: AppServer
  private let options: Options
  /// Where the process runs, and what is asked of it beside the turns: its configuration, whether its sandbox works.
  private let directory: String
  private let approvals: ApprovalDesk
  private let relay: ApprovalRelay
  private let account: CodexAccount
  private let configuration: CodexConfiguration
  private let notices: EngineNotices
  private let warnings: CodexWarnings
  private let catalog: ModelCatalogCache
  private let active = RunningTurns()
  private let threads: CodexThreads
  private let commands: CommandProcesses
  private var sweeper = Ticker()
  private var isEnding = false
  private var isRetired = false
  /// Turns that are being started.
  private var startingTurns = 0
  private var turnsOfProcess = 0
  /// Whether this process did not end a turn that it was told to end: it is to be followed by another.
  private(set) var hasStuckTurn = false
  private var unknownNotifications = UnknownNotifications()
  /// Called whenever readiness may have changed.
  var onChange: (@LoopActor () -> Void)?
  /// A pool gives all of its engines one signal.
  var changes = ChangeSignal()

  /// Called with the models when they are known, and again when they have changed.
  var onModels: (@LoopActor (ModelCatalog) -> Void)? {
    get { catalog.onChange }
    set { catalog.onChange = newValue }
  }

  init(
    command: ChildCommand,
    options: Options,
    approvals: ApprovalDesk = ApprovalDesk(),
    commands: CommandProcesses = CommandProcesses(),
    notices: EngineNotices = EngineNotices()
  ) {
    self.approvals = approvals
    self.commands = commands
    self.notices = notices
    relay = ApprovalRelay(approvals: approvals, options: options)
    server = AppServer(command: command, timeouts: options.timeouts)
    self.options = options
    directory = command.workingDirectory
    threads = CodexThreads(server: server, warmThreads: options.warmThreads)
    account = CodexAccount(server: server)
    configuration = CodexConfiguration(server: server, directory: directory)
    warnings = CodexWarnings(
      server: server, directory: directory, usesSandbox: options.usesSandbox, notices: notices)
    catalog = ModelCatalogCache(server: server, ttl: options.modelsTTL)
    server.delegate = self
    threads.isRunning = { [weak self] in self?.active[$0.raw] != nil }
    threads.mayWarm = { [weak self] in self?.mayWarm ?? false }
    threads.onInstructions = { [weak self] files in
      if let self { warnings.checkInstructions(files, limit: configuration.maxInstructionBytes) }
    }
    server.onStateChange = { [weak self] in self?.changes.send() }
    account.onChange = { [weak self] in self?.readinessChanged() }
    configuration.onChange = { [weak self] in self?.readinessChanged() }
  }

  func start() { server.start() }

  private func readinessChanged() {
    changes.send()
    onChange?()
  }

  /// Interrupts every running turn, which ends with an error that says that the bridge is going away.
  /// No turn is started from here on.
  func endTurns() {
    isEnding = true
    changes.send()
    for running in active.values { cut(running, .failed(.unavailable(.draining))) }
  }

  /// Ends the engine, and with it what still runs.
  func stop() async {
    account.stop()
    configuration.stop()
    await server.stop()
    lostServer()
    await commands.settled()
  }

  var unavailability: EngineUnavailability? {
    isEnding ? .draining : server.unavailability ?? configuration.unavailability ?? account.unavailability
  }
  var runningTurns: Int { active.count }
  /// Turns that run or are about to.
  var load: Int { active.count + startingTurns }
  /// Processes that were started.
  var launches: Int { server.launches }
  var unknownNotificationCount: Int { unknownNotifications.total }
  /// Where the login of this engine is kept.
  var loginFile: String { server.loginFile }

  /// The process that runs now, when it began, and the turns it was given.
  var process: (id: Int32, startedAt: Duration, turns: Int)? {
    guard let id = server.processID, let startedAt = server.startedAt else { return nil }
    return (id, startedAt, turnsOfProcess)
  }

  /// Whether a thread is loaded here; no other process could resume it then.
  func isUsing(_ thread: ThreadID) -> Bool { threads.isUsing(thread) }

  /// Whether a turn that did not end may still run on a thread here.
  func isStuck(_ thread: ThreadID) -> Bool { threads.isStuck(thread) }

  /// Lets go of a thread that no turn runs on. Returns whether it did.
  func handOver(_ thread: ThreadID) -> Bool { threads.handOver(thread) }

  /// When Codex has last told what is left of the plan.
  var limitsToldAt: Duration? { account.limitsToldAt }

  /// Another engine takes over: this one ends what it runs, lets go of its threads, and is not restarted.
  func retire() {
    isRetired = true
    account.stop()
    configuration.stop()
    server.retire()
    threads.retire()
  }

  /// Lets go of threads that were started ahead of a need that did not come.
  func dropUnwantedThreads() { threads.dropUnwanted() }

  /// Finds out whether an engine that does nothing still could. Called every few seconds.
  func checkIdleHealth() {
    if load == 0, server.silence > options.timeouts.idleSilence { server.checkHealth() }
  }

  private var mayWarm: Bool { load <= Limit.loadForWarming && !isRetired && unavailability == nil }

  /// Whether a retired engine has nothing left to do.
  var isDrained: Bool { isRetired && load == 0 }

  var status: EngineStatus {
    EngineStatus(
      version: server.version?.description,
      processIDs: [server.processID].compactMap(\.self),
      restarts: max(0, server.launches - 1),
      unknownNotifications: unknownNotificationCount,
      providerFault: notices.providerFault,
      account: account.summary
    )
  }

  func progress(of turn: Turn) -> TurnProgress? {
    running(turn).map { TurnProgress(activity: $0.activity, lastActivityAt: $0.lastProgressAt) }
  }

  private func running(_ turn: Turn) -> RunningTurn? {
    guard let thread = turn.threadID, let running = active[thread.raw], running.turn === turn else { return nil }
    return running
  }

  func models() async throws(EngineError) -> ModelCatalog { try await latestModels().models }

  /// The models, and whether they are those of an earlier time because the process did not answer.
  func latestModels() async throws(EngineError) -> (models: ModelCatalog, areOld: Bool) {
    if let unavailability = server.unavailability { throw .unavailable(unavailability) }
    return try await catalog.current()
  }

  var knownModels: ModelCatalog? { catalog.fresh }

  // MARK: Starting a turn

  func start(_ turn: Turn) async throws(EngineError) {
    if let unavailability { throw .unavailable(unavailability) }
    startingTurns += 1
    turnsOfProcess += 1
    sweeper.start(every: Limit.sweep) { [weak self] in self?.sweep() }
    defer {
      startingTurns -= 1
      stopSweepingIfIdle()
    }
    let thread = try await open(for: turn)
    turn.hasThread = true
    defer { threads.letGo(thread) }
    do throws(EngineError) {
      do throws(EngineError) {
        try await startTurn(turn, onOpen: thread)
      } catch .threadNotFound where turn.request.thread == .existing(thread) {
        try await threads.reopen(thread, for: turn)
        try await startTurn(turn, onOpen: thread)
      }
    } catch {
      threads.release(thread, of: turn)
      throw error
    }
  }

  private func open(for turn: Turn) async throws(EngineError) -> ThreadID {
    do throws(EngineError) {
      return try await threads.open(for: turn)
    } catch .rejected(let message) where CodexPayload.meansInvalidConfiguration(message) {
      throw .unavailable(configuration.refused(message))
    }
  }

  private func startTurn(_ turn: Turn, onOpen thread: ThreadID) async throws(EngineError) {
    try turn.checkWanted()
    guard active[thread.raw] == nil else { throw .rejected("the thread already runs a turn") }
    let history = turn.request.history
    if !history.isEmpty {
      // Thousands of items take the loop milliseconds.
      let params =
        history.count > Limit.itemsOnLoop
        ? await Loop.offLoop { CodexPayload.injectItems(history, thread) }
        : CodexPayload.injectItems(history, thread)
      do throws(EngineError) {
        _ = try await server.call(Method.threadInjectItems, params)
      } catch .rejected(let message) where CodexPayload.meansUnknownThread(message) {
        throw .threadNotFound(thread)
      }
    }
    try await startTurn(turn, on: thread)
  }

  private func startTurn(_ turn: Turn, on thread: ThreadID) async throws(EngineError) {
    let call = await RPCCall.rendered(
      Method.turnStart, CodexPayload.turnStart(turn.request, thread, options.reasoningSummary))
    try turn.checkWanted()
    guard !isEnding else { throw .unavailable(.draining) }
    guard let rpc = server.rpc else { throw .unavailable(.starting) }
    let mapper = TurnEventMapper(showsActivity: options.showsActivity, baseline: threads.usage(of: thread))
    let running = RunningTurn(turn: turn, thread: thread, mapper: mapper, now: Loop.now)
    // The turn's notifications follow its answer in the same read, before any task could resume.
    active[thread.raw] = running
    let reply = Waiter<RPCReply>()
    rpc.call(call) {
      if case .result(let result) = $0 { self.accepted(running, result) }
      reply.finish(with: $0)
    }
    do throws(EngineError) {
      _ = try CodexPayload.result(of: await reply.value())
    } catch {
      if active[thread.raw] === running { active[thread.raw] = nil }
      // Whether it was started is unknown; what runs unobserved must not go on, and nothing be started beside it.
      if error == .unresponsive {
        rpc.call(Method.turnInterrupt, ["threadId": .string(thread.raw), "turnId": ""]) { _ in }
        giveUp(thread)
        server.checkHealth()
      }
      if case .rejected(let message) = error, CodexPayload.meansUnknownThread(message) {
        throw .threadNotFound(thread)
      }
      throw error
    }
  }

  private func accepted(_ running: RunningTurn, _ result: JSONValue) {
    running.turnID = result["turn"]?["id"]?.stringValue
    running.turn.threadID = running.thread
    running.turn.forgetContent()
    running.turn.runner = self
    // What is in the sandbox always ends with its command.
    if running.turn.profile.letsCommandsOutlive {
      commands.turnBegan(on: running.thread, elapsed: Loop.now - running.startedAt)
    }
    // A busy engine may tell of the turn before it answers the call that started it.
    for line in running.takeEarlyLines() {
      if let message = try? RPCMessage.parse(line.span) { received(message, line.span) }
    }
    if running.turn.isInterrupted { interrupt(running) }
  }

  // MARK: Running turns

  func takes(_ line: Span<UInt8>) -> Bool { active.take(line) }

  func received(_ message: RPCMessage, _ line: Span<UInt8>) {
    let running = turn(of: message, line)
    if let running, running.keepsForLater(line) { return }
    switch message {
    case .answerDelta(let delta):
      guard let running else { return }
      running.received(delta, line, active.learn(delta, line))
      threads.restock(after: running.thread, of: running.turn)
    case .notification(let method, let params): received(method, params)
    case .request(let id, let method, let params): answer(id, method, params)
    case .response: break
    }
  }

  private func turn(of message: RPCMessage, _ line: Span<UInt8>) -> RunningTurn? {
    switch message {
    case .answerDelta(let delta): active.turn(on: line.extracting(delta.threadID))
    case .notification(_, let params), .request(_, _, let params):
      params["threadId"]?.stringValue.flatMap { active[$0] }
    case .response: nil
    }
  }

  private func received(_ method: String, _ params: JSONValue) {
    switch method {
    case Notification.turnCompleted: turnCompleted(params)
    case Notification.threadClosed:
      if let thread = params["threadId"]?.stringValue { threads.closed(ThreadID(thread)) }
    case Notification.accountUpdated, Notification.loginCompleted: account.refresh()
    case Notification.rateLimits: account.rateLimitsUpdated(params)
    case Notification.tokenUsage: tokenUsage(params)
    case Notification.configWarning: if !configuration.warned(params) { warnings.warned(params) }
    case Notification.warning: warnings.warned(params)
    case Notification.toolServerStatus: warnings.toolServerChanged(params)
    case Notification.error: if let running = runningTurn(params) { failed(running, params) }
    case Notification.itemStarted, Notification.itemCompleted, Notification.answerDelta,
      Notification.reasoningSummaryDelta, Notification.reasoningTextDelta, Notification.reasoningSummaryPart,
      Notification.commandOutputDelta:
      guard let running = runningTurn(params) else { return }
      running.turn.contentWasRead()
      if params["item"]?["type"] != "userMessage" { acted(running) }
      running.push(running.mapper.map(method, params))
    case Notification.requestResolved: break
    default: unknownNotifications.count(method)
    }
  }

  private func acted(_ running: RunningTurn) {
    running.modelActed()
    notices.providerAnswers()
  }

  /// A call to the model has failed. Reconnecting is no progress.
  private func failed(_ running: RunningTurn, _ params: JSONValue) {
    if params["willRetry"]?.boolValue == true {
      let message = params["error"]?["message"]?.stringValue ?? "reconnecting"
      let details = params["error"]?["additionalDetails"]?.stringValue
      if let reason = running.reconnects(details.map { "\(message) (\($0))" } ?? message) {
        notices.providerIsLost(reason, request: running.turn.requestID)
      }
    }
    running.push(running.mapper.map(Notification.error, params))
  }

  private func runningTurn(_ params: JSONValue) -> RunningTurn? {
    guard let thread = params["threadId"]?.stringValue, let running = active[thread] else { return nil }
    let turn = params["turnId"]?.stringValue ?? params["turn"]?["id"]?.stringValue
    return turn == nil || turn == running.turnID ? running : nil
  }

  private func tokenUsage(_ params: JSONValue) {
    guard let thread = params["threadId"]?.stringValue else { return }
    if let total = TokenUsage(params["tokenUsage"]?["total"]) { threads.setUsage(total, of: ThreadID(thread)) }
    if let running = runningTurn(params) {
      acted(running)
      running.push(running.mapper.map(Notification.tokenUsage, params))
    } else {
      // After a resume the engine tells the thread's usage so far under its last turn's id.
      active[thread]?.mapper.earlierUsage(params)
    }
  }

  private func turnCompleted(_ params: JSONValue) {
    guard let running = runningTurn(params) else { return }
    let turn = params["turn"] ?? .null
    let usage = running.mapper.turnUsage
    switch turn["status"]?.stringValue {
    case "completed": complete(running)
    case "interrupted": finish(running, running.forcedOutcome ?? .interrupted(usage))
    case "failed":
      var failure = TurnFailure(codexError: turn["error"])
      if failure.kind == .usageLimit { failure.resetsAt = account.limitResetsAt }
      if failure.concernsLogin { account.refresh() }
      finish(running, running.forcedOutcome ?? .failed(.turnFailed(failure)))
    case let status:
      Log.error("Codex ended a turn in a way that is not known", ["status": status ?? "none"])
      finish(running, running.forcedOutcome ?? .failed(.turnFailed(.unknownStatus(status))))
    }
  }

  private func complete(_ running: RunningTurn) {
    let usage = running.mapper.turnUsage
    switch running.commentaryAsAnswer {
    case .none: finish(running, .completed(usage))
    case .fits(let text): finish(running, .completed(usage), after: .answerIsCommentary(EscapedText(text)))
    case .mismatch: finish(running, .failed(.turnFailed(.schemaMismatch)))
    }
  }

  /// Ends a turn for whoever waits for it; `last` comes before its end.
  private func finish(_ running: RunningTurn, _ outcome: TurnOutcome, after last: TurnEvent? = nil) {
    active[running.thread.raw] = nil
    approvals.withdraw(thread: running.thread)
    running.turn.runner = nil
    running.turn.contentWasRead()
    let isEphemeral = running.turn.request.thread == .ephemeral
    let wasCut = if case .completed = outcome { false } else { true }
    let hasRunCommands = running.mapper.hasRunCommands
    // A command may outlive an interrupted turn, and any turn of a thread that nobody will see again. One that had just
    // begun when its turn was cut is not told of.
    if wasCut ? hasRunCommands || running.turn.profile.letsCommandsOutlive : hasRunCommands && isEphemeral {
      endCommands(of: running, wasCut: wasCut)
    } else {
      if hasRunCommands { threads.ranCommands(running.thread) }
      commands.turnCompleted(on: running.thread)
    }
    threads.release(running.thread, of: running.turn)
    if let last { running.turn.events.push(last) }
    running.turn.events.push(.ended(outcome))
    stopSweepingIfIdle()
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

  func interrupt(_ turn: Turn) {
    if let running = running(turn) { interrupt(running) }
  }

  private func interrupt(_ running: RunningTurn) {
    guard running.interruptedAt == nil else { return }
    running.interruptedAt = Loop.now
    let params: JSONValue = ["threadId": .string(running.thread.raw), "turnId": .string(running.turnID ?? "")]
    // Its end mostly is on the way then, and a lost engine ends all turns itself.
    server.rpc?.call(Method.turnInterrupt, params) { [weak running] reply in
      if case .failure(let failure) = reply, CodexPayload.meansTurnIsOver(failure.message) {
        running?.overSince = Loop.now
      }
    }
  }

  // MARK: Deadlines

  private func stopSweepingIfIdle() {
    guard load == 0 else { return }
    sweeper.stop()
    changes.send()
    // Nobody else's turn runs in it, so nobody has to wait for a successor.
    if hasStuckTurn, !isEnding, !isRetired { server.replace(because: "it did not end an interrupted turn") }
  }

  private func sweep() {
    let now = Loop.now
    if server.silence > options.timeouts.silence { server.checkHealth() }
    for running in active.values {
      switch running.expiry(at: now, options) {
      case .none: break
      case .over: finish(running, running.forcedOutcome ?? .interrupted(running.mapper.turnUsage))
      case .unconfirmedInterrupt: giveUp(running)
      case .provider(let error): cut(running, .failed(error))
      case .turn(let limit, let isSilence): cut(running, .failed(.timedOut(after: limit, isSilence: isSilence)))
      }
    }
  }

  private func cut(_ running: RunningTurn, _ outcome: TurnOutcome) {
    running.forcedOutcome = outcome
    interrupt(running)
  }

  /// Drops a turn that the engine does not end. The others go on: another process takes over, and this one is ended
  /// when nothing runs in it any more.
  private func giveUp(_ running: RunningTurn) {
    Log.warning(
      "Codex does not end an interrupted turn; it is dropped",
      ["request": running.turn.requestID, "thread": running.thread])
    giveUp(running.thread)
    finish(running, running.forcedOutcome ?? .interrupted(running.mapper.turnUsage))
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
  private func giveUp(_ thread: ThreadID) {
    hasStuckTurn = true
    threads.giveUp(thread)
    readinessChanged()
  }

  // MARK: Requests and the rest

  private func answer(_ id: JSONValue, _ method: String, _ params: JSONValue) {
    guard let rpc = server.rpc else { return }
    relay.received(id, method, params, runningTurn(params), rpc)
  }

  func serverIsReady() {
    configuration.serverIsReady()
    account.refresh()
    Loop.spawn { _ = try? await self.catalog.current() }
  }

  func lostServer() {
    turnsOfProcess = 0
    hasStuckTurn = false
    threads.processLost()
    account.serverLost()
    for running in active.values {
      if let cut = commands.turnCut(on: running.thread) { commands.end(cut) }
    }
    configuration.serverLost()
    // Who waits for the answer to `turn/start` is told by it.
    for running in active.values where running.turnID != nil {
      approvals.withdraw(thread: running.thread)
      running.turn.runner = nil
      running.turn.contentWasRead()
      running.turn.events.push(.ended(running.forcedOutcome ?? .failed(.crashed)))
    }
    active.removeAll()
    sweeper.stop()
    readinessChanged()
  }

  /// Nil if commands can be run in the read-only sandbox, else what went wrong and what to do.
  func sandboxFailure() async -> String? { await server.sandboxFailure(in: directory) }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    let result = try await server.call(Method.threadRead, ["threadId": .string(thread.raw), "includeTurns": true])
    return CodexPayload.history(result)
  }
}
