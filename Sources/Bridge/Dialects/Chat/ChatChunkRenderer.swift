// The events of a chat completion stream, byte by byte. What goes into them is decided by `ChatRenderer`. Pure.

/// Renders the chunks of one answer (`chat.completion.chunk`, OpenAI API reference), each as a server-sent event.
///
/// A chunk of text is what all chunks of the answer begin with, rendered once, and words that all answers share around
/// the still-escaped text of the engine.
struct ChatChunkRenderer: Sendable {
  private static let end: StaticString = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
  private static let endBeforeUsage: StaticString =
    "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"

  /// Up to the bracket in which the choices stand.
  private let head: [UInt8]
  /// Chunks carry `"usage":null` when the client asked for usage in the last one.
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
    // A copy of its size: it is kept for as long as the answer takes.
    head = buffer.withBytes { $0.array }
    includesUsage = objects.includesUsage
  }

  /// The first chunk; the role comes exactly once.
  func appendStart(to buffer: inout ByteBuffer) {
    append(#"{"index":0,"delta":{"role":"assistant","content":""#, Span(), to: &buffer)
  }

  /// A piece of the answer, still escaped.
  func append(content text: Span<UInt8>, to buffer: inout ByteBuffer) {
    if !text.isEmpty { append(#"{"index":0,"delta":{"content":""#, text, to: &buffer) }
  }

  /// A piece of what goes on beside the answer, still escaped.
  func append(reasoning text: Span<UInt8>, to buffer: inout ByteBuffer) {
    if !text.isEmpty { append(#"{"index":0,"delta":{"reasoning_content":""#, text, to: &buffer) }
  }

  /// A chunk with one choice, which `begin` opens up to the place of the text.
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
