// The keyboard of `bridged chat`, the only reader of the terminal: it decides whether a key is for the next message or for
// the question on the screen. Owns the line that is being typed, what was entered ahead, and the terminal's mode.

import Glibc

@LoopActor
final class Keyboard {
  /// What a person says at the prompt for a message.
  enum Entry: Equatable, Sendable {
    case line(EnteredLine)
    /// Ctrl-D, or the terminal is gone.
    case end
  }

  /// What becomes of a question.
  enum Reply: Equatable, Sendable {
    case line(EnteredLine)
    /// Ctrl-C.
    case interrupt
    case end
    /// It was taken back, since it is decided or its turn has ended.
    case withdrawn
  }

  private enum Listener {
    /// Codex works: what is typed is for the next message and is not shown.
    case nobody
    case message(prompt: String, Waiter<Entry>)
    /// `takesBlank`: an empty line is an answer, too.
    case question(prompt: String, takesBlank: Bool, Waiter<Reply>)
  }

  private enum Limit {
    /// When nothing follows an ESC byte for so long, it was the key Escape, or a letter with Alt. Longer, and a letter typed
    /// soon after it is lost; shorter, and an arrow key over a slow connection is taken for letters.
    static let escape = Duration.milliseconds(100)
    /// When a question comes while a person types, it is asked after so long without a key. Shorter, and the rest of a word
    /// could answer it; longer, and it comes late.
    static let pause = Duration.seconds(1)
  }

  private static let pasteMarksOn = "\u{1B}[?2004h"
  private static let pasteMarksOff = "\u{1B}[?2004l"

  private let descriptor: Int32
  private let output: TerminalOutput
  private let display: LineDisplay
  private let history: LineHistory
  private var terminal: TerminalInput?
  private var decoder = KeyDecoder()
  private var escapeTimer: LoopTimer?
  private var listener = Listener.nobody
  /// The next message, as far as it is typed.
  private var draft = LineEditor()
  private var answer = LineEditor()
  /// What was entered while nobody listened, oldest first.
  private var ahead: [Entry] = []
  private var lastKeyAt = Duration.zero
  /// The program that has the terminal meanwhile.
  private var editor: MessageEditor?
  /// Starts an editor on a text. Throws why it cannot.
  var startsEditor: (@LoopActor (String) throws(MessageEditor.Failure) -> MessageEditor)?
  /// Called for Ctrl-C while Codex works.
  var onInterrupt: (@LoopActor () -> Void)?

  /// Reads `descriptor`, a terminal, once it is opened, and draws on the screen of `output`.
  init(descriptor: Int32, output: TerminalOutput, history: LineHistory) {
    self.descriptor = descriptor
    self.output = output
    self.history = history
    display = LineDisplay(descriptor: output.screen)
  }

  // MARK: The terminal's mode

  var isOpen: Bool { terminal != nil }

  /// Takes the terminal over. Throws if it cannot be read.
  func open() throws(LoopError) {
    guard terminal == nil else { return }
    let terminal = try TerminalInput(descriptor: descriptor)
    self.terminal = terminal
    escapeTimer = LoopTimer { [weak self] in self?.decoder.timeOut() }
    terminal.onRead = { [weak self] in self?.read($0) }
    terminal.onEnd = { [weak self] in self?.terminalClosed() }
    do throws(LoopError) {
      try terminal.startReading()
    } catch {
      close()
      throw error
    }
    try? TerminalWriter.write(Self.pasteMarksOn, to: output.screen)
  }

  /// Gives the terminal back as it was found.
  func close() {
    editor?.abandon()
    editor = nil
    display.finish()
    guard let terminal else { return }
    self.terminal = nil
    try? TerminalWriter.write(Self.pasteMarksOff, to: output.screen)
    terminal.close()
    escapeTimer?.close()
    escapeTimer = nil
  }

