// What an API has to be able to do with an answer: tell it piece by piece, or as a whole. The events are the engine's; the
// words on the wire, what goes into which of them, and what stands between them is the dialect's.

/// What an answer is called, and who gave it.
struct AnswerIdentity: Sendable {
  let id: String
  /// Seconds since 1970.
  let created: Int
  let model: String
}

/// How the answers to one request are told.
protocol AnswerDialect: Sendable {
  /// What the ids of its answers begin with.
  var idPrefix: StaticString { get }
  /// For an answer that is told piece by piece, cut before any of `stops`.
  func renderer(_ identity: AnswerIdentity, stops: [String]) -> any AnswerRenderer
  /// For an answer that is sent as a whole.
  func wholeRenderer(_ identity: AnswerIdentity, stops: [String]) -> any WholeAnswerRenderer
  /// Appends the end of a stream whose answer has not begun: its client was told that it waits.
  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer)
}

/// How an answer ends that has not failed.
enum AnswerEnding: Sendable {
  case complete
  /// The model has reached its output limit.
  case lengthLimit
  /// The client is to run the functions that were called.
  case toolCalls
}

/// Writes one answer as a stream: its start, then text and events as they come, then its end or a failure.
///
/// A class, so that a token costs one call of a method wherever it is used from.
protocol AnswerRenderer: AnyObject {
  func appendStart(to buffer: inout ByteBuffer)
  /// Appends a piece of text, still escaped. Returns whether what follows belongs to the answer: false once it was complete
  /// before its turn, as at a stop sequence.
  func append(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool
  /// Appends what is to be told of an event that is neither text nor the end. Returns the same.
  func append(_ event: TurnEvent, to buffer: inout ByteBuffer) -> Bool
  /// Appends what was held back, and the end. `usage` is nil where nobody knows it yet.
  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer)
  /// Appends the end of an answer that has failed after its start.
  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer)
}

/// Puts one answer together that is sent as a whole. What the engine takes back is taken back.
protocol WholeAnswerRenderer: AnyObject {
  /// Takes a piece of text. Returns whether what follows belongs to the answer.
  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool
  /// Takes an event that is neither text nor the end. Returns the same.
  func take(_ event: TurnEvent) -> Bool
  /// The object that is sent. `session` is the client's name of the conversation; `usage` is nil where nobody knows it yet.
  func object(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> JSONValue
}
