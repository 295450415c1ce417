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
    /// Whether events become objects instead of paragraphs.
    var asItems = false

    /// As little as possible, for an answer that has no text beside it.
    static let none = Shown(tools: false, questions: false)

    /// The paragraph about an event; nil for one of which nothing is shown beside the answer.
    func note(_ event: TurnEvent) -> String? {
      if asItems { return nil }
      return switch event {
      case .tool(let report): tools ? ActivityText.paragraph(report) : nil
      case .toolsLeftOut(let count): tools ? ActivityText.toolsLeftOut(count) : nil
      case .question(let report): isShown(report) ? ActivityText.paragraph(report) : nil
      case .reconnecting(let reason): ActivityText.reconnecting(reason)
      case .notKept: ActivityText.notKept
      case .effectsStay: tools ? ActivityText.effectsStay : nil
      case .toolCalls(let open): open.faults.isEmpty ? nil : ActivityText.paragraph(open.faults)
      case .began, .itemBegan, .answer, .commentary, .reasoning, .reasoningPart, .itemEnded, .usage,
        .answerRetracted, .answerIsCommentary, .ended:
        nil
      }
    }

    private func isShown(_ report: QuestionReport) -> Bool {
      if case .asked = report { questions } else { true }
    }
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
    default: return shown.note(event).map { paragraph($0) }
    }
    return nil
  }

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
