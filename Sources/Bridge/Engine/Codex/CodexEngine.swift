// Turns on the app-server: threads are opened, turns started, watched and ended here.
// Owns the running turns and the set of loaded threads; the process belongs to `AppServer`.

/// The Codex CLI as an engine.
@LoopActor
final class CodexEngine: TurnEngine, AppServerDelegate {
  struct Options: Sendable {
    var workingDirectory: String
    var sandboxMode: SandboxMode
    var approvalPolicy: ApprovalPolicy
    var networkAccess: Bool
    var webSearch: Bool
    var reasoningSummary: ReasoningSummary
    var showsActivity: Bool
    var turnTimeout: Duration
    var turnIdleTimeout: Duration
    var modelsTTL: Duration
    /// How long a person has to answer an approval; zero declines at once.
    var approvalWait = Duration.zero
    /// Threads of each kind in use that are started ahead of need.
    var warmThreads = 0
  }

  enum Limit {
    /// How often running turns are looked at.
    static let sweep = Duration.milliseconds(250)
    /// An interrupt that is not confirmed by then means that the engine is stuck.
    static let interrupt = Duration.seconds(5)
    /// With turns running, silence of the whole engine for this long asks for a sign of life.
    static let silence = Duration.seconds(20)
    /// The same without turns, when nothing else would tell that the engine hangs.
    static let idleSilence = Duration.seconds(4)
    /// Idle threads kept loaded so that a session's next turn needs no resume. Each holds two descriptors.
    static let loadedThreads = 32
    /// Attempts at a call that the engine is too busy for.
    static let attempts = 6
    /// How long another process may hold a thread before that is an error; a dying engine holds its for a moment.
    static let threadLock = Duration.seconds(5)
    /// The pause between two attempts at such a thread.
    static let threadRetry = Duration.milliseconds(50)
    /// With more turns than this the processor is busy with them and nothing is started ahead of need.
    static let loadForWarming = 8
    /// Leaves the processor to the turn that was just started, for its first token.
    static let warmingDelay = Duration.milliseconds(150)
    /// Names of unknown notifications that are counted.
    static let unknownNames = 64
  }

  private let server: AppServer
  private let options: Options
  private let approvals: ApprovalDesk
  private let relay: ApprovalRelay
  private let account: CodexAccount
  private let catalog: ModelCatalogCache
  private var active = RunningTurns()
  private var loaded = LoadedThreads(capacity: Limit.loadedThreads)
  private let warm: WarmThreads
  private var sweeper: LoopTimer?
  private var isEnding = false
  private var isRetired = false
  /// Turns that are being started.
  private var startingTurns = 0
  private var turnsOfProcess = 0
  /// Counts the processes that were lost: what one has said does not hold for the next.
  private var processLife = 0
  private(set) var unknownNotifications: [String: Int] = [:]
  /// Called whenever readiness may have changed.
  var onChange: (@LoopActor () -> Void)?

  init(command: ChildCommand, options: Options, approvals: ApprovalDesk = ApprovalDesk()) {
    self.approvals = approvals
    relay = ApprovalRelay(approvals: approvals, options: options)
    server = AppServer(command: command)
    self.options = options
    warm = WarmThreads(perShape: options.warmThreads)
    account = CodexAccount(server: server)
    catalog = ModelCatalogCache(server: server, ttl: options.modelsTTL)
    server.delegate = self
    account.onChange = { [weak self] in self?.onChange?() }
  }

  func start() { server.start() }

  /// Interrupts every running turn, which ends with an error that says that the bridge is going away.
  /// No turn is started from here on.
  func endTurns() {
    isEnding = true
    for running in active.values { cut(running, .failed(.unavailable(.draining))) }
  }

  /// Ends the engine, and with it what still runs.
  func stop() async {
    account.stop()
    await server.stop()
    lostServer()
  }

  var unavailability: EngineUnavailability? {
    isEnding ? .draining : server.unavailability ?? account.unavailability
  }
  var runningTurns: Int { active.count }
  /// Turns that run or are about to.
  var load: Int { active.count + startingTurns }
  /// Processes that were started.
  var launches: Int { server.launches }
  var unknownNotificationCount: Int { unknownNotifications.values.reduce(0, +) }
  /// Where the login of this engine is kept.
  var loginFile: String { server.loginFile }

  /// The process that runs now, when it began, and the turns it was given.
  var process: (id: Int32, startedAt: Duration, turns: Int)? {
    guard let id = server.processID, let startedAt = server.startedAt else { return nil }
    return (id, startedAt, turnsOfProcess)
  }

