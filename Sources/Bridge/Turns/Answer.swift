// The answer to a request: what is known of it from the start of its turn until its client has the last byte.

/// One answer that is under way.
@LoopActor
final class Answer {
  let turn: Turn
  /// The places that the turn holds until the answer is complete, or the one that follows it in the turn.
  let lease: TurnLease
  let identity: AnswerIdentity
  /// Whether the client wants a stream.
  let isStreamed: Bool
  /// Stop sequences: the answer ends before the first of them.
  let stops: [String]
  /// Header fields of the response.
  let fields: ResponseFields
  /// What its turn has come from, for the answer in which it goes on.
  let origin: TurnOrigin
  /// Where in its thread the answer is noted; nil for one of no session.
  let noted: NotedTurn?
  /// What keeps it; nil for an answer without a name.
  let keeper: (any AnswerKeeper)?
  /// Whether nothing of it may stay on the disk.
  let isPassing: Bool
  /// What the client had said (`SHA256Digest.said`).
  let said: [SHA256Digest]
  /// When its request came, on the loop's clock.
  let askedAt: Duration
  /// Why the model may not exist. It is added to the error if the turn is refused.
  let modelDoubt: String?
  /// How it belongs to its conversation.
  let state: SessionState
  /// Whether its turn goes on in another answer.
  var steering = Steering.none
  /// Comes when its end is noted in its thread; nil unless its turn was handed over.
  var handedOver: Waiter<Void>?
  /// The time from the request to the first piece of text; nil until it comes.
  private(set) var firstText: Duration?

  /// Keeps nothing of the conversation of the ask, which may be large.
  init(
    _ turn: Turn, _ identity: AnswerIdentity, to ask: Ask, lease: TurnLease, fields: ResponseFields,
    origin: TurnOrigin, noted: NotedTurn? = nil, keeper: (any AnswerKeeper)? = nil,
    askedAt: Duration, modelDoubt: String? = nil, state: SessionState = .continued
  ) {
    self.state = state
    self.keeper = keeper
    self.turn = turn
    self.identity = identity
    isStreamed = ask.isStreamed
    stops = ask.stops
    isPassing = ask.keeping == .none
    said = ask.said
    self.lease = lease
    self.fields = fields
    self.origin = origin
    self.noted = noted
    self.askedAt = askedAt
    self.modelDoubt = modelDoubt
  }

  var session: SessionKey? { lease.session }

  /// Whether it goes on with what was said before in a thread, or with what can still be read of that.
  var isContinuation: Bool { state != .new }

  /// The response in place of the answer when its turn has failed.
  func response(_ failure: APIError) -> Response {
    var response = failure.response
    response.fields.append(fields)
    return response
  }

  func sawText() {
    if firstText == nil { firstText = Loop.now - askedAt }
  }
}
