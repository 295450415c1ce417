// Gathers the events of a turn into one `chat.completion`. It has the same two texts as a stream, without the text that the
// engine takes back.

/// Gathers an answer that is sent as one `chat.completion`.
final class ChatWholeAnswer: WholeAnswerRenderer {
  private let objects: ChatObjects
  private var paragraphs: AnswerParagraphs
  private var answer: GatheredText
  /// The text beside the answer, in its order. The pieces with `isCommentary` may yet become the answer.
  private var beside: [(text: String, isCommentary: Bool)] = []

  private let showsItems: Bool
  private var activity: [ActivityItem] = []

  /// The functions that the client is to run.
  private var calls: [Conversation.ToolCall] = []

  /// The answer ends before the first of `stops`.
  init(_ objects: ChatObjects, stops: [String], shown: AnswerParagraphs.Shown) {
    self.objects = objects
    showsItems = shown.asItems
    paragraphs = AnswerParagraphs(shown)
    answer = GatheredText(stops: stops)
  }

  /// The answer so far, cut before a stop sequence.
  var content: String { answer.text }
  /// The text beside the answer.
  var reasoning: String { beside.map(\.text).joined() }

  func body(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> [UInt8] {
    objects.completion(
      content: content, reasoning: reasoning, activity: activity, calls: calls,
      finishReason: objects.finishReason(ending),
      usage: usage, session: session
    ).jsonBytes
  }

  var items: [Conversation.Item] {
    [.message(.assistant, answer.parts)] + calls.map { .toolCall($0) }
  }

  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool {
    guard !answer.isStopped else { return false }
    let blankLine = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine : ""
    switch channel {
    case .answer: answer.add(blankLine + text.text)
    case .commentary: addBeside(blankLine + text.text, isCommentary: true)
    case .reasoning: addBeside(blankLine + text.text, isCommentary: false)
    }
    return !answer.isStopped
  }

  func take(_ event: TurnEvent) -> Bool {
    guard !answer.isStopped else { return false }
    if showsItems, let item = ActivityItem(event, number: activity.count) { add(item) }
    if let note = paragraphs.take(event) { addBeside(note, isCommentary: false) }
    switch event {
    case .answerIsCommentary: removeCommentary()
    case .toolCalls(let open): calls = open.calls
    default: break
    }
    answer.take(event)
    return !answer.isStopped
  }

  private func add(_ item: ActivityItem) {
    if let index = activity.lastIndex(where: { $0.id == item.id }) {
      activity[index] = activity[index].updated(by: item)
    } else {
      activity.append(item)
    }
  }

  /// The commentary is the answer, so it does not stand beside it.
  private func removeCommentary() {
    beside.removeAll(where: \.isCommentary)
    // The first piece that is left may begin with a blank line, which separated it from commentary that was removed.
    if let first = beside.first { beside[0].text = String(first.text.drop(while: \.isNewline)) }
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
}
