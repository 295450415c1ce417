// One app-server as an engine: its parts are put together here, and what it is asked is passed on to them.
// Turns are started by `TurnLauncher`, told of by `TurnNotifications` and ended by `TurnEnds`; the process belongs to
// `AppServer`, the threads to `CodexThreads`.

/// The Codex CLI as an engine.
@LoopActor
final class CodexEngine: TurnEngine, AppServerDelegate {
  enum Limit {
    /// With more turns than this the processor is busy with them and nothing is started ahead of need.
    static let loadForWarming = 8
  }

  private let server: AppServer
  private let options: CodexOptions
  /// Where the process runs, and what is asked of it beside the turns: its configuration, whether its sandbox works.
  private let directory: String
  private let account: CodexAccount
  private let configuration: CodexConfiguration
  private let notices: EngineNotices
  private let warnings: CodexWarnings
  private let catalog: ModelCatalogCache
  private let active = RunningTurns()
  private let threads: CodexThreads
  private let commands: CommandProcesses
  private let ends: TurnEnds
  private let notifications: TurnNotifications
  private let launcher: TurnLauncher
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
    options: CodexOptions,
    approvals: ApprovalDesk = ApprovalDesk(),
    commands: CommandProcesses = CommandProcesses(),
    notices: EngineNotices = EngineNotices()
  ) {
    self.commands = commands
    self.notices = notices
    self.options = options
    server = AppServer(command: command, timeouts: options.timeouts)
    directory = command.workingDirectory
    threads = CodexThreads(server: server, warmThreads: options.warmThreads)
    account = CodexAccount(server: server)
    configuration = CodexConfiguration(server: server, directory: directory)
    warnings = CodexWarnings(
      server: server, directory: directory, usesSandbox: options.usesSandbox, notices: notices)
    catalog = ModelCatalogCache(server: server, ttl: options.modelsTTL)
    let tools = ToolRelay(server: server)
    ends = TurnEnds(
      server: server, options: options, active: active, threads: threads, approvals: approvals, commands: commands,
      tools: tools)
    notifications = TurnNotifications(
      server: server,
      recipients: TurnNotifications.Recipients(
        active: active, ends: ends, threads: threads,
        relay: ApprovalRelay(approvals: approvals, options: options), tools: tools, account: account,
        configuration: configuration, warnings: warnings, notices: notices))
    launcher = TurnLauncher(
      server: server, options: options, active: active, threads: threads, configuration: configuration,
      commands: commands, ends: ends, notifications: notifications)
    connect()
  }

  private func connect() {
    server.delegate = self
    threads.isRunning = { [weak self] in self?.active[$0.raw] != nil }
    threads.mayWarm = { [weak self] in self?.mayWarm ?? false }
    threads.onInstructions = { [weak self] files in
      if let self { warnings.checkInstructions(files, limit: configuration.maxInstructionBytes) }
    }
    server.onStateChange = { [weak self] in self?.changes.send() }
    ends.onIdle = { [weak self] in self?.changes.send() }
    ends.onStuckTurn = { [weak self] in self?.readinessChanged() }
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
    ends.drain()
    changes.send()
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
    ends.isDraining ? .draining : server.unavailability ?? configuration.unavailability ?? account.unavailability
  }
  var runningTurns: Int { active.count }
  /// Turns that run or are about to.
  var load: Int { active.load }
  /// Processes that were started.
  var launches: Int { server.launches }
  var unknownNotificationCount: Int { notifications.unknownCount }
  /// Whether this process did not end a turn that it was told to end: it is to be followed by another.
  var hasStuckTurn: Bool { ends.hasStuckTurn }
  /// Where the login of this engine is kept.
  var loginFile: String { server.loginFile }

  /// The process that runs now, when it began, and the turns it was given.
  var process: (id: Int32, startedAt: Duration, turns: Int)? {
    guard let id = server.processID, let startedAt = server.startedAt else { return nil }
    return (id, startedAt, launcher.turnsOfProcess)
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
    ends.retire()
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

  private var mayWarm: Bool { load <= Limit.loadForWarming && !ends.isRetired && unavailability == nil }

  /// Whether a retired engine has nothing left to do.
  var isDrained: Bool { ends.isRetired && load == 0 }

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

  func models() async throws(EngineError) -> ModelCatalog { try await latestModels().models }

  /// The models, and whether they are those of an earlier time because the process did not answer.
  func latestModels() async throws(EngineError) -> (models: ModelCatalog, areOld: Bool) {
    if let unavailability = server.unavailability { throw .unavailable(unavailability) }
    return try await catalog.current()
  }

  var knownModels: ModelCatalog? { catalog.fresh }

  func start(_ turn: Turn) async throws(EngineError) {
    if let unavailability { throw .unavailable(unavailability) }
    try await launcher.start(turn)
  }

  /// Nil if commands can be run in the read-only sandbox, else what went wrong and what to do.
  func sandboxFailure() async -> String? { await server.sandboxFailure(in: directory) }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    let result = try await server.call(Method.threadRead, ["threadId": .string(thread.raw), "includeTurns": true])
    return CodexPayload.history(result)
  }

  // MARK: The app-server

  func takes(_ line: Span<UInt8>) -> Bool { active.take(line) }

  func received(_ message: RPCMessage, _ line: Span<UInt8>) { notifications.received(message, line) }

  func serverIsReady() {
    configuration.serverIsReady()
    account.refresh()
    Loop.spawn { _ = try? await self.catalog.current() }
  }

  func lostServer() {
    launcher.serverLost()
    ends.processLost()
    threads.processLost()
    account.serverLost()
    configuration.serverLost()
    ends.endAll()
    readinessChanged()
  }
}
