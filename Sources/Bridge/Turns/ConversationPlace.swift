// The conversation that a request belongs to, and how it was told.

/// Where a request belongs.
struct ConversationPlace {
  /// Nil for a request of no conversation.
  var session: SessionKey?
  /// What has told the session: a field of the request, or its history.
  var source: String?
  /// Whether the session was there when the request came. If another request has begun it since, such as one for another model,
  /// the client of this one does not know what was said there.
  var isKnown = false
  /// The history that the request brings, as it came: images that are fetched later are known by their addresses. Nil until it was
  /// looked at.
  var history: History?
  /// Another session that has the beginning of the conversation.
  var branch: SessionKey?
  /// Where the answer stands that the request goes on from by its name; nil if it names none.
  var kept: KeptPlace?
  /// The session that is kept for the request until its turn has begun.
  var claimed: SessionKey?

  /// The request goes on with a turn of a conversation, whatever it names itself.
  mutating func belongs(to open: OpenTurn) {
    guard session == nil, let found = open.session else { return }
    session = found
    source = SessionNaming.foundByHistory
    isKnown = true
  }
}

/// Where a request goes on that names an answer.
enum KeptPlace: Sendable {
  /// In a thread: behind all that is there, or in a new one with what that has up to the answer.
  case thread(ThreadPlaces.Found)
  /// In a new thread, made of what was said, which is among the items that are asked.
  case rebuilt(SessionRestart)
}
