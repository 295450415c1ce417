// Wiring: engine, sessions, gateway and listeners put together, started, drained and stopped.

import Glibc

/// The bridge as a running service.
@LoopActor
package final class BridgeServer {
  /// How often a failing accept is logged.
  private static let acceptLogInterval = Duration.seconds(60)
  /// How long the connections may take to end once the turns were interrupted. With less, clients miss the errors that end
  /// their answers; with more, the stop takes longer.
  private static let closeGrace = Duration.seconds(2)
  /// How often the loop's delay is measured.
  private static let lagInterval = Duration.milliseconds(500)
  /// After so long without a turn that begins or ends, free memory is given back. With less, memory is given back between two
  /// turns and fetched anew; with more, the memory of a burst is held longer.
  private static let quietTime = Duration.seconds(2)

  private let configuration: Configuration
  private let engine: ProfiledEngine
  private let sessions: Sessions
  private let leases: TurnLeases
  private let memory: ConversationMemory
  private let responses: ResponseMemory
  private let answers: AnswerRegistry
  private let gateway: Gateway
  /// The holders of the keys.
  private let holders: [Principal]
  private let state: ServerState
  private let connections = OpenConnections()
  private let budget: ContentBudget
  private let metrics = Metrics()
  private let approvals = ApprovalDesk()
  private let hook: ApprovalHook?
  private var lagMonitor = Ticker()
  /// When there was last work to do; nil once the memory that it took has been given back.
  private var busyAt: Duration?
  private var turnsSeen = TurnsSeen(running: 0, ended: 0)
  private let demo: DemoModel?
  private let commands: CommandProcesses
  private let manager: ServiceManager
  private var listeners: [Listener] = []
  private var acceptFailureLoggedAt: Duration?

  /// Puts the parts together. Nothing is started yet.
  ///
  /// Throws a `ConfigurationError` for settings that cannot work together or with this machine.
  package init(_ configuration: Configuration, demo isDemo: Bool = false) throws(ConfigurationError) {
    try StartChecks.run(configuration)
    self.configuration = configuration
    budget = ContentBudget(limit: configuration.paces.contentBytes)
    manager = ServiceManager(environment: configuration.environment)
    let stateDirectory = try StateDirectory.open(configuration)
    let authenticator = Authenticator(keys: configuration[Settings.apiKeys])
    holders = authenticator.principals
    let files = try FileRepository(directory: stateDirectory, defaultOwner: authenticator.defaultOwner)
    let database = Database(directory: stateDirectory)
    memory = ConversationMemory(configuration[Settings.continuity], files: files, database)
    sessions = Sessions(
      repository: memory.sessions, queueLimit: configuration[Settings.sessionQueue],
      retention: Sessions.Retention(configuration))
    state = ServerState(isDemo: isDemo)
    demo = isDemo ? try DemoModel(stateDirectory: stateDirectory) : nil
    // After the sessions, which refuse a directory that another bridge uses.
    commands = CommandProcesses(directory: stateDirectory)
    engine = try ProfiledEngine(
      configuration, demo: demo, stateDirectory: stateDirectory,
      shared: EngineParts(approvals: approvals, commands: commands, notices: EngineNotices()))
    leases = TurnLeases(wait: configuration[Settings.toolWait], repository: OpenTurnStore(database))
    memory.deletesThreads(of: engine)
    responses = ResponseMemory(database, configuration)
    answers = AnswerRegistry(configuration)
    hook = ApprovalHook(configuration, of: approvals, answers, state)
    approvals.onAsk = { [weak hook] in hook?.tell($0) }
    gateway = Gateway(
      engine: engine,
      sessions: sessions,
      state: state,
      authenticator: authenticator,
      configuration: configuration,
      leases: leases,
      conversations: memory.finder(sessions),
      responses: responses,
      answers: answers,
      listening: configuration[Settings.host],
      metrics: metrics,
      approvals: approvals,
      connections: connections
    )
  }

  /// Listens and starts the engine. Returns the base URLs.
  package func start() throws(ConfigurationError) -> [String] {
    connections.limits = OpenConnections.Limits(descriptors: raiseDescriptorLimit())
    do throws(LoopError) {
      if manager.listeners.isEmpty { try listenOnHosts() }
      for descriptor in manager.listeners {
        try listen { connection, failure throws(LoopError) in
          try Listener(descriptor: descriptor, onConnection: connection, onAcceptFailure: failure)
        }
      }
    } catch {
      for listener in listeners { listener.close() }
      throw ConfigurationError(listening: error)
    }
    try refuseOpenDefaultKey()
    commands.endLeftovers()
    engine.start(opensChat: configuration[Settings.profile] == .chat)
    Loop.spawn { await self.sessions.startForgetting() }
    Loop.spawn { await self.memory.deleteLeftovers(of: self.engine) }
    Loop.spawn { await self.responses.start(self.sessions, self.engine) }
    watchLag()
    let urls = listeners.compactMap { $0.address.map { "http://\($0.description)" } }
    state.serving(at: urls)
    manager.ready("Serving \(urls.joined(separator: ", "))")
    return urls
  }

  /// Has `show` told what runs here once Codex can be used or it is known why not; in the latter case again when it can.
  func tellStart(at urls: [String], show: @LoopActor (String) -> Void) async {
    await engine.changes.wait { self.engine.unavailability != .starting }
    guard !state.isDraining else { return }
    var report = StartReport(configuration, isDemo: state.isDemo, urls: urls)
    report.sessions = await sessionCount()
    let unavailability = engine.unavailability
    show(report.text(engine.status, unavailability))
    guard unavailability != nil else { return }
    await engine.changes.wait { self.engine.unavailability == nil }
    guard !state.isDraining else { return }
    show(report.heading(engine.status, nil))
  }

  /// How many sessions the bridge keeps for the keys it has; nil if they cannot be read.
  private func sessionCount() async -> Int? {
    var count = 0
    for owner in holders {
      guard let page = try? await sessions.page(SessionQuery(owner: owner, limit: 1)) else { return nil }
      count += page.total
    }
    return count
  }

  /// Stops accepting, lets running turns end within the drain time, then ends everything.
  package func stop() async {
    guard !state.isDraining else { return }
    state.draining()
    manager.stopping()
    sessions.announceClose()
    // They go on from what is known of them, with whoever follows.
    leases.drain()
    for listener in listeners { listener.close() }
    listeners = []
    connections.drain()
    let drained = await finish(within: configuration[Settings.drainTimeout])
    if !drained {
      Log.warning("turns are still running at the end of the drain time; interrupting them")
      engine.endTurns()
      _ = await finish(within: Self.closeGrace)
    }
    // Those that nobody waits for are kept, too.
    await answers.waitUntilNone(atMost: Self.closeGrace)
    connections.closeAll()
    await engine.stop()
    await sessions.close()
    demo?.stop()
    responses.stop()
    lagMonitor.stop()
    manager.close()
    state.stopped()
  }

  private func finish(within limit: Duration) async -> Bool {
    connections.onEmpty = { [engine] in engine.changes.send() }
    // A turn may go on without its client (CODEX_ON_DISCONNECT=finish).
    return await engine.changes.wait(atMost: limit) {
      self.connections.count == 0 && self.engine.runningTurns == 0
    }
  }

  /// A socket of the service manager may be reachable from other machines although HOST is not.
  private func refuseOpenDefaultKey() throws(ConfigurationError) {
    guard configuration[Settings.apiKeys].contains(Settings.defaultKey),
      let open = listeners.compactMap(\.address).first(where: { !$0.isLoopback })
    else { return }
    for listener in listeners { listener.close() }
    throw ConfigurationError(
      description: "\(open.description) can be reached from other machines, but \(Settings.apiKeys.name) contains "
        + "the default key that everybody knows; set a key of your own")
  }

  private func listenOnHosts() throws(LoopError) {
    let targets = try ListenAddress.resolve(configuration[Settings.host], port: configuration[Settings.port])
    for target in targets {
      do throws(LoopError) {
        try listen(on: target.address)
      } catch  where target.isOptional && error.isMissingAddress {
        Log.info("this machine has no such address", ["address": target.address.host])
      }
    }
  }

  /// When the system chooses the port, further addresses get the port of the first one if it is free there, because a name
  /// that stands for several addresses may lead to any of them.
  private func listen(on address: SocketAddress) throws(LoopError) {
    if address.port == 0, let chosen = listeners.first?.address?.port {
      do throws(LoopError) {
        return try open(address.with(port: chosen))
      } catch  where !error.isMissingAddress {
        Log.debug("the port is taken", ["address": address.host, "port": chosen])
      }
    }
    try open(address)
  }

  private func open(_ address: SocketAddress) throws(LoopError) {
    try listen { connection, failure throws(LoopError) in
      try Listener(on: address, onConnection: connection, onAcceptFailure: failure)
    }
  }

  private func listen(
    _ make: (
      @escaping @LoopActor (ByteStream) -> Void, @escaping @LoopActor (LoopError) -> Void
    ) throws(LoopError) -> Listener
  ) throws(LoopError) {
    let gateway = gateway
    let environment = Connection.Environment(
      maxBodyBytes: configuration[Settings.bodyLimit],
      budget: budget,
      handle: { gateway.handle($0, $1) },
      ended: { gateway.ended($0, $1) },
      refusal: { error, _ in APIError(error).response }
    )
    let listener = try make(
      { [weak self] in
        self?.metrics.accepted()
        self?.connections.add($0, environment)
      },
      { [weak self] in self?.acceptFailed($0) }
    )
    listeners.append(listener)
  }

  /// Measures by how much a timer is late, which is how long something has held up the loop.
  private func watchLag() {
    var due = Loop.now + Self.lagInterval
    lagMonitor.start(every: Self.lagInterval) { [weak self] in
      self?.metrics.lagged(max(.zero, Loop.now - due))
      self?.trimMemoryWhenQuiet()
      due = Loop.now + Self.lagInterval
    }
  }

  /// A count of turns. When two of them are equal, no turn has begun or ended in between.
  private struct TurnsSeen: Equatable {
    let running: Int
    let ended: Int
  }

  /// Gives memory back after a burst of requests. The burst is over when no turn begins or ends; turns that run may go on for
  /// hours.
  private func trimMemoryWhenQuiet() {
    let turns = TurnsSeen(running: engine.runningTurns, ended: metrics.turnDuration.count)
    if budget.heldBytes > 0 || turns != turnsSeen { busyAt = Loop.now }
    turnsSeen = turns
    guard let last = busyAt, Loop.now - last >= Self.quietTime else { return }
    busyAt = nil
    Loop.spawn { await Loop.trimMemory() }
  }

  private func acceptFailed(_ error: LoopError) {
    if let last = acceptFailureLoggedAt, Loop.now - last < Self.acceptLogInterval { return }
    acceptFailureLoggedAt = Loop.now
    Log.error("cannot accept connections", ["error": error])
  }

  /// Each connection is a descriptor; the usual soft limit of 1024 is meant for programs that use `select`.
  /// Returns the limit.
  private func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    let soft = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    return Int(min(isRaised ? limit.rlim_max : soft, 1 << 20))
  }
}

