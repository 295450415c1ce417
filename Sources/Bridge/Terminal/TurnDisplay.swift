// Shows a turn to a person: the answer, what goes on beside it, what is waited for, and what it took. Owns what was shown of the
// last turn.

/// Shows turns on a terminal, or their answers on a pipe.
@LoopActor
final class TurnDisplay: TurnViewer {
  /// A command, a search or another tool that the last turn has used.
  private struct Use {
    let use: ToolUse
    let beganAt: Duration
    var endedAt: Duration?
    var outcome: ToolOutcome?
  }

  private enum Pace {
    /// How often the line is looked at that says what is waited for. It is not shown for what takes less.
    static let tick = Duration.milliseconds(500)
  }

  /// Uses of tools that are kept for `/details`. With more, a turn of thousands of commands takes more memory.
  private static let maxUses = 500

  private let output: TerminalOutput
  private let shown: AnswerParagraphs.Shown
  /// Whether somebody else uses the screen, such as a question.
  var isScreenTaken: @LoopActor () -> Bool = { false }
  private var paragraphs: AnswerParagraphs
  private var answer = AnswerText()
  private var uses: [Int: Use] = [:]
  private var usesLeftOut = 0
  private var ticker = Ticker()
  private var startedAt = Duration.zero
  private var firstWordAt: Duration?
  /// A paragraph has ended, and nothing has begun behind it.
  private var isBetweenParagraphs = false

  init(output: TerminalOutput, shown: AnswerParagraphs.Shown) {
    self.output = output
    self.shown = shown
    paragraphs = AnswerParagraphs(shown)
  }

  isolated deinit { ticker.stop() }

  /// The last answer as the model wrote it.
  var lastAnswer: String { answer.text }

  // MARK: A turn

  func begin() {
    paragraphs = AnswerParagraphs(shown)
    answer = AnswerText()
    (uses, usesLeftOut) = ([:], 0)
    (startedAt, firstWordAt) = (Loop.now, nil)
    isBetweenParagraphs = false
    waitFor(nil)
  }

  /// Shows what is waited for, and since when; nil for what the turn does.
  func waitFor(_ what: String?) {
    let since = Loop.now
    ticker.stop()
    ticker.start(every: Pace.tick) { [weak self] in self?.showStatus(what, since: since) }
  }

  /// What was waited for has come.
  func waitEnded() {
    ticker.stop()
    output.clearStatus()
  }

  private func showStatus(_ what: String?, since: Duration) {
    guard !isScreenTaken() else { return }
    let isRunning = uses.values.contains { $0.endedAt == nil }
    let seconds = Int((Loop.now - since).inSeconds)
    output.showStatus(
      "\(what ?? (isRunning ? "running" : "thinking")) \(seconds) s · Ctrl-C stops",
      mayBreakLine: isBetweenParagraphs)
  }

  func show(_ event: TurnEvent) {
    answer.take(event)
    if let (text, channel) = event.text { return show(text.text, channel) }
    if let note = paragraphs.take(event) {
      output.aside(note)
      isBetweenParagraphs = true
    }
    switch event {
    case .itemEnded: isBetweenParagraphs = true
    case .tool(let report): take(report)
    case .toolsLeftOut(let count): usesLeftOut += count
    case .answerIsCommentary(let messages): output.answer(AnswerParagraphs.joined(messages))
    case .answerRetracted: output.note("(the connection to the model broke; the answer begins again)")
    default: break
    }
  }

  private func show(_ text: String, _ channel: TextChannel) {
    let text = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine + text : text
    isBetweenParagraphs = false
    guard channel == .answer else { return output.aside(text) }
    if firstWordAt == nil { firstWordAt = Loop.now }
    output.answer(text)
  }

  func end(_ ending: TurnViewEnding) {
    waitEnded()
    output.endAnswer()
    if ending.wasInterrupted {
      output.note("(interrupted)")
    } else if let error = ending.error {
      output.fail("Error (\(error.code ?? error.type)): \(error.message)")
      if let advice = ending.advice { output.footnote(advice) }
    }
    guard ending.error == nil || ending.usage.total > 0 else { return }
    let figures = AnswerFigures(
      firstWord: firstWordAt.map { $0 - startedAt }, total: Loop.now - startedAt, usage: ending.usage,
      limits: ending.limits)
    output.footnote(figures.line)
  }

  // MARK: Details

  private func take(_ report: ToolReport) {
    switch report.progress {
    case .began:
      guard uses.count < Self.maxUses else {
        usesLeftOut += 1
        return
      }
      uses[report.number] = Use(use: report.use, beganAt: Loop.now)
    case .ended(let outcome):
      uses[report.number]?.outcome = outcome
      uses[report.number]?.endedAt = Loop.now
    }
  }

  /// What the last turn has used, in lines.
  var details: String {
    guard !uses.isEmpty else { return "Nothing was run for the last answer." }
    var lines = uses.sorted { $0.key < $1.key }.flatMap { number, use in Self.lines(number, use) }
    if usesLeftOut > 0 { lines.append(ActivityText.toolsLeftOut(usesLeftOut)) }
    return lines.joined(separator: "\n")
  }

  private static func lines(_ number: Int, _ use: Use) -> [String] {
    let time = use.endedAt.map { Amount.time($0 - use.beganAt) } ?? "did not end"
    let outcome =
      switch use.outcome {
      case .exited(let status): "exit code \(status), \(time)"
      case .done: "done, \(time)"
      case .failed: "failed, \(time)"
      case .declined: "declined"
      case nil: time
      }
    let head = "\(number). "
    switch use.use {
    // A command of several lines is shown as such.
    case .command(let text?):
      return ["\(head)\(outcome)"] + text.printableLines.split(separator: "\n").map { "   | \($0)" }
    case .fileChange(let paths, let count):
      let rest = count > paths.count ? ["   and \(count - paths.count) more"] : []
      return ["\(head)changed files: \(outcome)"] + paths.map { "   \($0.printable)" } + rest
    case .command(nil), .webSearch, .tool: return ["\(head)\(ActivityText.line(use.use)): \(outcome)"]
    }
  }
}
