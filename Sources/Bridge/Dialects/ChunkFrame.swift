// The bytes that the chunks of a streamed completion have in common, in both of OpenAI's APIs for completions. Pure.

/// What stands around the one choice of a chunk, which is a server-sent event.
///
/// A chunk of text is put together from a head that all chunks of the answer share and that is rendered once, fixed text,
/// and the engine's text, which stays escaped as it came.
struct ChunkFrame: Sendable {
  /// The beginning of every chunk, up to and including the bracket that opens `choices`.
  private let head: [UInt8]
  /// Whether the client asked for usage in the last chunk. The others have `"usage":null` then.
  let includesUsage: Bool

  /// `kind` is the value of the chunks' `object`, as it stands in JSON.
  init(_ identity: AnswerIdentity, object kind: StaticString, includesUsage: Bool) {
    var buffer = ByteBuffer()
    buffer.append(fixed: #"data: {"id":"#)
    buffer.append(jsonString: identity.id)
    buffer.append(fixed: #","object":""#)
    buffer.append(fixed: kind)
    buffer.append(fixed: #"","created":"#)
    buffer.append(String(identity.created))
    buffer.append(fixed: #","model":"#)
    buffer.append(jsonString: identity.model)
    buffer.append(fixed: #","choices":["#)
    // Copied out of the buffer, which is larger than its contents, because it is kept until the answer ends.
    head = buffer.withBytes { $0.array }
    self.includesUsage = includesUsage
  }

  /// Appends a chunk of text, still escaped as in JSON. `begin` is the choice up to the place of the text, `end` all that
  /// follows the text up to the end of the event.
  @inline(__always)
  func append(_ begin: StaticString, _ text: Span<UInt8>, _ end: StaticString, to buffer: inout ByteBuffer) {
    buffer.append(head.span, begin, text, end)
  }

  /// Appends a chunk with the choice that `choice` appends.
  func append(to buffer: inout ByteBuffer, choice: (inout ByteBuffer) -> Void) {
    buffer.append(head.span)
    choice(&buffer)
    buffer.append(fixed: includesUsage ? "],\"usage\":null}\n\n" : "]}\n\n")
  }

  /// Appends the chunk with the usage, if it was asked for and is known, and `[DONE]`.
  func appendEnd(usage: TokenUsage?, to buffer: inout ByteBuffer) {
    if includesUsage, let usage {
      buffer.append(head.span)
      buffer.append(fixed: #"],"usage":"#)
      buffer.append(json: usage.completionUsage)
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
