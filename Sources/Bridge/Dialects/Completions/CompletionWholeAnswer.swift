// Gathers the events of a turn into one `text_completion`. It has the same text as a stream, without what the engine takes
// back.

/// Gathers an answer that is sent as one `text_completion`.
final class CompletionWholeAnswer: WholeAnswerRenderer {
  private let identity: AnswerIdentity
  private var paragraphs = AnswerParagraphs(.none)
  private var answer: GatheredText

  /// The answer ends before the first of `stops`.
  init(_ identity: AnswerIdentity, stops: [String]) {
    self.identity = identity
    answer = GatheredText(stops: stops)
  }

  func body(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> [UInt8] {
    identity.object("text_completion", choice: ending.choice(text: answer.text), usage: usage, session: session)
      .jsonBytes
  }

  var items: [Conversation.Item] { [.message(.assistant, answer.parts)] }

  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool {
    guard !answer.isStopped else { return false }
    guard case .answer = channel else { return true }
    let blankLine = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine : ""
    answer.add(blankLine + text.text)
    return !answer.isStopped
  }

  func take(_ event: TurnEvent) -> Bool {
    guard !answer.isStopped else { return false }
    _ = paragraphs.take(event)
    answer.take(event)
    return !answer.isStopped
  }
}
