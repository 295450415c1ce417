// `bridged chat`: a conversation in the terminal on the same engine as the service, or one question with its answer.

import Glibc

/// A conversation with Codex in the terminal.
@LoopActor
package final class TerminalChat {
  /// What to do, besides the settings.
  package struct Options: Sendable {
    /// Asked instead of a conversation, or of what standard input has.
    package var question = ""
    /// Forget the conversation so far.
    package var isNew = false
    /// The stand-in for the model.
    package var isDemo = false

    /// A conversation that continues.
    package init() {}
  }

  /// What the terminal is for.
  private enum Mode {
    case conversation
    /// One question, asked at a terminal, where Codex can ask back.
    case question
    /// One question from a pipe or a script: nobody is there to be asked.
    case input
  }

  /// What an interrupt is for.
  private enum Phase {
    case startingEngine
    case idle
    case startingTurn(isInterrupted: Bool)
    case running(Turn)
  }

  /// How long Codex may take to start. With more, a person waits longer for the reason why it does not; with less, a slow
  /// machine cannot be used.
  private static let engineWait = Duration.seconds(30)
  private static let prompt = "> "

  private let configuration: Configuration
  private let options: Options
  private let mode: Mode
  private let demo: DemoModel?
  private let engine: CodexEngine
  private let approvals = ApprovalDesk()
  private let output = TerminalOutput()
  private let keyboard: Keyboard
  private let questions: ApprovalQuestions
  private let conversation: ChatConversation
  private var phase = Phase.startingEngine
  private var lastTurnFailed = false
  /// A signal has ended the only turn there was to be.
  private var isCutShort = false
  private var signals: [SignalSource] = []
  /// Events of the turn that are not shown yet: a question is on the screen.
  private var unshown: [TurnEvent] = []
  private var outcome: TurnOutcome?
  private var paragraphs: AnswerParagraphs
  /// Messages that follow the one question that was to be asked.
  private var followUps: [String] = []

  /// Runs a conversation until the person leaves, or asks one question; returns the exit status. Standard input that is no
  /// terminal is one message, with the question before it. The status is 0 if a conversation was left or the question was
  /// answered, 1 if not, and 128 and its number if a signal ended it.
  package static func run(_ configuration: Configuration, _ options: Options) async -> Int32 {
    do throws(ConfigurationError) {
      return await (try TerminalChat(configuration, options)).run()
    } catch {
      Log.fatal(error.description)
      return 1
    }
  }

  private init(_ configuration: Configuration, _ options: Options) throws(ConfigurationError) {
    try StartChecks.checkDirectories(configuration)
    self.configuration = configuration
    self.options = options
    let stateDirectory = try StateDirectory.open(configuration)
    let hasPerson = isatty(STDIN_FILENO) == 1 && output.hasScreen
    mode = !hasPerson ? .input : options.question.isEmpty ? .conversation : .question
    demo = options.isDemo ? try DemoModel(stateDirectory: stateDirectory) : nil
    let history = LineHistory(path: hasPerson ? StateDirectory.chatHistoryPath(configuration) : nil)
    paragraphs = AnswerParagraphs(Self.shown(to: mode))
    keyboard = Keyboard(descriptor: STDIN_FILENO, output: output, history: history)
    questions = ApprovalQuestions(approvals, keyboard: keyboard, output: output)
    var engineOptions = CodexOptions(configuration)
    engineOptions.warmThreads = 0
    if !hasPerson { engineOptions.approvalWait = .zero }
    engine = CodexEngine(
      command: try ChildCommand(configuration, demo: demo), options: engineOptions, approvals: approvals)
    let output = output
    conversation = ChatConversation(
      configuration, engine: engine, file: ChatThreadFile(path: "\(stateDirectory)/\(ChatThreadFile.name)"),
      isNew: options.isNew, notify: { output.note($0) })
  }

  /// Whoever can be asked sees the question itself.
  private static func shown(to mode: Mode) -> AnswerParagraphs.Shown {
    AnswerParagraphs.Shown(tools: true, questions: mode == .input)
  }

  // MARK: Beginning and end

  private func run() async -> Int32 {
    connect()
    engine.start()
    let status = await converseOrAsk()
    keyboard.close()
    if let failure = output.failure, failure != .system(EPIPE) {
      output.note("standard output: \(failure)")
    }
    await engine.stop()
    demo?.stop()
    for signal in signals { signal.close() }
    return output.failure == nil ? status : 1
  }

  private func connect() {
    keyboard.onInterrupt = { [weak self] in self?.interrupt() }
    questions.interruptsTurn = { [weak self] in self?.interrupt() }
    questions.sends = { [weak self] in self?.send($0) }
    questions.opensKeyboard = mode == .question
    watch(SIGINT) { [weak self] in self?.signalledToInterrupt() }
    watch(SIGTERM) { [weak self] in self?.end(onSignal: SIGTERM) }
    // Without a terminal, a hang-up is left alone: the program may have been started with nohup(1).
    guard mode != .input else { return }
    watch(SIGHUP) { [weak self] in self?.end(onSignal: SIGHUP) }
    watch(SIGCONT) { [weak self] in self?.keyboard.resume() }
    watch(SIGWINCH) { [weak self] in self?.keyboard.redraw() }
  }

  private func watch(_ signal: Int32, _ action: @escaping @LoopActor () -> Void) {
    if let source = try? SignalSource(signal, onSignal: action) { signals.append(source) }
  }

  /// Ends the program at once; Codex ends with it.
  private func end(onSignal signal: Int32) {
    keyboard.close()
    _exit(128 + signal)
  }

  private func converseOrAsk() async -> Int32 {
    do throws(LoopError) {
      if mode == .conversation { try keyboard.open() }
    } catch {
      output.note("\(error)")
      return 1
    }
    guard let message = await message() else { return 1 }
    if let failure = await engine.unavailability(afterStartingFor: Self.engineWait) {
      output.note(failure.message)
      return 1
    }
    phase = .idle
    if mode == .conversation {
      let what = conversation.isEmpty ? "A new conversation" : "Continuing"
      output.show("\(what). /help shows the commands.")
      await converse()
      return 0
    }
    await ask(message)
    return isCutShort ? 128 + SIGINT : lastTurnFailed ? 1 : 0
  }

  /// The one question to ask; empty for a conversation, nil if standard input has none.
  private func message() async -> String? {
    // Without a screen, a terminal is read like a pipe, unless the question was given as an argument.
    let isAsked = !options.question.isEmpty && isatty(STDIN_FILENO) == 1
    guard mode == .input, !isAsked else { return options.question }
    switch await Loop.offLoop({ StandardInput.readAll() }) {
    case .success(let input):
      let text = ChatMessage.text(question: options.question, input: input)
      if !text.allSatisfy(\.isWhitespace) { return text }
      output.note("nothing to send: standard input is empty")
    case .failure(let failure): output.note(failure.description)
    }
    return nil
  }

  // MARK: Interrupting

  private func signalledToInterrupt() {
    if keyboard.isOpen { return keyboard.press(.interrupt) }
    isCutShort = true
    interrupt()
  }

  private func interrupt() {
    switch phase {
    case .startingEngine: end(onSignal: SIGINT)
    case .idle: break
    case .startingTurn: phase = .startingTurn(isInterrupted: true)
    case .running(let turn): turn.interrupt()
    }
  }

  // MARK: Messages

  private func converse() async {
    while case .line(let line) = await keyboard.nextEntry(prompt: Self.prompt) {
      switch ChatCommand(line) {
      case .nothing: continue
      case .exit: return
      case .help: output.show(ChatCommand.helpText)
      case .unknown(let name): output.show("\(name) is no command; /help shows them.")
      case .reset:
        conversation.reset()
        output.show("A new conversation.")
      case .model(nil): output.show(await conversation.describeModels())
      case .model(let name?): await useModel(name)
      case .message(let text): await answer(text)
      }
    }
  }

  private func useModel(_ name: String) async {
    do throws(APIError) {
      try await conversation.useModel(name)
      output.show("Using \(name.printable).")
    } catch {
      output.show(error.message)
    }
  }

  private func ask(_ message: String) async {
    followUps = [message]
    while !followUps.isEmpty, !isCutShort { await answer(followUps.removeFirst()) }
    let leftover = keyboard.takeLeftover()
    if !leftover.isEmpty { output.note("Not sent: \(leftover.joined(separator: "\n"))") }
  }

  /// Sends what a person said instead of answering Codex's question.
  private func send(_ line: EnteredLine) {
    if mode == .conversation { keyboard.putNext(line) } else { followUps.append(line.text) }
  }

  // MARK: A turn

  private func answer(_ text: String) async {
    if let fault = ChatMessage.fault(of: text) { return reportFailure(fault) }
    phase = .startingTurn(isInterrupted: false)
    defer { phase = .idle }
    do throws(APIError) {
      let turn = try await conversation.start(text)
      if case .startingTurn(isInterrupted: true) = phase { turn.interrupt() }
      phase = .running(turn)
      await show(turn)
    } catch {
      reportFailure(error.message)
    }
  }

  private func reportFailure(_ reason: String) {
    lastTurnFailed = true
    output.note(reason)
  }

  private func show(_ turn: Turn) async {
    outcome = nil
    paragraphs = AnswerParagraphs(Self.shown(to: mode))
    // Nothing is written over a question: what comes meanwhile waits, and what came before is shown before it.
    questions.showsBefore = { [weak self] in self?.show(turn.events.gathered()) }
    defer { questions.showsBefore = nil }
    while outcome == nil {
      unshown += await turn.events.next()
      await questions.waitUntilNoneIsOpen()
      show([])
      // Nobody reads the answer any more.
      if output.failure != nil { turn.interrupt() }
    }
    output.endAnswer()
    lastTurnFailed = false
    switch outcome?.failure(wasCutOnPurpose: false) {
    case .turnFailed(.interrupted)?: reportFailure("(interrupted)")
    case let failure?: reportFailure(APIError(failure, hasStarted: true).message)
    case nil: break
    }
  }

  /// Shows what has waited, and then `events`.
  private func show(_ events: [TurnEvent]) {
    let events = unshown + events
    unshown = []
    for event in events { show(event) }
  }

  private func show(_ event: TurnEvent) {
    if let (text, channel) = event.text { return show(text.text, channel) }
    if let note = paragraphs.take(event) { output.aside(note) }
    switch event {
    case .answerIsCommentary(let messages): output.answer(AnswerParagraphs.joined(messages))
    case .answerRetracted: output.note("(the connection to the model broke; the answer begins again)")
    case .ended(let outcome): self.outcome = outcome
    default: break
    }
  }

  private func show(_ text: String, _ channel: TextChannel) {
    let text = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine + text : text
    if channel == .answer { output.answer(text) } else { output.aside(text) }
  }
}
