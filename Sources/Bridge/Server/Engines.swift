// The engine made of the settings: what its processes are started with, how many there are and how long they live.

/// What the engines of all processes share.
struct EngineParts {
  let approvals: ApprovalDesk
  let commands: CommandProcesses
  let notices: EngineNotices
}

extension ProfiledEngine {
  /// Puts the engine together; nothing is started.
  convenience init(
    _ configuration: Configuration, demo: DemoModel?, stateDirectory: String, shared: EngineParts
  ) throws(ConfigurationError) {
    let command = try ChildCommand(configuration, demo: demo)
    let catalog = ChatCatalog(directory: stateDirectory, notices: shared.notices)
    var chatCommand = command
    chatCommand.overridesAtStart = { [catalog.override(for: $0)].compactMap(\.self) }
    let changes = ChangeSignal()
    // On a single processor more processes take more time for the same turns.
    let range = configuration[Settings.engineProcesses]
    let processes = Loop.processors > 1 ? range : range.lowerBound...range.lowerBound
    let options = CodexOptions(configuration)
    let make = { @LoopActor (command: ChildCommand) in
      CodexEngine(
        command: command, options: options, approvals: shared.approvals, commands: shared.commands,
        notices: shared.notices)
    }
    let agents = CodexPool(processes: processes, limits: CodexSlot.Limits(configuration), changes: changes) {
      let engine = make(command)
      engine.onModels = { models in
        if let fault = ModelSelector(configuration, catalog: models).defaultFault { Log.warning(fault) }
      }
      return engine
    }
    let chats = CodexPool(
      processes: 0...processes.upperBound, limits: CodexSlot.Limits(configuration), changes: changes
    ) { [chatCommand] in make(chatCommand) }
    self.init(
      agents: agents, chats: chats, command: chatCommand, catalog: catalog, notices: shared.notices,
      startWait: configuration.paces.startWait)
  }
}

extension CodexSlot.Limits {
  /// The age at which a process is followed by a fresh one. Raised, what a process gathers with time stays for longer;
  /// lowered, threads are loaded anew more often.
  private static let maxAge = Duration.seconds(86_400)

  init(_ configuration: Configuration) {
    let memory = configuration[Settings.engineMaxMemory]
    let turns = configuration[Settings.engineMaxTurns]
    self.init(residentBytes: memory > 0 ? memory : nil, turns: turns > 0 ? turns : nil, age: Self.maxAge)
  }
}

extension CodexOptions {
  init(_ configuration: Configuration) {
    self.init(
      reasoningSummary: configuration[Settings.reasoningSummary],
      turnTimeout: configuration[Settings.turnTimeout],
      turnIdleTimeout: configuration[Settings.turnIdleTimeout],
      modelsTTL: .milliseconds(configuration[Settings.modelsTTL]),
      providerWait: configuration[Settings.providerWait],
      approvalWait: configuration[Settings.approvalWait],
      warmThreads: configuration.paces.warmThreads,
      usesSandbox: Profiles(configuration).all.contains { $0.kind == .agent && $0.sandbox != .dangerFullAccess }
    )
  }
}

extension ChildCommand {
  @LoopActor init(_ configuration: Configuration, demo: DemoModel?) throws(ConfigurationError) {
    var home = configuration[Settings.codexHome]
    if let demo, home == nil { home = demo.codexHome }
    self.init(
      program: configuration[Settings.codexBinary],
      overrides: configuration[Settings.codexConfig] + (demo?.overrides ?? []),
      codexHome: home,
      workingDirectory: configuration.workingDirectory,
      passedVariables: configuration[Settings.passEnvironment],
      environment: configuration.environment
    )
  }
}
