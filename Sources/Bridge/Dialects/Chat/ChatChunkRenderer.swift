// Writes the bytes of a chat completion stream. `ChatRenderer` decides what goes into it. Pure.

/// Renders the chunks of one answer (`chat.completion.chunk`, OpenAI API reference).
struct ChatChunkRenderer: Sendable {
  private static let end: StaticString = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
  private static let endBeforeUsage: StaticString =
    "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"

  private let frame: ChunkFrame

  init(_ objects: ChatObjects) {
    frame = ChunkFrame(
      objects.identity, object: "chat.completion.chunk", includesUsage: objects.includesUsage)
  }

  /// Appends the first chunk, the only one with the role.
  func appendStart(to buffer: inout ByteBuffer) {
    append(#"{"index":0,"delta":{"role":"assistant","content":""#, Span(), to: &buffer)
  }

  /// Appends a piece of the answer, still escaped as in JSON.
  func append(content text: Span<UInt8>, to buffer: inout ByteBuffer) {
    if !text.isEmpty { append(#"{"index":0,"delta":{"content":""#, text, to: &buffer) }
  }

  /// Appends a piece of the text beside the answer, still escaped as in JSON.
  func append(reasoning text: Span<UInt8>, to buffer: inout ByteBuffer) {
    if !text.isEmpty { append(#"{"index":0,"delta":{"reasoning_content":""#, text, to: &buffer) }
  }

  /// Appends a chunk with one choice. `begin` is the choice up to the place of the text.
  private func append(_ begin: StaticString, _ text: Span<UInt8>, to buffer: inout ByteBuffer) {
    frame.append(begin, text, frame.includesUsage ? Self.endBeforeUsage : Self.end, to: &buffer)
  }

  /// A chunk whose delta is this object.
  func append(delta: JSONObject, to buffer: inout ByteBuffer) {
    frame.append(to: &buffer) { buffer in
      buffer.append(fixed: #"{"index":0,"delta":"#)
      buffer.append(json: .object(delta))
      buffer.append(fixed: #","logprobs":null,"finish_reason":null}"#)
    }
  }

  /// The finish chunk, the usage chunk if it was asked for and is known, and `[DONE]`.
  func appendEnd(_ reason: FinishReason, usage: TokenUsage?, to buffer: inout ByteBuffer) {
    frame.append(to: &buffer) { buffer in
      buffer.append(fixed: #"{"index":0,"delta":{},"logprobs":null,"finish_reason":""#)
      buffer.append(reason.rawValue)
      buffer.append(fixed: "\"}")
    }
    frame.appendEnd(usage: usage, to: &buffer)
  }
}