  /// Whether a thread is loaded here; no other process could resume it then.
  func isUsing(_ thread: ThreadID) -> Bool { loaded.contains(thread) || loaded.isHeld(thread) }

  /// Another engine takes over: this one ends what it runs, lets go of its threads, and is not restarted.
  func retire() {
    isRetired = true
    account.stop()
    server.retire()
    loaded.capacity = 0
    for thread in warm.takeAll() { unsubscribe(thread) }
    unsubscribeIdle()
  }

  /// Lets go of threads that were started ahead of a need that did not come.
  func dropUnwantedThreads() {
    for thread in warm.takeOld() { unsubscribe(thread) }
  }

  /// Finds out whether an engine that does nothing still could. Called every few seconds.
  func checkIdleHealth() {
    if load == 0, server.silence > Limit.idleSilence { server.checkHealth() }
  }

  /// Whether a retired engine has nothing left to do.
  var isDrained: Bool { isRetired && load == 0 }

  var status: EngineStatus {
    EngineStatus(
      version: server.version?.description,
      processIDs: [server.processID].compactMap(\.self),
      restarts: max(0, server.launches - 1),
      unknownNotifications: unknownNotificationCount,
      account: account.summary
    )
  }

  func progress(of turn: Turn) -> TurnProgress? {
    guard let thread = turn.threadID, let running = active[thread.raw], running.turn === turn else { return nil }
    return TurnProgress(activity: running.activity, lastActivityAt: running.lastProgressAt)
  }

  func models() async throws(EngineError) -> ModelCatalog {
    if let unavailability = server.unavailability { throw .unavailable(unavailability) }
    return try await catalog.current()
  }

  // MARK: Starting a turn

  func start(_ turn: Turn) async throws(EngineError) {
    if let unavailability { throw .unavailable(unavailability) }
    startingTurns += 1
    turnsOfProcess += 1
    startSweeping()
    defer {
      startingTurns -= 1
      stopSweepingIfIdle()
    }
    let thread = try await openThread(for: turn)
    defer { loaded.letGo(thread) }
    do throws(EngineError) {
      do throws(EngineError) {
        try await startTurn(turn, onOpen: thread)
      } catch .threadNotFound where turn.request.thread == .existing(thread) {
        // It was thought to be loaded and is not. Only a resume can tell whether it is gone.
        loaded.remove(thread)
        try await resume(thread, for: turn)
        try await startTurn(turn, onOpen: thread)
      }
    } catch {
      release(thread, isEphemeral: turn.request.thread == .ephemeral)
      throw error
    }
  }

  private func startTurn(_ turn: Turn, onOpen thread: ThreadID) async throws(EngineError) {
    try checkStillWanted(turn)
    guard active[thread.raw] == nil else { throw .rejected("the thread already runs a turn") }
    if !turn.request.history.isEmpty {
      let items = turn.request.history.map(CodexPayload.item)
      do throws(EngineError) {
        _ = try await call(Method.threadInjectItems, ["threadId": .string(thread.raw), "items": .array(items)])
      } catch .rejected(let message) where CodexPayload.meansUnknownThread(message) {
        throw .threadNotFound(thread)
      }
      try checkStillWanted(turn)
    }
    try await startTurn(turn, on: thread)
  }

  private func checkStillWanted(_ turn: Turn) throws(EngineError) {
    if turn.isInterrupted { throw .cancelled }
  }

  /// Loads the turn's thread and holds it; the caller lets it go.
  private func openThread(for turn: Turn) async throws(EngineError) -> ThreadID {
    switch turn.request.thread {
    case .ephemeral, .persistent:
      let thread = try await newThread(for: turn)
      loaded.hold(thread)
      if turn.request.thread == .persistent { loaded.insert(thread) }
      return thread
    case .existing(let thread):
      loaded.hold(thread)
      guard !loaded.contains(thread) else {
        loaded.touch(thread)
        return thread
      }
      do throws(EngineError) {
        try await resume(thread, for: turn)
      } catch {
        loaded.letGo(thread)
        throw error
      }
      return thread
    }
  }

  private func newThread(for turn: Turn) async throws(EngineError) -> ThreadID {
    guard let shape = warmShape(turn.request) else { return try await startThread(turn.request) }
    let ready = warm.take(shape)
    defer { refill(shape) }
    guard let thread = ready else { return try await startThread(turn.request) }
    turn.instructAsHistory()
    return thread
  }