  /// Stops the program as Ctrl-Z does elsewhere, with the terminal as it was found, and goes on when it is continued.
  private func suspend() {
    display.finish()
    output.clearStatus()
    try? TerminalWriter.write(Self.pasteMarksOff, to: output.screen)
    try? terminal?.setRaw(false)
    // The whole group, as the terminal would: a script that waits for this program is stopped too. Where no shell could
    // continue it, the system ignores this.
    kill(0, SIGTSTP)
    resume()
  }

  /// After the program was stopped: whoever had the terminal meanwhile may have left it in another mode.
  func resume() {
    guard let terminal, editor == nil else { return }
    try? terminal.setRaw(false)
    try? terminal.setRaw(true)
    try? TerminalWriter.write(Self.pasteMarksOn, to: output.screen)
    redraw()
  }

  // MARK: Asking

  /// The next line for the conversation: what was entered ahead, or what is entered now.
  func nextEntry(prompt: String) async -> Entry {
    output.endLine()
    if ahead.isEmpty {
      let entry = await newEntry(prompt: prompt)
      if case .line(let line) = entry { history.add(line) }
      return entry
    }
    let entry = ahead.removeFirst()
    if case .line(let line) = entry {
      history.add(line)
      show(line, prompt)
    }
    return entry
  }

  private func newEntry(prompt: String) async -> Entry {
    let entry = Waiter<Entry>()
    listener = .message(prompt: prompt, entry)
    redraw()
    return await entry.value()
  }

  /// The answer to a question, never an empty one unless `takesBlank`. What was typed before this call is not part of it.
  func reply(prompt: String, takesBlank: Bool = false) async -> Reply {
    output.endLine()
    answer = LineEditor()
    let reply = Waiter<Reply>()
    listener = .question(prompt: prompt, takesBlank: takesBlank, reply)
    redraw()
    return await reply.value()
  }

  /// Takes the question back; what was typed as its answer is dropped.
  func withdrawQuestion() {
    if case .question(_, _, let waiter) = listener { finish(waiter, with: .withdrawn) }
  }

  /// Waits until the person has stopped typing a line, if one was begun.
  func waitForPause() async {
    readAhead()
    while !draft.isEmpty, Loop.now - lastKeyAt < Limit.pause {
      await Loop.sleep(Limit.pause - (Loop.now - lastKeyAt))
      readAhead()
    }
  }

  /// Takes what was typed up to now for the next message, also what the system still has.
  func readAhead() { terminal?.readAhead() }

  /// Has a line come before all that was entered ahead.
  func putNext(_ line: EnteredLine) { ahead.insert(.line(line), at: 0) }

  /// What was entered or typed and nobody has asked for, in lines.
  func takeLeftover() -> [String] {
    keepAhead()
    defer { draft.clear() }
    return draft.isEmpty ? [] : draft.text.split(separator: "\n").map(String.init)
  }

  // MARK: Keys

  /// A key that came in another way: Ctrl-C as a signal.
  func press(_ key: KeyPress) {
    // Whoever has the terminal gets the same signal.
    if editor == nil { handle(key) }
  }

  private func read(_ bytes: Span<UInt8>) {
    for key in decoder.feed(bytes) { handle(key) }
    if decoder.isUndecided { escapeTimer?.start(after: Limit.escape) } else { escapeTimer?.stop() }
  }

  private func handle(_ key: KeyPress) {
    lastKeyAt = Loop.now
    switch listener {
    case .nobody: keepAhead(draft.apply(key, history: history.entries))
    case .message(_, let waiter): editMessage(draft.apply(key, history: history.entries), waiter)
    case .question(_, let takesBlank, let waiter): editAnswer(answer.apply(key), takesBlank: takesBlank, waiter)
    }
  }

  private func keepAhead(_ outcome: LineEditor.Outcome) {
    switch outcome {
    case .entered(let line): if !line.isBlank { ahead.append(.line(line)) }
    case .endOfInput: ahead.append(.end)
    case .interrupt:
      keepAhead()
      onInterrupt?()
    case .suspend: suspend()
    case .unchanged, .changed, .full, .clearScreen, .openEditor: break
    }
  }

