// The dialect of chat completions: the renderers of its answers.

/// The form in which a chat request is answered.
struct ChatDialect: AnswerDialect {
  var idPrefix: StaticString { "chatcmpl-" }
  var apiName: String { "chat" }

  /// Whether the client of a stream wants a last chunk with the usage.
  let includesUsage: Bool
  /// Whether calls are told in the older form.
  var usesLegacyCalls = false
  /// What is shown beside the answer.
  let shown: AnswerParagraphs.Shown

  func renderer(_ identity: AnswerIdentity, stops: [String]) -> any AnswerRenderer {
    ChatRenderer(objects(identity), stops: stops, shown: shown)
  }

  func wholeRenderer(_ identity: AnswerIdentity, stops: [String]) -> any WholeAnswerRenderer {
    ChatWholeAnswer(objects(identity), stops: stops, shown: shown)
  }

  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer) {
    ChunkFrame.appendFailure(error, to: &buffer)
  }

  private func objects(_ identity: AnswerIdentity) -> ChatObjects {
    ChatObjects(identity: identity, includesUsage: includesUsage, usesLegacyCalls: usesLegacyCalls)
  }
}
