// One app-server process as an engine. This file connects its parts and passes calls on to them: `TurnLauncher` starts
// turns, `TurnNotifications` delivers Codex's messages to them, `TurnEnds` ends them, `AppServer` owns the process, and
// `CodexThreads` owns the threads.

/// One Codex process as an engine.
@LoopActor
final class CodexEngine: TurnEngine, AppServerDelegate {
  enum Limit {
    /// With more running turns than this no thread is started ahead of need: the processor is busy with the turns.
    static let maxLoadForWarming = 8
  }

  private let server: AppServer
  private let options: CodexOptions
  /// The working directory of the process. Its configuration and its sandbox are checked for this directory.
  private let directory: String
  /// Codex's home.
  private let home: String
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
  /// Called whenever `unavailability` or `hasStuckTurn` may have changed.
  var onChange: (@LoopActor () -> Void)?
  /// `CodexPool` replaces it by a signal that all of its engines share.
  var changes = ChangeSignal()

  /// Called with the models when they are first known, and again whenever they have changed.
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
    home = command.home
    threads = CodexThreads(server: server, warmThreads: options.warmThreads)
    account = CodexAccount(server: server)
    configuration = CodexConfiguration(server: server, directory: directory)
    warnings = CodexWarnings(
      server: server, directory: directory, usesSandbox: options.usesSandbox, notices: notices)
    catalog = ModelCatalogCache(server: server, ttl: options.modelsTTL)
    let tools = ToolRelay(server: server, active: active)
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

  /// Interrupts every running turn; each ends with an error that says that the bridge is shutting down. No turn can be
  /// started from then on.
  func endTurns() {
    ends.drain()
    changes.send()
  }

  /// Ends the process, its turns, and the processes that their commands have left running.
  func stop() async {
    account.stop()
    configuration.stop()
    await server.stop()
    processLost()
    await commands.waitUntilEnded()
  }

  var unavailability: EngineUnavailability? {
    ends.isDraining ? .draining : server.unavailability ?? configuration.unavailability ?? account.unavailability
  }
  var runningTurns: Int { active.count }
  /// Turns that run or are being started.
  var load: Int { active.load }
  /// How often a process was started.
  var launches: Int { server.launches }
  var unknownNotificationCount: Int { notifications.unknownCount }
  /// Whether the process did not end a turn that it was told to end. Another process has to take over from it.
  var hasStuckTurn: Bool { ends.hasStuckTurn }
  /// The file in which Codex keeps its login.
  var loginFile: String { server.loginFile }

  /// The current process: its id, when it was started, and how many turns it was given.
  var process: (id: Int32, startedAt: Duration, turns: Int)? {
    guard let id = server.processID, let startedAt = server.startedAt else { return nil }
    return (id, startedAt, launcher.turnsOfProcess)
  }

  /// Whether this process has loaded a thread. As long as it has, no other process can resume the thread.
  func isUsing(_ thread: ThreadID) -> Bool { threads.isUsing(thread) }

  /// Whether a turn that could not be ended may still run on a thread in this process.
  func isStuck(_ thread: ThreadID) -> Bool { threads.isStuck(thread) }

  /// Unloads a thread that no turn runs on, so that another process can resume it. Returns false if it has to stay.
  func handOver(_ thread: ThreadID) -> Bool { threads.handOver(thread) }

  /// When Codex last reported a limit of the plan, on the loop's clock; nil if it has reported none.
  var limitsReportedAt: Duration? { account.limitsReportedAt }

  /// Called when another engine has taken over: this one finishes its running turns, unloads its threads and is not
  /// restarted.
  func retire() {
    ends.retire()
    account.stop()
    configuration.stop()
    server.retire()
    threads.retire()
  }

  /// Unloads threads that were started ahead of need and that no turn has used for long.
  func dropUnusedThreads() { threads.dropUnused() }

  /// Checks that an idle process still answers. Called every few seconds.
  func checkIdleHealth() {
    if load == 0, server.silence > options.timeouts.idleSilence { server.checkHealth() }
  }

