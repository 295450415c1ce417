// The form of a choice of POST /v1/completions, whole and in chunks (OpenAI API reference, "The completion object").

/// Renders the chunks of one answer, which have the form of the whole object (`text_completion`).
struct CompletionChunkRenderer: Sendable {
  private static let end: StaticString = "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n"
  private static let endBeforeUsage: StaticString =
    "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"

  private let frame: ChunkFrame

  init(_ identity: AnswerIdentity, includesUsage: Bool) {
    frame = ChunkFrame(identity, object: "text_completion", includesUsage: includesUsage)
  }

  /// Appends a piece of the text, still escaped as in JSON.
  func append(_ text: Span<UInt8>, to buffer: inout ByteBuffer) {
    guard !text.isEmpty else { return }
    frame.append(#"{"text":""#, text, frame.includesUsage ? Self.endBeforeUsage : Self.end, to: &buffer)
  }

  /// The finish chunk, the usage chunk if it was asked for and is known, and `[DONE]`.
  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer) {
    frame.append(to: &buffer) { $0.append(json: ending.choice(text: "")) }
    frame.appendEnd(usage: usage, to: &buffer)
  }
}

extension AnswerEnding {
  /// The choice that ends so.
  func choice(text: String) -> JSONValue {
    let reason =
      switch self {
      // Nothing can be called here.
      case .complete, .toolCalls: FinishReason.stop
      case .lengthLimit: FinishReason.length
      }
    return ["text": .string(text), "index": 0, "logprobs": nil, "finish_reason": .string(reason.rawValue)]
  }
}
