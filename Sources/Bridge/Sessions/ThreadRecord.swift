// What is remembered of a Codex thread.

/// A Codex thread of a session. It never changes its model.
struct ThreadRecord: Sendable, Equatable {
  var id: ThreadID
  /// Threads whose messages were put into this one when it was made, oldest first: a thread only tells the turns it ran
  /// itself.
  var previous: [ThreadID] = []
  /// Nil in maps of the original project, whose threads are taken as they are.
  var model: String?
  /// A fingerprint of the system prompt the thread has seen.
  var instructions: String?
  /// How many assistant messages the last request on this thread carried; nil if that is not known.
  var answers: Int?

  /// An upper bound of what it takes in the map, as bytes of JSON.
  var mapBytes: Int {
    let strings = [model, instructions].compactMap(\.self) + previous.map(\.raw)
    return strings.reduce(Self.fixedMapBytes + id.raw.jsonBytesBound) { $0 + $1.jsonBytesBound }
  }

  /// The names of all members, those of the session too, six numbers of up to twenty digits, punctuation and indentation.
  private static let fixedMapBytes = 400
}
