// Turn events to the events of a chat completion stream. Pure.

/// Renders the chunks of one answer.
///
/// A text chunk is a frame, rendered once, around the still-escaped text of the engine.
struct ChatChunkRenderer: Sendable {
  private static let contentName = #""content":""#
  private static let reasoningName = #""reasoning_content":""#
  private static let roleName = #""role":"assistant","content":""#

  private let objects: ChatObjects
  /// A chunk of the answer, without its text.
  private let frame: [UInt8]
  /// Where the text stands in it.
  private let textStart: Int

  init(_ objects: ChatObjects) {
    self.objects = objects
    var buffer = ByteBuffer()
    buffer.append(event: objects.chunk(delta: ["content": ""]).jsonText)
    // A copy of its size: it is kept for as long as the answer takes.
    frame = buffer.withBytes { $0.array }
    // Quotes in a client's words are escaped, so that the name with its own stands there once, and near the end.
    let length = Self.contentName.utf8.count
    let name = frame.indices.dropLast(length).last { [frame] in
      frame.span.extracting($0..<$0 + length).isEqual(to: Self.contentName.utf8.span)
    }
    textStart = name.map { $0 + length } ?? frame.endIndex
  }

  /// The first chunk; the role comes exactly once.
  func appendStart(to buffer: inout ByteBuffer) {
    append(Self.roleName, Span(), to: &buffer)
  }

  /// A piece of the answer, still escaped.
  func append(content text: Span<UInt8>, to buffer: inout ByteBuffer) {
    guard !text.isEmpty else { return }
    buffer.append(frame.span.extracting(..<textStart), text, frame.span.extracting(textStart...))
  }

  /// A piece of what goes on beside the answer, still escaped.
  func append(reasoning text: Span<UInt8>, to buffer: inout ByteBuffer) {
    if !text.isEmpty { append(Self.reasoningName, text, to: &buffer) }
  }

  /// A chunk whose delta has another member instead of the answer's text.
  private func append(_ name: String, _ text: Span<UInt8>, to buffer: inout ByteBuffer) {
    buffer.append(frame.span.extracting(..<(textStart - Self.contentName.utf8.count)))
    buffer.append(name)
    buffer.append(text)
    buffer.append(frame.span.extracting(textStart...))
  }

  /// The finish chunk, the usage chunk if it was asked for, and `[DONE]`.
  func appendEnd(_ reason: FinishReason, usage: JSONValue, to buffer: inout ByteBuffer) {
    buffer.append(event: objects.chunk(delta: [:], finishReason: reason).jsonText)
    if objects.includesUsage { buffer.append(event: objects.usageChunk(usage).jsonText) }
    buffer.append(event: "[DONE]")
  }

  /// A failure after the head has gone out: an event with `error` and without `choices`, which every client tells
  /// from success.
  static func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    buffer.append(event: error.body.jsonText)
    buffer.append(event: "[DONE]")
  }
}

extension ChatObjects {
  /// The usage object of a turn.
  static func usage(_ usage: TokenUsage) -> JSONValue {
    Self.usage(
      prompt: usage.input,
      cached: usage.cachedInput,
      completion: usage.output,
      reasoning: usage.reasoningOutput
    )
  }
}