  /// The kind of warm thread that would do. Instructions become a message in it; those of a thread that stays are its
  /// own instead, so that they outlive a summary of its history.
  private func warmShape(_ request: TurnRequest) -> WarmThreads.Shape? {
    guard options.warmThreads > 0, request.thread == .ephemeral || request.instructions == nil else { return nil }
    return WarmThreads.Shape(isEphemeral: request.thread == .ephemeral, model: request.model)
  }

  /// After a turn was started, since that is what somebody waits for; not at all while many wait.
  private func refill(_ shape: WarmThreads.Shape) {
    guard load <= Limit.loadForWarming, !isRetired, !isEnding else { return }
    var request = TurnRequest(thread: shape.isEphemeral ? .ephemeral : .persistent)
    request.model = shape.model
    warm.refill(shape) { [request] in
      await Loop.sleep(Limit.warmingDelay)
      guard !self.isRetired, !self.isEnding, self.unavailability == nil else { return nil }
      return try? await self.startThread(request)
    }
  }

  private func startThread(_ request: TurnRequest) async throws(EngineError) -> ThreadID {
    let life = processLife
    let result = try await call(Method.threadStart, CodexPayload.threadStart(request, options))
    guard let id = result["thread"]?["id"]?.stringValue else {
      throw .rejected("thread/start answered without a thread")
    }
    // The answer may have been the last word of a process that is gone.
    guard life == processLife else { throw .unavailable(.starting) }
    return ThreadID(id)
  }

  private func resume(_ thread: ThreadID, for turn: Turn) async throws(EngineError) {
    let params = CodexPayload.threadResume(thread, turn.request, options)
    let deadline = Loop.now + Limit.threadLock
    while true {
      try checkStillWanted(turn)
      let life = processLife
      loaded.expect(thread)
      do throws(EngineError) {
        _ = try await call(Method.threadResume, params)
        guard life == processLife else { throw .unavailable(.starting) }
        loaded.insert(thread)
        return
      } catch .rejected(let message) where CodexPayload.meansBusyThread(message) && Loop.now < deadline {
        await Loop.sleep(Limit.threadRetry)
      } catch {
        loaded.remove(thread)
        if case .rejected(let message) = error, CodexPayload.meansUnknownThread(message) {
          throw .threadNotFound(thread)
        }
        throw error
      }
    }
  }

