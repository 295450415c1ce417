// A turn as it is told to whoever asked for it.

/// What is known of an answer from the start of its turn to its last byte.
@LoopActor
final class Answer {
  let turn: Turn
  /// What the turn holds until the answer is complete.
  let lease: TurnLease
  let identity: AnswerIdentity
  /// Whether the client wants it piece by piece.
  let isStreamed: Bool
  let stops: [String]
  /// Fields of its head.
  let fields: ResponseFields
  /// What its turn has come from, for the answer in which it goes on.
  let origin: TurnOrigin
  /// What the client had said (`SHA256Digest.said`).
  let said: [SHA256Digest]
  /// When its request came, on the loop's clock.
  let askedAt: Duration
  /// Why its model may not exist, to be told if the turn is refused.
  let modelDoubt: String?
  /// When the first piece of text came, from the request on.
  private(set) var firstText: Duration?

  init(
    _ turn: Turn, _ identity: AnswerIdentity, isStreamed: Bool, stops: [String],
    lease: TurnLease, fields: ResponseFields, origin: TurnOrigin, said: [SHA256Digest], askedAt: Duration,
    modelDoubt: String? = nil
  ) {
    self.turn = turn
    self.identity = identity
    self.isStreamed = isStreamed
    self.stops = stops
    self.lease = lease
    self.fields = fields
    self.origin = origin
    self.said = said
    self.askedAt = askedAt
    self.modelDoubt = modelDoubt
  }

  var session: SessionKey? { lease.session }

  func sawText() {
    if firstText == nil { firstText = Loop.now - askedAt }
  }
}
