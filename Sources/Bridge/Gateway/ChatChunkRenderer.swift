// Turn events to the events of a chat completion stream. Pure.

/// Renders the chunks of one answer.
///
/// A text chunk is a prefix and a suffix, rendered once, around the still-escaped text of the engine.
struct ChatChunkRenderer: Sendable {
  private struct Frame: Sendable {
    let prefix: [UInt8]
    let suffix: [UInt8]

    /// Splits a rendered chunk where its text begins: quotes in a client's words are escaped, so the name of the field
    /// with its own stands there once.
    init(_ objects: ChatObjects, field: String) {
      let bytes = objects.chunk(delta: [field: ""]).jsonBytes
      let name = Array("\"\(field)\":\"".utf8)
      let start = bytes.indices.first { bytes[$0...].starts(with: name) } ?? bytes.endIndex
      let text = min(start + name.count, bytes.endIndex)
      prefix = Array(EventStream.dataPrefix.utf8) + bytes[..<text]
      suffix = bytes[text...] + Array(EventStream.eventEnd.utf8)
    }
  }

  private let objects: ChatObjects
  private let content: Frame
  private let reasoning: Frame

  init(_ objects: ChatObjects) {
    self.objects = objects
    content = Frame(objects, field: "content")
    reasoning = Frame(objects, field: "reasoning_content")
  }

  /// The first chunk; the role comes exactly once.
  func appendStart(to buffer: inout ByteBuffer) {
    let delta: JSONValue = ["role": "assistant", "content": ""]
    buffer.append(event: objects.chunk(delta: delta).jsonText)
  }

  func append(content text: EscapedText, to buffer: inout ByteBuffer) { append(text, content, &buffer) }
  func append(reasoning text: EscapedText, to buffer: inout ByteBuffer) { append(text, reasoning, &buffer) }

  private func append(_ text: EscapedText, _ frame: Frame, _ buffer: inout ByteBuffer) {
    guard !text.raw.isEmpty else { return }
    buffer.append(frame.prefix)
    buffer.append(text.raw)
    buffer.append(frame.suffix)
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
