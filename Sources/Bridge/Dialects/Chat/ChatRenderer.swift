// Translates the events of a turn into a chat completion stream: answers of the model become `content`, all else becomes
// `reasoning_content`. Each is one text with blank lines between its paragraphs. `ChatChunkRenderer` writes the bytes.

/// Writes one answer as `chat.completion.chunk`s.
final class ChatRenderer: AnswerRenderer {
  private let objects: ChatObjects
  private let chunks: ChatChunkRenderer
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var paragraphs: AnswerParagraphs
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var stops: StopFilter
  private let showsItems: Bool
  private var itemCount = 0

  /// The answer ends before the first of `stops`.
  init(_ objects: ChatObjects, stops: [String], shown: AnswerParagraphs.Shown) {
    self.objects = objects
    chunks = ChatChunkRenderer(objects)
    showsItems = shown.asItems
    paragraphs = AnswerParagraphs(shown)
    self.stops = StopFilter(stops)
  }

  func appendStart(to buffer: inout ByteBuffer) { chunks.appendStart(to: &buffer) }

  func append(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool {
    if paragraphs.needsBlankLine(before: channel) {
      let text = EscapedText(raw: String(decoding: text)).afterBlankLine
      return appendAsIs(text.raw.utf8.span, channel, to: &buffer)
    }
    return appendAsIs(text, channel, to: &buffer)
  }

  @inline(__always)
  private func appendAsIs(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool {
    switch channel {
    case .answer:
      if stops.isActive { return appendUpToStop(text, to: &buffer) }
      chunks.append(content: text, to: &buffer)
    case .commentary, .reasoning: chunks.append(reasoning: text, to: &buffer)
    }
    return true
  }

  private func appendUpToStop(_ text: Span<UInt8>, to buffer: inout ByteBuffer) -> Bool {
    let safe = stops.feed(EscapedText(raw: String(decoding: text)))
    chunks.append(content: safe.raw.utf8.span, to: &buffer)
    return !stops.hasMatched
  }

  func append(_ event: TurnEvent, to buffer: inout ByteBuffer) -> Bool {
    // The commentary was sent as reasoning, which many clients hide. It is sent again as the answer, which must not be
    // empty.
    if case .answerIsCommentary(let messages) = event {
      let text = EscapedText(AnswerParagraphs.joined(messages))
      return appendAsIs(text.raw.utf8.span, .answer, to: &buffer)
    }
    if showsItems, let item = ActivityItem(event, number: itemCount) {
      itemCount += 1
      var delta = JSONObject()
      delta[ActivityItem.member] = item.object
      chunks.append(delta: delta, to: &buffer)
    }
    if let note = paragraphs.take(event) {
      chunks.append(reasoning: EscapedText(note).raw.utf8.span, to: &buffer)
    }
    if case .toolCalls(let open) = event { append(open.calls, to: &buffer) }
    return true
  }

  private func append(_ calls: [Conversation.ToolCall], to buffer: inout ByteBuffer) {
    chunks.append(content: stops.finish().raw.utf8.span, to: &buffer)
    for (index, call) in calls.enumerated() {
      chunks.append(delta: objects.members(of: [call], isChunk: true, from: index), to: &buffer)
    }
  }

  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer) {
    chunks.append(content: stops.finish().raw.utf8.span, to: &buffer)
    chunks.appendEnd(objects.finishReason(ending), usage: usage, to: &buffer)
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    ChunkFrame.appendFailure(error, to: &buffer)
  }
}
