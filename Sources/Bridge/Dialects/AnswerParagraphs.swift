// The items of a turn as two texts, the answer and what goes on beside it, with a blank line between paragraphs. Pure.

/// Says which text begins a paragraph, and what else is told beside the answer.
struct AnswerParagraphs: Sendable {
  /// Which events are told beside the model's own words. What was declined, or answered, always is.
  struct Shown: Sendable {
    /// Commands, changes of files, searches and tools.
    var tools: Bool
    /// Questions that wait for an answer. Not where they are asked on the same screen.
    var questions = true
  }

  /// Where one of the two texts ends.
  private enum End: Sendable {
    /// It is empty: what comes first begins no paragraph after others.
    case nothing
    case inParagraph
    case betweenParagraphs

    /// A paragraph ends, if there is one.
    mutating func endParagraph() {
      if case .inParagraph = self { self = .betweenParagraphs }
    }

    /// Text comes. Returns whether it begins a paragraph after others.
    @inline(__always)
    mutating func goOn() -> Bool {
      let begins = if case .betweenParagraphs = self { true } else { false }
      self = .inParagraph
      return begins
    }
  }

  private let shown: Shown
  private var answer = End.nothing
  /// Where what is final of the answer ends.
  private var finalAnswer = End.nothing
  private var beside = End.nothing

  init(_ shown: Shown) { self.shown = shown }

  /// Takes note of a piece of text. Returns whether a blank line is to be put before it.
  @inline(__always)
  mutating func needsBlankLine(before channel: TextChannel) -> Bool {
    switch channel {
    case .answer: answer.goOn()
    case .commentary, .reasoning: beside.goOn()
    }
  }

  /// Takes an event that is no text. Returns what is to be told of it beside the answer, its blank line included.
  mutating func take(_ event: TurnEvent) -> String? {
    switch event {
    case .itemBegan(let item):
      if item.channel == .answer { answer.endParagraph() } else { beside.endParagraph() }
    case .reasoningPart: beside.endParagraph()
    case .usage: finalAnswer = answer
    case .answerRetracted: answer = finalAnswer
    case .tool(let report): if shown.tools { return ActivityText.paragraph(report).map { paragraph($0) } }
    case .question(.asked): if shown.questions, case .question(let report) = event { return paragraph(report) }
    case .question(let report): return paragraph(report)
    case .reconnecting(let reason): return paragraph(ActivityText.reconnecting(reason))
    case .began, .answer, .commentary, .reasoning, .itemEnded, .answerIsCommentary, .toolCalls, .ended: break
    }
    return nil
  }

  private mutating func paragraph(_ report: QuestionReport) -> String { paragraph(ActivityText.paragraph(report)) }

  /// A paragraph of its own.
  private mutating func paragraph(_ text: String) -> String {
    beside.endParagraph()
    defer { beside = .betweenParagraphs }
    return beside.goOn() ? Self.blankLine + text : text
  }

  /// What stands between two paragraphs.
  static let blankLine = "\n\n"

  /// Messages as the paragraphs of one text.
  static func joined(_ messages: [String]) -> String { messages.joined(separator: blankLine) }
}