  private var mayWarm: Bool { load <= Limit.maxLoadForWarming && !ends.isRetired && unavailability == nil }

  /// Whether this engine is retired and no turn runs in it any more.
  var isDrained: Bool { ends.isRetired && active.isEmpty }

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

  /// The models. `areOld` is true if the process did not answer and the list is older than configured.
  func latestModels() async throws(EngineError) -> (models: ModelCatalog, areOld: Bool) {
    if let unavailability = server.unavailability { throw .unavailable(unavailability) }
    return try await catalog.current()
  }

  var knownModels: ModelCatalog? { catalog.fresh }

  func start(_ turn: Turn) async throws(EngineError) {
    if let unavailability { throw .unavailable(unavailability) }
    try await launcher.start(turn)
  }

  /// Tries the read-only sandbox. Returns nil if commands can be run in it, else what went wrong and what to do.
  func sandboxFailure() async -> String? { await server.sandboxFailure(in: directory) }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    let result = try await server.call(Method.threadRead, ["threadId": .string(thread.raw), "includeTurns": true])
    return CodexPayload.history(result)
  }

  /// The items of a thread, from the file in which Codex keeps it.
  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? {
    await read(thread) { items in
      let kept = turnID.map { RecordedItems.without($0, items) } ?? items
      return PlacedOutputs.place(outputs, in: kept)
    }
  }

  func items(of thread: ThreadID, keeping part: TurnPart, ofTurn turnID: String) async -> [String]? {
    await read(thread) { items in
      let found = items.filter { RecordedItems.belongs($0, to: turnID) }
      return found.isEmpty ? nil : RecordedItems.keep(part, of: found)
    }
  }

  func messages(of thread: ThreadID) async -> [Conversation.Item]? {
    await read(thread) { RecordedItems.messages(in: $0) }
  }

  /// From the thread's file, which has what was put into the thread too, or else from what Codex tells of its turns.
  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript {
    var params: JSONValue = ["threadId": .string(thread.raw), "includeTurns": false]
    do throws(EngineError) {
      if let path = try await server.call(Method.threadRead, params)["thread"]?["path"]?.stringValue {
        let recorded = await HeavyWork.run(for: owner) { [home] in
          Rollout.items(path: path, home: home).map(Transcript.init(recorded:))
        }
        if let recorded { return recorded }
      }
      params = ["threadId": .string(thread.raw), "includeTurns": true]
      let result = try await server.call(Method.threadRead, params)
      return await HeavyWork.run(for: owner) { Transcript(turns: result) }
    } catch .rejected(let message) where CodexPayload.meansUnknownThread(message) {
      throw .threadNotFound(thread)
    }
  }

  /// Makes something of the items of a thread, beside the loop; nil if they cannot be told.
  private func read<T: Sendable>(_ thread: ThreadID, _ make: @escaping @Sendable ([String]) -> T?) async -> T? {
    guard let path = await path(of: thread) else { return nil }
    return await Loop.offLoop { [home] in Rollout.items(path: path, home: home).flatMap(make) }
  }

  /// The file in which Codex keeps a thread.
  private func path(of thread: ThreadID) async -> String? {
    let params: JSONValue = ["threadId": .string(thread.raw), "includeTurns": false]
    return try? await server.call(Method.threadRead, params)["thread"]?["path"]?.stringValue
  }

  func standing(of thread: ThreadID) -> ThreadStanding { threads.standing(of: thread) }

  func delete(_ thread: ThreadID, endingCommands: Bool) async {
    await threads.delete(thread, endingCommands: endingCommands)
  }

  // MARK: The app-server

  func takeUnparsed(_ line: Span<UInt8>) -> Bool { active.takeUnparsed(line) }

  func received(_ message: RPCMessage, _ line: Span<UInt8>) { notifications.received(message, line) }

  func serverIsReady() {
    configuration.serverIsReady()
    account.refresh()
    Loop.spawn { _ = try? await self.catalog.current() }
  }

  func processLost() {
    launcher.processLost()
    ends.processLost()
    threads.processLost()
    account.processLost()
    configuration.processLost()
    ends.endAll()
    readinessChanged()
  }
}
