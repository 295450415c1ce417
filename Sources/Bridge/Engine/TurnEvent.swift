// The events of a turn, independent of Codex's protocol and of any client's API. The dialects put events into words and
// decide what stands between two paragraphs.

/// Which of the three texts of a turn a piece of text belongs to.
enum TextChannel: Sendable {
  case answer
  /// What the model says about its work before it answers. In a turn without an answer, commentary takes its place.
  case commentary
  case reasoning
}

/// The purpose of a message, if the model states one.
enum MessagePhase: Sendable {
  case commentary
  case partialAnswer
  case finalAnswer
}

/// An item of a turn's output that consists of text.
enum TurnItem: Sendable, Equatable {
  case message(MessagePhase?)
  /// A summary of the model's reasoning, in one part or several.
  case reasoning

  /// The channel that the item's text belongs to.
  var channel: TextChannel {
    switch self {
    case .message(.commentary): .commentary
    case .message: .answer
    case .reasoning: .reasoning
    }
  }
}

/// An event of a running turn.
///
/// A piece of text belongs to the item of its channel that began last. Each channel has at most one item under way: the
/// item ends before the next one begins, unless a retry takes it back or the turn ends with it. An item begins with its
/// first text; for an item without text there are no events.
enum TurnEvent: Sendable, Equatable {
  /// The model has given its first sign in this turn. If that sign is text, this event may be absent.
  case began
  case itemBegan(TurnItem)
  /// A piece of the answer.
  case answer(EscapedText)
  case commentary(EscapedText)
  case reasoning(EscapedText)
  /// The second or a further part of the reasoning item under way begins.
  case reasoningPart
  case itemEnded(TurnItem)
  /// A command, a tool or a search began or ended.
  indirect case tool(ToolReport)
  /// The engine asks a person something, or such a question was decided.
  indirect case question(QuestionReport)
  /// The engine cannot reach the model, for this reason, and tries again. This is no sign of the model.
  case reconnecting(String)
  /// So many uses of tools could not be told of, because too much had gathered.
  case toolsLeftOut(Int)
  /// The turn waits for its client and could not be kept meanwhile: it would be lost with the process.
  case notKept
  /// Turns were taken back that had run commands or changed files. What these did stays.
  case effectsStay
  /// A call of the model has succeeded and used these tokens. Text up to here is final: a retry will not repeat it.
  indirect case usage(TokenUsage)
  /// The model has called functions of the client. The answer ends here, and the turn waits.
  indirect case toolCalls(OpenCalls)
  /// The engine starts over; items of the answer that began since the last `usage` are void and will come again. What was
  /// said beside the answer stays, and is not told a second time.
  case answerRetracted
  /// The turn ends without an answer. These messages of commentary, whose text came before, take its place. `ended`
  /// follows.
  case answerIsCommentary([String])
  /// The last event of every turn, which also ends every item under way. `indirect`, like the other large cases, because
  /// otherwise the event of each token would be as large as the largest case.
  indirect case ended(TurnOutcome)

  static func text(_ text: EscapedText, _ channel: TextChannel) -> TurnEvent {
    switch channel {
    case .answer: .answer(text)
    case .commentary: .commentary(text)
    case .reasoning: .reasoning(text)
    }
  }

  /// The text and its channel, if the event is a piece of text.
  var text: (EscapedText, TextChannel)? {
    switch self {
    case .answer(let text): (text, .answer)
    case .commentary(let text): (text, .commentary)
    case .reasoning(let text): (text, .reasoning)
    default: nil
    }
  }

  /// UTF-8 bytes of the texts in the event: about what a client would be sent for it.
  var byteCount: Int {
    switch self {
    case .answer(let text), .commentary(let text), .reasoning(let text): text.raw.utf8.count
    case .tool(let report): report.use.byteCount
    case .question(let report): report.byteCount
    case .reconnecting(let reason): reason.utf8.count
    case .answerIsCommentary(let messages): messages.reduce(0) { $0 + $1.utf8.count }
    case .toolCalls(let open): open.calls.reduce(0) { $0 + $1.arguments.utf8.count }
    case .began, .itemBegan, .reasoningPart, .itemEnded, .usage, .toolsLeftOut, .notKept, .effectsStay,
      .answerRetracted, .ended:
      0
    }
  }
}

/// How a turn ended.
enum TurnOutcome: Sendable, Equatable {
  case completed(TokenUsage)
  case interrupted(TokenUsage)
  /// `indirect`, because otherwise every turn under way would hold memory for an error.
  indirect case failed(EngineError)
}
