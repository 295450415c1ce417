// Translates the events of a turn into a stream of text completions. The API has one text: what goes on beside the answer has
// no place in it. `CompletionChunkRenderer` writes the bytes.

/// Writes one answer as chunks of `text_completion`.
final class CompletionRenderer: AnswerRenderer {
  private let chunks: CompletionChunkRenderer
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var paragraphs = AnswerParagraphs(.none)
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var stops: StopFilter

  /// The answer ends before the first of `stops`.
  init(_ chunks: CompletionChunkRenderer, stops: [String]) {
    self.chunks = chunks
    self.stops = StopFilter(stops)
  }

  /// The first chunk is the first one with text.
  func appendStart(to buffer: inout ByteBuffer) {}

  func append(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool {
    guard case .answer = channel else { return true }
    let beginsParagraph = paragraphs.needsBlankLine(before: channel)
    guard beginsParagraph || stops.isActive else {
      chunks.append(text, to: &buffer)
      return true
    }
    let escaped = EscapedText(raw: String(decoding: text))
    return append(beginsParagraph ? escaped.afterBlankLine : escaped, to: &buffer)
  }

  func append(_ event: TurnEvent, to buffer: inout ByteBuffer) -> Bool {
    // The commentary was left out. It is the answer now, which must not be empty.
    if case .answerIsCommentary(let messages) = event {
      return append(EscapedText(AnswerParagraphs.joined(messages)), to: &buffer)
    }
    _ = paragraphs.take(event)
    return true
  }

  private func append(_ text: EscapedText, to buffer: inout ByteBuffer) -> Bool {
    chunks.append(stops.feed(text).raw.utf8.span, to: &buffer)
    return !stops.hasMatched
  }

  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer) {
    chunks.append(stops.finish().raw.utf8.span, to: &buffer)
    chunks.appendEnd(ending, usage: usage, to: &buffer)
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    ChunkFrame.appendFailure(error, to: &buffer)
  }
}
