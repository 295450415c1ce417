// `bridged chat`: a conversation in the terminal on the same engine as the service.

import Glibc

/// A conversation with Codex in the terminal.
@LoopActor
public final class TerminalChat {
  private static let engineWait = Duration.seconds(30)
  private static let historyName = ".codex_chat_history"

  private let configuration: Configuration
  private let demo: DemoModel?
  private let engine: CodexEngine
  private let approvals = ApprovalDesk()
  private let output = TerminalOutput()
  private let input: LineReader
  private let file: ChatThreadFile
  private var conversation: ChatThreadFile.Contents?
  /// What the person asked for with `/model`; may carry an effort.
  private var modelName: String?
  private var running: Turn?
  private var lastTurnFailed = false

  /// Runs a conversation until the person leaves; returns the exit status. Standard input may be a pipe: then each
  /// line is a message, and the status tells whether the last one was answered.
  public static func run(_ configuration: Configuration, demo: Bool) async -> Int32 {
    do throws(ConfigurationError) {
      return await (try TerminalChat(configuration, demo: demo)).run()
    } catch {
      Log.fatal(error.description)
      return 1
    }
  }

  private init(_ configuration: Configuration, demo isDemo: Bool) throws(ConfigurationError) {
    try StartChecks.checkDirectories(configuration)
    self.configuration = configuration
    let stateDirectory = configuration[Settings.stateDirectory] ?? "."
    demo = isDemo ? try DemoModel(stateDirectory: stateDirectory) : nil
    input = LineReader(historyPath: "\(stateDirectory)/\(Self.historyName)")
    var options = CodexEngine.Options(configuration)
    options.showsActivity = true
    options.warmThreads = 0
    if !input.isInteractive { options.approvalWait = .zero }
    engine = CodexEngine(
      command: try ChildCommand(configuration, demo: demo), options: options, approvals: approvals)
    file = ChatThreadFile(path: "\(stateDirectory)/\(ChatThreadFile.name)")
    conversation = file.load()
    modelName = conversation?.model ?? configuration[Settings.model]
  }

  private func run() async -> Int32 {
    let signals = [SIGINT, SIGTERM].compactMap { signal in
      try? SignalSource(signal) { [weak self] in self?.received(signal) }
    }
    engine.start()
    if let failure = await waitForEngine() {
      output.note(failure.message)
      await engine.stop()
      demo?.stop()
      return 1
    }
    approvals.onChange = { [weak self] in self?.askNextApproval() }
    if input.isInteractive {
      output.note(
        conversation == nil
          ? "A new conversation. /help shows the commands." : "Continuing. /help shows the commands.")
    }
    await converse()
    input.restoreTerminal()
    await engine.stop()
    demo?.stop()
    for signal in signals { signal.close() }
    return !input.isInteractive && lastTurnFailed ? 1 : 0
  }

  private func waitForEngine() async -> EngineUnavailability? {
    let deadline = Loop.now + Self.engineWait
    while engine.unavailability == .starting, Loop.now < deadline { await Loop.sleep(.milliseconds(10)) }
    return engine.unavailability
  }

  private func received(_ signal: Int32) {
    if signal == SIGINT, let running { return running.interrupt() }
    if signal == SIGINT, input.isInteractive { return output.note("(/exit or Ctrl-D leaves)") }
    input.restoreTerminal()
    _exit(128 + signal)
  }

  private func converse() async {
    while let line = await input.next(prompt: "> ") {
      let command = ChatCommand(line)
      if command != .nothing { input.remember(line) }
      switch command {
      case .nothing: continue
      case .exit: return
      case .help: output.note(ChatCommand.helpText)
      case .unknown(let name): output.note("\(name) is no command; /help shows them.")
      case .reset:
        conversation = nil
        file.remove()
        output.note("A new conversation.")
      case .model(let name): await model(name)
      case .message(let text): await answer(text)
      }
    }
    if input.isInteractive { output.note("") }
  }