  private func editMessage(_ outcome: LineEditor.Outcome, _ waiter: Waiter<Entry>) {
    switch outcome {
    case .entered(let line): finish(waiter, with: .line(line))
    case .endOfInput: finish(waiter, with: .end)
    case .interrupt:
      let isEmpty = draft.isEmpty
      draft.clear()
      showNote(isEmpty ? "(/exit or Ctrl-D leaves)" : nil)
    case .changed: redraw()
    case .unchanged: break
    case .full: showNote(Self.tooLong)
    case .suspend: suspend()
    case .clearScreen:
      display.clearScreen()
      redraw()
    case .openEditor: openEditor()
    }
  }

  private func editAnswer(_ outcome: LineEditor.Outcome, takesBlank: Bool, _ waiter: Waiter<Reply>) {
    switch outcome {
    // An empty line is no answer. The question stays, so that what is typed right after the line is an answer to it.
    case .entered(let line):
      if line.isBlank, !takesBlank { showNote(nil) } else { finish(waiter, with: .line(line)) }
    case .interrupt:
      keepAhead()
      finish(waiter, with: .interrupt)
    case .endOfInput: finish(waiter, with: .end)
    case .changed: redraw()
    case .unchanged: break
    case .full: showNote(Self.tooLong)
    case .suspend: suspend()
    case .clearScreen: redraw()
    case .openEditor: break
    }
  }

  private static let tooLong =
    "(not taken: a message has at most \(ChatMessage.maxCharacters) characters)"

  private func finish<Value: Sendable>(_ waiter: Waiter<Value>, with value: Value) {
    listener = .nobody
    display.finish()
    waiter.finish(with: value)
  }

  /// What was entered for a turn that is interrupted is not sent by itself: it is the person's to look at.
  private func keepAhead() {
    let lines = ahead.compactMap { entry -> EnteredLine? in
      if case .line(let line) = entry { line } else { nil }
    }
    ahead.removeAll { if case .line = $0 { true } else { false } }
    draft.restore(lines)
  }

  private func terminalClosed() {
    ahead.append(.end)
    switch listener {
    case .nobody: onInterrupt?()
    case .message(_, let waiter): finish(waiter, with: .end)
    case .question(_, _, let waiter): finish(waiter, with: .end)
    }
  }

  // MARK: An editor

  /// Hands the message that is being typed, and the terminal, to an editor; goes on with what that has made of it.
  private func openEditor() {
    guard let startsEditor, let terminal else { return }
    terminal.stopReading()
    display.finish()
    try? TerminalWriter.write(Self.pasteMarksOff, to: output.screen)
    try? terminal.setRaw(false)
    do throws(MessageEditor.Failure) {
      let editor = try startsEditor(draft.text)
      self.editor = editor
      Loop.spawn { self.editorEnded(await Loop.offLoop { editor.result() }) }
    } catch {
      editorEnded(.failure(error))
    }
  }

  private func editorEnded(_ result: Result<String, MessageEditor.Failure>) {
    editor = nil
    guard let terminal else { return }
    try? terminal.setRaw(true)
    do throws(LoopError) { try terminal.startReading() } catch { return terminalClosed() }
    try? TerminalWriter.write(Self.pasteMarksOn, to: output.screen)
    switch result {
    case .success(let text):
      draft.replace(with: text)
      redraw()
    case .failure(let failure): showNote("(\(failure))")
    }
  }

  // MARK: The screen

  /// Draws the line of whoever listens, also after the screen has changed its size.
  func redraw() {
    guard editor == nil else { return }
    switch listener {
    case .nobody: break
    case .message(let prompt, _): display.draw(prompt, draft)
    case .question(let prompt, _, _): display.draw(prompt, answer)
    }
  }

  private func show(_ line: EnteredLine, _ prompt: String) {
    var editor = LineEditor()
    editor.restore([line])
    display.draw(prompt, editor)
    display.finish()
  }

  /// A line of the program's own between what is typed and a fresh prompt.
  private func showNote(_ note: String?) {
    display.finish()
    if let note { output.show(note) }
    redraw()
  }
}