extension OpenConnections.Limits {
  /// Descriptors for everything that is no connection: pipes of children, files, images on their way. Raised, fewer clients
  /// can be connected; lowered, there may be none left to start Codex or to save a session with.
  private static let reservedDescriptors = 200
  /// What one address may have, in quarters of all connections. Raised, one client can shut out the others; lowered, fewer
  /// users fit behind a proxy, which makes them one address.
  private static let quartersPerAddress = 3

  /// As many as can be open at once; `descriptors` is how many this process may open.
  init(descriptors: Int) {
    let total = max(descriptors - Self.reservedDescriptors, descriptors / 2)
    self.init(total: total, perAddress: max(1, total * Self.quartersPerAddress / 4))
  }
}

extension ApprovalHook {
  convenience init?(
    _ configuration: Configuration, of approvals: ApprovalDesk, _ answers: AnswerRegistry, _ state: ServerState
  ) {
    self.init(configuration, isOpen: { [weak approvals] in approvals?.approval($0.id, for: $0.owner) != nil }) {
      ApprovalNotice(
        $0, session: answers.session(of: $0.thread)?.name,
        base: configuration[Settings.publicURL] ?? state.addresses.first ?? "")
    }
  }
}

extension Sessions.Retention {
  init(_ configuration: Configuration) {
    let maxAge = configuration[Settings.sessionMaxAge]
    let maxCount = configuration[Settings.maxSessions]
    self.init(maxAge: maxAge > .zero ? maxAge : nil, maxCount: maxCount > 0 ? maxCount : nil)
  }
}
