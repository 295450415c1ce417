// `bridged chat`: a conversation in the terminal on the same engine as the service, or one question with its answer.
// What the commands do is in `TerminalChat+Commands.swift`.

import Glibc

/// A conversation with Codex in the terminal.
@LoopActor
package final class TerminalChat {
  /// Which conversation goes on.
  package enum Start: Sendable, Equatable {
    /// The one of this directory that was used last, or a new one.
    case last
    case new
    /// A number of the list, or the beginning of an id.
    case chosen(String)
  }

  /// What to do, besides the settings.
  package struct Options: Sendable {
    /// Asked instead of a conversation, or of what standard input has.
    package var question = ""
    /// Which conversation goes on.
    package var start = Start.last
    /// The stand-in for the model.
    package var isDemo = false
    /// Events as JSON in place of text, for one question that nobody is asked back about.
    package var isJSON = false

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

  let configuration: Configuration
  private let options: Options
  private let mode: Mode
  private let demo: DemoModel?
  let engine: CodexEngine
  private let approvals = ApprovalDesk()
  let output: TerminalOutput
  let keyboard: Keyboard
  private let questions: ApprovalQuestions
  let conversation: ChatConversation
  let display: TurnDisplay
  /// `display`, or what tells a program.
  private let viewer: any TurnViewer
  private var phase = Phase.startingEngine
  private var lastTurnFailed = false
  /// A signal has ended the only turn there was to be.
  private var isCutShort = false
  private var signals: [SignalSource] = []
  /// Events of the turn that are not shown yet: a question is on the screen.
  private var unshown: [TurnEvent] = []
  private var outcome: TurnOutcome?
  /// Messages that follow the one question that was to be asked.
  private var followUps: [String] = []
  /// Tokens of all turns since the start.
  private(set) var usage = TokenUsage()

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

  /// Prints the conversations of the directory, a line or a JSON object each; returns the exit status.
  package static func list(_ configuration: Configuration, _ options: Options) -> Int32 {
    let output = TerminalOutput()
    let list: ChatList
    do throws(ConfigurationError) {
      list = ChatListFile(stateDirectory: try StateDirectory.open(configuration), isDemo: options.isDemo).load()
    } catch {
      Log.fatal(error.description)
      return 1
    }
    if options.isJSON {
      for conversation in list.all { output.line(conversation.json) }
    } else if list.all.isEmpty {
      output.note("There is no conversation of this directory yet.")
    } else {
      output.list(list.lines(now: unixTime(), columns: output.hasScreen ? output.columns : columnsOfLists))
    }
    return output.failure == nil ? 0 : 1
  }

  /// The width of a list that goes to a pipe or a file.
  private static let columnsOfLists = 120

  private init(_ configuration: Configuration, _ options: Options) throws(ConfigurationError) {
    try StartChecks.checkDirectories(configuration)
    self.configuration = configuration
    self.options = options
    let stateDirectory = try StateDirectory.open(configuration)
    let output = TerminalOutput()
    self.output = output
    let hasPerson = isatty(STDIN_FILENO) == 1 && output.hasScreen && !options.isJSON
    mode = !hasPerson ? .input : options.question.isEmpty ? .conversation : .question
    demo = options.isDemo ? try DemoModel(stateDirectory: stateDirectory) : nil
    let history = LineHistory(path: hasPerson ? StateDirectory.chatHistoryPath(configuration) : nil)
    keyboard = Keyboard(descriptor: STDIN_FILENO, output: output, history: history)
    questions = ApprovalQuestions(approvals, keyboard: keyboard, output: output)
    var engineOptions = CodexOptions(configuration)
    engineOptions.warmThreads = 0
    if !hasPerson { engineOptions.approvalWait = .zero }
    engine = CodexEngine(
      command: try ChildCommand(configuration, demo: demo), options: engineOptions, approvals: approvals)
    conversation = ChatConversation(
      configuration, engine: engine,
      repository: ChatRepository(ChatListFile(stateDirectory: stateDirectory, isDemo: options.isDemo)),
      notify: { output.note($0) })
    // Whoever can be asked sees the question itself.
    display = TurnDisplay(output: output, shown: AnswerParagraphs.Shown(tools: true, questions: mode == .input))
    let lines = TurnEventLines(output: output)
    viewer = options.isJSON ? lines : display
    lines.conversation = { [conversation] in conversation.told }
    display.isScreenTaken = { [questions] in questions.isAsking }
    keyboard.startsEditor = { [output] text throws(MessageEditor.Failure) in
      let environment = Configuration.processEnvironment
      guard let command = MessageEditor.command(environment) else {
        throw .notStarted("neither VISUAL nor EDITOR is set")
      }
      return try MessageEditor(
        command, text: text, below: stateDirectory, terminal: STDIN_FILENO, screen: output.screen,
        environment: environment)
    }
  }

  // MARK: Beginning and end

  private func run() async -> Int32 {
    connect()
    engine.start()
    let status = await converseOrAsk()
    keyboard.close()
    if mode == .conversation, let kept = conversation.current {
      output.note("Continue with: bridged chat\(demo == nil ? "" : " --demo") --continue \(kept.id)")
    }
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
    output.endLine()
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
    guard chooseConversation(), let message = await message() else { return 1 }
    display.waitFor("starting Codex")
    let failure = await engine.unavailability(afterStartingFor: Self.engineWait)
    display.waitEnded()
    if let failure {
      output.fail("Error (\(failure.code)): \(failure.message)")
      return 1
    }
    phase = .idle
    if mode == .conversation {
      await greet()
      await converse()
      return 0
    }
    await ask(message)
    return isCutShort ? 128 + SIGINT : lastTurnFailed ? 1 : 0
  }

  /// False if there is no such conversation.
  private func chooseConversation() -> Bool {
    switch options.start {
    case .last: if let last = conversation.all.all.first { conversation.goOn(with: last) }
    case .new: break
    case .chosen(let text):
      switch conversation.all.choose(text) {
      case .one(let chosen): conversation.goOn(with: chosen)
      case .none:
        output.fail(
          "Error (conversation_not_found): no conversation of this directory begins with “\(text)”; "
            + "bridged chat --list shows them")
        return false
      case .several(let count):
        output.fail(
          "Error (conversation_not_found): \(count) conversations begin with “\(text)”; say more of the id")
        return false
      }
    }
    return true
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
      case .message(let text): await answer(text)
      case let command: await carryOut(command)
      }
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
    viewer.begin()
    if let fault = ChatMessage.fault(of: text) {
      return end(TurnViewEnding(error: APIError.invalid(fault, code: "message_too_long")))
    }
    phase = .startingTurn(isInterrupted: false)
    defer { phase = .idle }
    do throws(APIError) {
      let turn = try await conversation.start(text)
      if case .startingTurn(isInterrupted: true) = phase { turn.interrupt() }
      phase = .running(turn)
      await show(turn)
    } catch {
      end(TurnViewEnding(error: error, advice: ChatStatus.advice(code: error.code)))
    }
  }

  private func end(_ ending: TurnViewEnding) {
    lastTurnFailed = ending.error != nil
    usage = usage + ending.usage
    viewer.end(ending)
  }

  private func show(_ turn: Turn) async {
    outcome = nil
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
    end(ending(of: outcome))
  }

  private func ending(of outcome: TurnOutcome?) -> TurnViewEnding {
    var ending = TurnViewEnding(limits: engine.status.account?.limits ?? [])
    if case .completed(let usage)? = outcome { ending.usage = usage }
    if case .interrupted(let usage)? = outcome { ending.usage = usage }
    guard let failure = outcome?.failure(wasCutOnPurpose: false) else { return ending }
    ending.wasInterrupted = failure == .turnFailed(.interrupted)
    ending.error = APIError(failure, hasStarted: true)
    ending.advice = ChatStatus.advice(failure)
    return ending
  }

  /// Shows what has waited, and then `events`.
  private func show(_ events: [TurnEvent]) {
    let events = unshown + events
    unshown = []
    for event in events {
      if case .ended(let outcome) = event { self.outcome = outcome } else { viewer.show(event) }
    }
  }
}
