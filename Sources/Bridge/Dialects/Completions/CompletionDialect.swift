// The dialect of text completions: the renderers of its answers.

/// The form in which a request to complete a text is answered.
struct CompletionDialect: AnswerDialect {
  var idPrefix: StaticString { "cmpl-" }
  var apiName: String { "completions" }

  /// Whether the client of a stream wants a last chunk with the usage.
  let includesUsage: Bool

  func renderer(_ identity: AnswerIdentity, stops: [String]) -> any AnswerRenderer {
    CompletionRenderer(CompletionChunkRenderer(identity, includesUsage: includesUsage), stops: stops)
  }

  func wholeRenderer(_ identity: AnswerIdentity, stops: [String]) -> any WholeAnswerRenderer {
    CompletionWholeAnswer(identity, stops: stops)
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    ChunkFrame.appendFailure(error, to: &buffer)
  }
}