  private func model(_ name: String?) async {
    let catalog = configuration[Settings.dynamicModels] ? try? await engine.models() : nil
    let selector = ModelSelector(catalog: catalog, defaultModel: configuration[Settings.model], defaultEffort: nil)
    guard let name else {
      let names = (catalog?.models ?? []).filter { !$0.isHidden }.map(\.id)
      let current = modelName ?? catalog?.defaultModel ?? "Codex's default"
      return output.note("In use: \(current)\nThere are: \(names.joined(separator: ", "))")
    }
    do throws(APIError) {
      _ = try selector.select(name, effort: nil)
      modelName = name
      output.note("Using \(name).")
    } catch {
      output.note(error.message)
    }
  }

  // MARK: A turn

  private func answer(_ text: String) async {
    do throws(APIError) {
      let turn = try await start(text)
      running = turn
      defer { running = nil }
      await show(turn)
    } catch {
      lastTurnFailed = true
      output.note(error.message)
    }
  }

  private func start(_ text: String) async throws(APIError) -> Turn {
    let catalog = configuration[Settings.dynamicModels] ? try? await engine.models() : nil
    let selection = try ModelSelector(configuration, catalog: catalog).select(modelName, effort: nil)
    var plan = TurnRequest(thread: .persistent)
    plan.model = selection.model
    plan.effort = selection.effort
    plan.input = [.text(text)]
    do throws(EngineError) {
      if let conversation {
        if conversation.model == nil || conversation.model == modelName {
          plan.thread = .existing(conversation.thread)
          do throws(EngineError) {
            return try await start(plan)
          } catch .threadNotFound {
            output.note("Codex no longer knows the earlier conversation; this is a new one.")
            plan.thread = .persistent
          }
        } else {
          plan.history = try await engine.history(of: conversation.thread)
        }
      }
      let turn = try await start(plan)
      if let thread = turn.threadID { remember(thread) }
      return turn
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  private func start(_ plan: TurnRequest) async throws(EngineError) -> Turn {
    let turn = Turn(plan, requestID: "chat")
    try await engine.start(turn)
    return turn
  }

  private func remember(_ thread: ThreadID) {
    let contents = ChatThreadFile.Contents(thread: thread, model: modelName)
    conversation = contents
    if let failure = file.save(contents) {
      output.note("\(ChatThreadFile.name) cannot be written (\(failure)): the next start will not continue this.")
    }
  }

  private func show(_ turn: Turn) async {
    var state = GatheredAnswer(stops: [])
    while state.outcome == nil {
      for event in await turn.events.next() {
        state.apply(event)
        switch event {
        case .answer(let text): output.answer(text.text)
        case .aside(let text), .commentary(let text): output.aside(text.text)
        case .answerIsCommentary(let text): output.answer(text.text)
        case .answerRetracted: output.note("(the connection to the model broke; the answer begins again)")
        case .checkpoint, .ended: break
        }
      }
    }
    output.endLine()
    lastTurnFailed = state.failure != nil
    switch state.failure {
    case .turnFailed(.interrupted)?: output.note("(interrupted)")
    case let failure?: output.note(APIError(failure, hasStarted: true).message)
    case nil: break
    }
  }

  // MARK: Approvals

  /// One question at a time; a pipe has nobody to ask, so there the time limit declines.
  private func askNextApproval() {
    guard input.isInteractive, !isAsking, let approval = approvals.pending.first else { return }
    isAsking = true
    Loop.spawn {
      let what = approval.kind == .command ? "run" : "change"
      self.output.note("Codex asks to \(what): \(approval.subject)")
      let reply = await self.input.next(prompt: "Allow? [y]es, [a]lways in this conversation, [n]o: ")
      let decision: Approval.Decision =
        switch reply?.trimmingSpaces().lowercased().first {
        case "y": .accept
        case "a": .acceptForSession
        default: .decline
        }
      if !self.approvals.answer(approval.id, decision, by: approval.owner) {
        self.output.note("(too late: it was declined)")
      }
      self.isAsking = false
      self.askNextApproval()
    }
  }

  private var isAsking = false
}
