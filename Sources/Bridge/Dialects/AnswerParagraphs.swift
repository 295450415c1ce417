// Divides a turn into two texts: the answer, and what goes on beside it (commentary, reasoning, tools, questions). Puts a
// blank line between the paragraphs of each. Pure.

/// Decides which text begins a paragraph, and which events are shown beside the answer.
struct AnswerParagraphs: Sendable {
  /// Which events are shown beside the answer. Questions that were decided are always shown.
  struct Shown: Sendable {
    /// Commands, changes of files, searches and tools.
    var tools: Bool
    /// Questions that wait for a person. False where the client asks them itself, as the terminal does.
    var questions = true

    /// As little as possible, for an answer that has no text beside it.
    static let none = Shown(tools: false, questions: false)
  }

  /// How one of the two texts ends.
  private enum End: Sendable {
    /// The text is empty. Its first paragraph needs no blank line before it.
    case nothing
    case inParagraph
    case betweenParagraphs

    /// Ends the paragraph, if there is one.
    mutating func endParagraph() {
      if case .inParagraph = self { self = .betweenParagraphs }
    }

    /// Adds text. Returns whether it begins a paragraph that follows another.
    @inline(__always)
    mutating func addText() -> Bool {
      let begins = if case .betweenParagraphs = self { true } else { false }
      self = .inParagraph
      return begins
    }
  }

  private let shown: Shown
  private var answer = End.nothing
  /// How the part of the answer ends that the engine cannot take back any more.
  private var finalAnswer = End.nothing
  private var beside = End.nothing

  init(_ shown: Shown) { self.shown = shown }

  /// Records a piece of text. Returns whether a blank line has to be put before it.
  @inline(__always)
  mutating func needsBlankLine(before channel: TextChannel) -> Bool {
    switch channel {
    case .answer: answer.addText()
    case .commentary, .reasoning: beside.addText()
    }
  }

  /// Records an event that is no text. Returns what is shown of it beside the answer, with its blank line; nil for nothing.
  mutating func take(_ event: TurnEvent) -> String? {
    switch event {
    case .itemBegan(let item):
      if item.channel == .answer { answer.endParagraph() } else { beside.endParagraph() }
    case .reasoningPart: beside.endParagraph()
    case .usage: finalAnswer = answer
    case .answerRetracted: answer = finalAnswer
    case .tool(let report): if shown.tools { return ActivityText.paragraph(report).map { paragraph($0) } }
    case .toolsLeftOut(let count): if shown.tools { return paragraph(ActivityText.toolsLeftOut(count)) }
    case .question(.asked): if shown.questions, case .question(let report) = event { return paragraph(report) }
    case .question(let report): return paragraph(report)
    case .reconnecting(let reason): return paragraph(ActivityText.reconnecting(reason))
    case .notKept: return paragraph(ActivityText.notKept)
    case .effectsStay: if shown.tools { return paragraph(ActivityText.effectsStay) }
    case .began, .answer, .commentary, .reasoning, .itemEnded, .answerIsCommentary, .ended: break
    case .toolCalls(let open):
      if !open.faults.isEmpty { return paragraph(ActivityText.paragraph(open.faults)) }
    }
    return nil
  }

  private mutating func paragraph(_ report: QuestionReport) -> String { paragraph(ActivityText.paragraph(report)) }

  /// Makes a text a paragraph of its own.
  private mutating func paragraph(_ text: String) -> String {
    beside.endParagraph()
    defer { beside = .betweenParagraphs }
    return beside.addText() ? Self.blankLine + text : text
  }

  static let blankLine = "\n\n"

  /// Joins messages, as the paragraphs of one text.
  static func joined(_ messages: [String]) -> String { messages.joined(separator: blankLine) }
}
