// What happens in a turn, in words free of any wire format. How it reads for people, and what stands between two
// paragraphs, is a matter of the dialects.

/// Where a piece of a turn's text belongs.
enum TextChannel: Sendable {
  case answer
  /// What the model says of its work before it answers. Without an answer it becomes that.
  case commentary
  case reasoning
}

/// What the model means a message for, as far as it says so.
enum MessagePhase: Sendable {
  case commentary
  case partialAnswer
  case finalAnswer
}

/// A part of a turn's output that has text.
enum TurnItem: Sendable, Equatable {
  case message(MessagePhase?)
  /// A summary of the model's reasoning, in one part or several.
  case reasoning

  /// Where its text belongs.
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
/// Text belongs to the item of its channel that has begun last. In each channel one item at most is under way: it ends
/// before the next one begins, unless it is void or the turn ends with it. An item begins with its first text; one that has
/// none is not told of.
enum TurnEvent: Sendable, Equatable {
  /// The model has given its first sign in this turn. Text may come without it.
  case began
  case itemBegan(TurnItem)
  /// A piece of the answer.
  case answer(EscapedText)
  case commentary(EscapedText)
  case reasoning(EscapedText)
  /// The next part of the reasoning item under way begins; its first one began with it.
  case reasoningPart
  case itemEnded(TurnItem)
  /// A command, a tool or a search began or ended.
  indirect case tool(ToolReport)
  /// The engine asks a person, or what came of it.
  indirect case question(QuestionReport)
  /// The engine tries to reach the model, for this reason: no sign of the model.
  case reconnecting(String)
  /// A call of the model has ended well and used this. Text up to here is final: a retry of the engine will not repeat it.
  indirect case usage(TokenUsage)
  /// The model has called functions of the client. The answer ends here, and the turn waits.
  indirect case toolCalls(OpenCalls)
  /// The engine starts over; items of the answer that began since the last `usage` are void and will come again. What was
  /// said beside the answer stays, and is not told a second time.
  case answerRetracted
  /// No answer has come, nor will: these messages of commentary, which were told before, are it. The end follows.
  case answerIsCommentary([String])
  /// The last event of every turn; what is under way ends with it. Indirect like others that are large, or every token would
  /// be as large and as dear to copy.
  indirect case ended(TurnOutcome)

  static func text(_ text: EscapedText, _ channel: TextChannel) -> TurnEvent {
    switch channel {
    case .answer: .answer(text)
    case .commentary: .commentary(text)
    case .reasoning: .reasoning(text)
    }
  }

  /// What it says and where, if it is a piece of text.
  var text: (EscapedText, TextChannel)? {
    switch self {
    case .answer(let text): (text, .answer)
    case .commentary(let text): (text, .commentary)
    case .reasoning(let text): (text, .reasoning)
    default: nil
    }
  }

  /// UTF-8 bytes of the texts in it, about as much as it would have a client sent.
  var byteCount: Int {
    switch self {
    case .answer(let text), .commentary(let text), .reasoning(let text): text.raw.utf8.count
    case .tool(let report): report.use.byteCount
    case .question(let report): report.byteCount
    case .reconnecting(let reason): reason.utf8.count
    case .answerIsCommentary(let messages): messages.reduce(0) { $0 + $1.utf8.count }
    case .toolCalls(let open): open.calls.reduce(0) { $0 + $1.arguments.utf8.count }
    case .began, .itemBegan, .reasoningPart, .itemEnded, .usage, .answerRetracted, .ended: 0
    }
  }
}

/// How a turn ended.
enum TurnOutcome: Sendable, Equatable {
  case completed(TokenUsage)
  case interrupted(TokenUsage)
  /// Indirect, or every turn under way would have room for an error.
  indirect case failed(EngineError)
}

/// Tokens that a turn or a call of the model used.
struct TokenUsage: Sendable, Equatable {
  var input = 0
  var cachedInput = 0
  var output = 0
  var reasoningOutput = 0

  var total: Int { input + output }

  static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: left.input + right.input, cachedInput: left.cachedInput + right.cachedInput,
      output: left.output + right.output, reasoningOutput: left.reasoningOutput + right.reasoningOutput)
  }

  static func - (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: max(0, left.input - right.input),
      cachedInput: max(0, left.cachedInput - right.cachedInput),
      output: max(0, left.output - right.output),
      reasoningOutput: max(0, left.reasoningOutput - right.reasoningOutput)
    )
  }
}
