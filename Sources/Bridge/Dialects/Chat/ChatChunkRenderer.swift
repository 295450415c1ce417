// Writes the bytes of a chat completion stream. `ChatRenderer` decides what goes into it. Pure.

/// Renders the chunks of one answer (`chat.completion.chunk`, OpenAI API reference), each as a server-sent event.
///
/// A chunk of text is put together from a head that all chunks of the answer share and that is rendered once, fixed text,
/// and the engine's text, which stays escaped as it came.
struct ChatChunkRenderer: Sendable {
  private static let end: StaticString = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
  private static let endBeforeUsage: StaticString =
    "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"

  /// The beginning of every chunk, up to and including the bracket that opens `choices`.
  private let head: [UInt8]
  /// Whether the client asked for usage in the last chunk. The others have `"usage":null` then.
  private let includesUsage: Bool

  init(_ objects: ChatObjects) {
    let identity = objects.identity
    var buffer = ByteBuffer()
    buffer.append(fixed: #"data: {"id":"#)
    buffer.append(jsonString: identity.id)
    buffer.append(fixed: #","object":"chat.completion.chunk","created":"#)
    buffer.append(String(identity.created))
    buffer.append(fixed: #","model":"#)
    buffer.append(jsonString: identity.model)
    buffer.append(fixed: #","choices":["#)
    // Copied out of the buffer, which is larger than its contents, because it is kept until the answer ends.
    head = buffer.withBytes { $0.array }
    includesUsage = objects.includesUsage
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
    buffer.append(head.span, begin, text, includesUsage ? Self.endBeforeUsage : Self.end)
  }

  /// A chunk whose delta is this object.
  func append(delta: JSONObject, to buffer: inout ByteBuffer) {
    buffer.append(head.span)
    buffer.append(fixed: #"{"index":0,"delta":"#)
    buffer.append(json: .object(delta))
    buffer.append(fixed: #","logprobs":null,"finish_reason":null}]"#)
    buffer.append(fixed: includesUsage ? ",\"usage\":null}\n\n" : "}\n\n")
  }

  /// The finish chunk, the usage chunk if it was asked for and is known, and `[DONE]`.
  func appendEnd(_ reason: FinishReason, usage: JSONValue?, to buffer: inout ByteBuffer) {
    buffer.append(head.span)
    buffer.append(fixed: #"{"index":0,"delta":{},"logprobs":null,"finish_reason":""#)
    buffer.append(reason.rawValue)
    buffer.append(fixed: includesUsage ? "\"}],\"usage\":null}\n\n" : "\"}]}\n\n")
    if includesUsage, let usage {
      buffer.append(head.span)
      buffer.append(fixed: #"],"usage":"#)
      buffer.append(json: usage)
      buffer.append(fixed: "}\n\n")
    }
    buffer.append(event: "[DONE]")
  }

  /// Appends a failure after the head has been sent: an event with `error` and without `choices`, which every client
  /// recognises as a failure.
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
