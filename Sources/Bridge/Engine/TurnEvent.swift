// What happens in a turn, in words free of any wire format.

/// Where a piece of a turn's text belongs.
enum TextChannel: Sendable {
  case answer
  /// What goes on beside the answer: reasoning, activity.
  case aside
  /// What the model says of its work, shown as what goes on beside the answer. Without an answer it becomes that.
  case commentary
}

/// An event of a running turn.
enum TurnEvent: Sendable, Equatable {
  /// A piece of the answer.
  case answer(EscapedText)
  case aside(EscapedText)
  case commentary(EscapedText)
  /// The model has given its first sign in this turn. Text may come without it.
  case began
  /// The engine tries to reach the model: a paragraph beside the answer, and no sign of the model.
  case reconnecting(EscapedText)
  /// Answer text up to here is final: a retry of the engine will not repeat it.
  case checkpoint
  /// The engine starts over; answer text since the last checkpoint is void and will come again.
  case answerRetracted
  /// No answer has come, nor will: this commentary, which was told before, is it. The end follows.
  case answerIsCommentary(EscapedText)
  /// The last event of every turn. Indirect, or every token would be as large and as dear to copy as an error.
  indirect case ended(TurnOutcome)

  static func text(_ text: EscapedText, _ channel: TextChannel) -> TurnEvent {
    switch channel {
    case .answer: .answer(text)
    case .aside: .aside(text)
    case .commentary: .commentary(text)
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

/// Tokens a turn used, over all its model calls.
struct TokenUsage: Sendable, Equatable {
  var input = 0
  var cachedInput = 0
  var output = 0
  var reasoningOutput = 0

  var total: Int { input + output }

  static func - (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: max(0, left.input - right.input),
      cachedInput: max(0, left.cachedInput - right.cachedInput),
      output: max(0, left.output - right.output),
      reasoningOutput: max(0, left.reasoningOutput - right.reasoningOutput)
    )
  }
}
