// What a dialect has to provide: renderers that write the events of a turn in the words of its API, as a stream or whole.

/// The parts of an answer's head that do not depend on its events.
struct AnswerIdentity: Sendable {
  let id: String
  /// Seconds since 1970.
  let created: Int
  let model: String
}

/// The form in which one request is answered.
protocol AnswerDialect: Sendable {
  /// The beginning of the ids of its answers.
  var idPrefix: StaticString { get }
  /// What its API is called where requests are listed.
  var apiName: String { get }
  /// The id of the answer; nil for one that is made when it begins.
  var ownID: String? { get }
  /// A renderer for a streamed answer, which ends before the first of `stops`.
  func renderer(_ identity: AnswerIdentity, stops: [String]) -> any AnswerRenderer
  /// A renderer for an answer that is sent whole, which ends before the first of `stops`.
  func wholeRenderer(_ identity: AnswerIdentity, stops: [String]) -> any WholeAnswerRenderer
  /// Appends a failure to a stream without an answer. Such a stream was begun to tell its client that it waits for a turn.
  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer)
}

extension AnswerDialect {
  var ownID: String? { nil }
}

/// How an answer without a failure ends.
enum AnswerEnding: Sendable {
  case complete
  /// The model has reached its output limit.
  case lengthLimit
  /// The client is to run the functions that were called.
  case toolCalls
}

/// Writes one answer as a stream: its start, then text and events as they come, then its end or a failure.
///
/// Restricted to classes, so that a token costs one call of a method and no copy of a value.
protocol AnswerRenderer: AnyObject {
  func appendStart(to buffer: inout ByteBuffer)
  /// Appends a piece of text, still escaped as in JSON. Returns whether the answer goes on: false once it is complete
  /// although its turn goes on, as at a stop sequence.
  func append(_ text: Span<UInt8>, _ channel: TextChannel, to buffer: inout ByteBuffer) -> Bool
  /// Appends what the dialect shows of an event that is neither text nor the end. Returns whether the answer goes on.
  func append(_ event: TurnEvent, to buffer: inout ByteBuffer) -> Bool
  /// Appends what was held back, and the end. `usage` is nil where nobody knows it yet.
  func appendEnd(_ ending: AnswerEnding, usage: TokenUsage?, to buffer: inout ByteBuffer)
  /// Appends the end of an answer that has failed after its start.
  func appendFailure(_ error: APIError, to buffer: inout ByteBuffer)
}

/// Gathers one answer that is sent whole. Text that the engine takes back is removed.
protocol WholeAnswerRenderer: AnyObject {
  /// Adds a piece of text. Returns whether the answer goes on.
  func take(_ text: EscapedText, _ channel: TextChannel) -> Bool
  /// Adds what the dialect shows of an event that is neither text nor the end. Returns whether the answer goes on.
  func take(_ event: TurnEvent) -> Bool
  /// What is sent, JSON text. `session` is the client's name of the conversation; `usage` is nil where nobody knows it yet.
  func body(_ ending: AnswerEnding, usage: TokenUsage?, session: String?) -> [UInt8]
  /// What the client sees of the answer so far: the assistant's message, with no part if that is empty, and its calls.
  var items: [Conversation.Item] { get }
}
