// A turn that the engine has accepted, and how to answer with it.

/// What is known of an answer from the start of its turn to its last byte.
@LoopActor
final class ChatAnswer {
  let turn: Turn
  let objects: ChatObjects
  /// Whether the client wants it piece by piece.
  let isStreamed: Bool
  let stops: [String]
  /// What its request holds until it is complete.
  let places: Admission.Places
  /// Fields of its head.
  let fields: ResponseFields
  /// When its request came, on the loop's clock.
  let askedAt: Duration
  /// Why its model may not exist, to be told if the turn is refused.
  let modelDoubt: String?
  /// When the first piece of text came, from the request on.
  private(set) var firstText: Duration?

  init(
    _ turn: Turn, _ objects: ChatObjects, isStreamed: Bool, stops: [String],
    places: Admission.Places, fields: ResponseFields, askedAt: Duration,
    modelDoubt: String? = nil
  ) {
    self.turn = turn
    self.objects = objects
    self.isStreamed = isStreamed
    self.stops = stops
    self.places = places
    self.fields = fields
    self.askedAt = askedAt
    self.modelDoubt = modelDoubt
  }

  var session: SessionKey? { places.session }

  func sawText() {
    if firstText == nil { firstText = Loop.now - askedAt }
  }
}
