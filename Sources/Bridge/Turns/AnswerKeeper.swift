// What a dialect does whose answers have names from which others go on.

/// How an answer has ended, for what is kept of it.
struct KeptEnd: Sendable {
  let state: ResponseState
  /// Where others go on from it; nil for an answer of no session.
  let place: StoredResponse.Place?
  /// What is kept.
  let response: RenderedResponse
}

/// Keeps one answer under its name.
@LoopActor
protocol AnswerKeeper: AnyObject {
  /// The name.
  var id: String { get }
  /// Whether the answer is made whether or not anybody waits for it.
  var isBackground: Bool { get }
  /// Whether somebody wants it no more.
  var isCancelled: Bool { get }
  /// The place that the request goes on from; nil for none, or one that nobody can go on from.
  var previous: StoredResponse.Place? { get }

  /// All that was said before the request, where its thread cannot go on; nil if the request goes on from nothing. Throws if it is
  /// not known any more.
  func history() async throws(APIError) -> [Conversation.Item]?

  /// The turn runs.
  func began(_ identity: AnswerIdentity)

  /// The answer has ended. What is kept of it lasts when this returns; returns why it does not.
  func ended(_ end: KeptEnd) async -> APIError?

  /// The turn has not started, or will not.
  func refused(_ error: APIError)
}