  private func startTurn(_ turn: Turn, on thread: ThreadID) async throws(EngineError) {
    guard !isEnding else { throw .unavailable(.draining) }
    guard let rpc = server.rpc else { throw .unavailable(.starting) }
    let mapper = TurnEventMapper(showsActivity: options.showsActivity, baseline: loaded.usage(of: thread))
    let running = RunningTurn(turn: turn, thread: thread, mapper: mapper, now: Loop.now)
    // The turn's notifications follow its answer in the same read, before any task could resume.
    active[thread.raw] = running
    let params = CodexPayload.turnStart(turn.request, thread, options)
    let reply = await withUnsafeContinuation { (continuation: UnsafeContinuation<RPCReply, Never>) in
      rpc.call(Method.turnStart, params) { reply in
        if case .result(let result) = reply { self.accepted(running, result) }
        continuation.resume(returning: reply)
      }
    }
    do throws(EngineError) {
      _ = try CodexPayload.result(of: reply)
    } catch {
      if active[thread.raw] === running { active[thread.raw] = nil }
      // Whether it was started is unknown; what runs unobserved must not go on.
      if error == .unresponsive {
        rpc.call(Method.turnInterrupt, ["threadId": .string(thread.raw), "turnId": ""]) { _ in }
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
    // By the id: a weak reference to an object makes it slower to hold, and this one is held for each token.
    running.turn.onInterrupt = { [weak self, thread = running.thread.raw] in
      if let running = self?.active[thread] { self?.interrupt(running) }
    }
    // A busy engine may tell of the turn before it answers the call that started it.
    for line in running.takeEarlyLines() {
      if let message = try? RPCMessage.parse(line.span) { received(message, line.span) }
    }
    if running.turn.isInterrupted { interrupt(running) }
  }

  /// A call whose result is needed; repeated with growing pauses while the engine is too busy to take it.
  private func call(_ method: String, _ params: JSONValue) async throws(EngineError) -> JSONValue {
    var pause = Duration.milliseconds(50)
    for attempt in 1... {
      guard let rpc = server.rpc else { throw .unavailable(server.unavailability ?? .starting) }
      do throws(EngineError) {
        return try CodexPayload.result(of: await rpc.call(method, params))
      } catch .overloaded where attempt < Limit.attempts {
        await Loop.sleep(pause)
        pause = pause * 2
      } catch .crashed {
        // Nothing ran yet, so the caller may simply try again.
        throw .unavailable(.starting)
      } catch .unresponsive {
        server.checkHealth()
        throw .unresponsive
      }
    }
    throw .overloaded
  }

  // MARK: Running turns

  func takes(_ line: Span<UInt8>) -> Bool { active.turn(deltasOf: line)?.received(line) ?? false }

  func received(_ message: RPCMessage, _ line: Span<UInt8>) {
    let running = turn(of: message, line)
    if let running, running.keepsForLater(line) { return }
    switch message {
    case .answerDelta(let delta):
      active.deltaThreadID = delta.threadID
      running?.received(delta, line)
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
      if let thread = params["threadId"]?.stringValue { loaded.remove(ThreadID(thread)) }
    case Notification.accountUpdated, Notification.loginCompleted: account.refresh()
    case Notification.rateLimits: account.rateLimitsUpdated(params)
    case Notification.tokenUsage: tokenUsage(params)
    case Notification.warning, Notification.configWarning:
      let text = params["summary"]?.stringValue ?? params["message"]?.stringValue ?? ""
      Log.info("Codex warns", ["warning": text])
    case Notification.error, Notification.itemStarted, Notification.itemCompleted, Notification.answerDelta,
      Notification.reasoningSummaryDelta, Notification.reasoningTextDelta, Notification.reasoningSummaryPart,
      Notification.commandOutputDelta:
      guard let running = runningTurn(params) else { return }
      // Reconnecting is no progress; everything else is.
      if method != Notification.error { running.lastProgressAt = Loop.now }
      running.push(running.mapper.map(method, params))
    case Notification.requestResolved: break
    default: countUnknown(method)
    }
  }

  private func runningTurn(_ params: JSONValue) -> RunningTurn? {
    guard let thread = params["threadId"]?.stringValue, let running = active[thread] else { return nil }
    let turn = params["turnId"]?.stringValue ?? params["turn"]?["id"]?.stringValue
    return turn == nil || turn == running.turnID ? running : nil
  }

  private func tokenUsage(_ params: JSONValue) {
    guard let thread = params["threadId"]?.stringValue else { return }
    if let total = TokenUsage(params["tokenUsage"]?["total"]) { loaded.setUsage(total, of: ThreadID(thread)) }
    if let running = runningTurn(params) {
      running.lastProgressAt = Loop.now
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
    case "interrupted": finish(running, running.forcedOutcome ?? .interrupted(usage))
    case "failed":
      var failure = TurnFailure(codexError: turn["error"])
      if failure.name == "usageLimitExceeded" { failure.resetsAt = account.limitResetsAt }
      if failure.name == "unauthorized" || failure.upstreamStatus == 401 { account.refresh() }
      finish(running, running.forcedOutcome ?? .failed(.turnFailed(failure)))
    default: finish(running, .completed(usage))
    }
  }

  private func finish(_ running: RunningTurn, _ outcome: TurnOutcome) {
    active[running.thread.raw] = nil
    approvals.withdraw(thread: running.thread)
    running.turn.onInterrupt = nil
    let isEphemeral = running.turn.request.thread == .ephemeral
    let wasCut = if case .completed = outcome { false } else { true }
    // A command may outlive an interrupted turn, and any turn of a thread that nobody will see again.
    if running.ranCommands, wasCut || isEphemeral {
      server.rpc?.call(Method.cleanBackgroundTerminals, ["threadId": .string(running.thread.raw)]) { _ in }
    }
    release(running.thread, isEphemeral: isEphemeral)
    running.turn.events.push(.ended(outcome))
    stopSweepingIfIdle()
  }

  /// Lets go of a thread no turn runs on: at once if it cannot be used again, else when others need its place.
  private func release(_ thread: ThreadID, isEphemeral: Bool) {
    if isEphemeral { return unsubscribe(thread) }
    loaded.touch(thread)
    unsubscribeIdle()
  }

  private func unsubscribeIdle() {
    for idle in loaded.evict(except: { self.active[$0.raw] != nil }) { unsubscribe(idle) }
  }

  private func unsubscribe(_ thread: ThreadID) {
    server.rpc?.call(Method.threadUnsubscribe, ["threadId": .string(thread.raw)]) { _ in }
  }

  private func interrupt(_ running: RunningTurn) {
    guard running.interruptedAt == nil else { return }
    running.interruptedAt = Loop.now
    let params: JSONValue = ["threadId": .string(running.thread.raw), "turnId": .string(running.turnID ?? "")]
    // "No active turn" means that its end is already on the way; a lost engine ends all turns itself.
    server.rpc?.call(Method.turnInterrupt, params) { _ in }
  }

  // MARK: Deadlines

  private func startSweeping() {
    guard sweeper == nil else { return }
    let timer = LoopTimer { [weak self] in self?.sweep() }
    timer.start(after: Limit.sweep, repeating: Limit.sweep)
    sweeper = timer
  }

  private func stopSweepingIfIdle() {
    guard load == 0 else { return }
    sweeper?.close()
    sweeper = nil
  }

  private func sweep() {
    let now = Loop.now
    if server.silence > Limit.silence { server.checkHealth() }
    for running in active.values {
      if let interruptedAt = running.interruptedAt {
        if now - interruptedAt > Limit.interrupt { giveUp(running) }
      } else if now - running.startedAt > options.turnTimeout {
        cut(running, .failed(.timedOut(after: options.turnTimeout, isSilence: false)))
      } else if running.mapper.runningTools.isEmpty, running.openApprovals == 0,
        now - running.lastProgressAt > options.turnIdleTimeout
      {
        cut(running, .failed(.timedOut(after: options.turnIdleTimeout, isSilence: true)))
      }
    }
  }

  private func cut(_ running: RunningTurn, _ outcome: TurnOutcome) {
    running.forcedOutcome = outcome
    interrupt(running)
  }

  private func giveUp(_ running: RunningTurn) {
    finish(running, running.forcedOutcome ?? .interrupted(running.mapper.turnUsage))
    server.replace(because: "it did not end an interrupted turn")
  }

  // MARK: Requests and the rest

  private func answer(_ id: JSONValue, _ method: String, _ params: JSONValue) {
    guard let rpc = server.rpc else { return }
    switch ServerRequestPolicy.answer(method: method, params: params) {
    case .ask(let kind, let subject):
      guard let running = runningTurn(params) else { return rpc.answer(id, result: ["decision": "decline"]) }
      // What a file change is about stands in the item it belongs to, which came before.
      let changed = kind == .fileChange ? running.mapper.changedFiles(itemID: params["itemId"]?.stringValue) : nil
      relay.ask(id, kind, changed ?? subject, reason: params["reason"]?.stringValue, running, rpc)
    case .unsupported:
      Log.info("refused a request of Codex", ["method": method])
      rpc.refuse(id, code: ServerRequestPolicy.unsupportedCode, message: "unsupported")
    }
  }

  private func countUnknown(_ method: String) {
    if let count = unknownNotifications[method] {
      unknownNotifications[method] = count + 1
    } else if unknownNotifications.count < Limit.unknownNames {
      unknownNotifications[method] = 1
      Log.debug("skipping notifications of an unknown kind", ["method": method])
    }
  }

  func serverIsReady() {
    account.refresh()
    Loop.spawn { _ = try? await self.catalog.current() }
  }

  func lostServer() {
    processLife += 1
    turnsOfProcess = 0
    warm.forgetAll()
    loaded.removeAll()
    account.serverLost()
    for running in active.values {
      approvals.withdraw(thread: running.thread)
      running.turn.onInterrupt = nil
      running.turn.events.push(.ended(running.forcedOutcome ?? .failed(.crashed)))
    }
    active.removeAll()
    sweeper?.close()
    sweeper = nil
    onChange?()
  }

  /// Runs a harmless command in the read-only sandbox. Nil if that works, else what went wrong and what to do.
  func sandboxFailure() async -> String? {
    let params: JSONValue = [
      "command": ["/bin/true"], "cwd": .string(options.workingDirectory), "sandboxPolicy": ["type": "readOnly"],
      "timeoutMs": 5000,
    ]
    do throws(EngineError) {
      let result = try await call(Method.commandExec, params)
      if result["exitCode"]?.intValue == 0 { return nil }
      let reason = result["stderr"]?.stringValue?.trimmingSpaces() ?? ""
      return "commands cannot be run in it (\(reason)); allow user namespaces, or choose "
        + "\(Settings.sandboxMode.name)=danger-full-access where the whole machine is the sandbox"
    } catch {
      return "it cannot be tried: \(error)"
    }
  }

  func history(of thread: ThreadID) async throws(EngineError) -> [TurnRequest.HistoryItem] {
    let result = try await call(Method.threadRead, ["threadId": .string(thread.raw), "includeTurns": true])
    return CodexPayload.history(result)
  }
}
