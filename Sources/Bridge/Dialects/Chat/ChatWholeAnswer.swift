// Gathers the events of a turn into one `chat.completion`. It has the same two texts as a stream, without the text that the
// engine takes back.

/// Gathers an answer that is sent as one `chat.completion`.
final class ChatWholeAnswer: WholeAnswerRenderer {
  private let objects: ChatObjects
  private var paragraphs: AnswerParagraphs
  private var stops: StopMatcher
  private var text: [UInt8] = []
  /// How many bytes of `text` the engine cannot take back any more.
  private var finalBytes = 0
  /// Whether the answer has ended at a stop sequence.
  private var isStopped = false
  /// The text beside the answer, in its order. The pieces with `isCommentary` may yet become the answer.
  private var beside: [(text: String, isCommentary: Bool)] = []

  /// The functions that the client is to run.
  private var calls: [Conversation.ToolCall] = []

  /// The answer ends before the first of `stops`.
  init(_ objects: ChatObjects, stops: [String], shown: AnswerParagraphs.Shown) {
    self.objects = objects
    paragraphs = AnswerParagraphs(shown)
    self.stops = StopMatcher(stops)
  }

  /// The answer so far, cut before a stop sequence.
  var content: String { String(decoding: text, as: UTF8.self) }
  /// The text beside the answer.
  var reasoning: String { beside.map(\.text).joined() }

  func object(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> JSONValue {
    objects.completion(
      content: content, reasoning: reasoning, calls: calls, finishReason: objects.finishReason(ending),
      usage: usage.map(ChatObjects.usage), session: session)
  }

  var items: [Conversation.Item] {
    [.message(.assistant, text.isEmpty ? [] : [.text(content)])] + calls.map { .toolCall($0) }
  }

  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool {
    guard !isStopped else { return false }
    let blankLine = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine : ""
    switch channel {
    case .answer: add(blankLine + text.text)
    case .commentary: addBeside(blankLine + text.text, isCommentary: true)
    case .reasoning: addBeside(blankLine + text.text, isCommentary: false)
    }
    return !isStopped
  }

  func take(_ event: TurnEvent) -> Bool {
    guard !isStopped else { return false }
    if let note = paragraphs.take(event) { addBeside(note, isCommentary: false) }
    switch event {
    case .answerIsCommentary(let messages): moveCommentary(messages)
    case .usage: finalBytes = text.count
    case .answerRetracted: retract()
    case .toolCalls(let open): calls = open.calls
    default: break
    }
    return !isStopped
  }

  private func moveCommentary(_ messages: [String]) {
    beside.removeAll(where: \.isCommentary)
    // The first piece that is left may begin with a blank line, which separated it from commentary that was removed.
    if let first = beside.first { beside[0].text = String(first.text.drop(while: \.isNewline)) }
    add(AnswerParagraphs.joined(messages))
  }

  private func addBeside(_ piece: String, isCommentary: Bool) {
    let last = beside.count - 1
    // Changed in place: changing a copy would copy the whole text.
    if last >= 0, beside[last].isCommentary == isCommentary {
      beside[last].text += piece
    } else {
      beside.append((piece, isCommentary))
    }
  }

  private func add(_ piece: String) {
    guard !stops.isEmpty else { return text += Array(piece.utf8) }
    for byte in piece.utf8 {
      text.append(byte)
      guard let length = stops.take(byte) else { continue }
      isStopped = true
      text.removeLast(length)
      return
    }
  }

  private func retract() {
    text.removeSubrange(min(finalBytes, text.count)...)
    // A stop sequence may have begun in the text that stays.
    stops.reset()
    for byte in text.suffix(max(0, stops.longest - 1)) { _ = stops.take(byte) }
  }
}
