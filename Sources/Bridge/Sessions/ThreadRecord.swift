// What is remembered of a Codex thread.

/// A Codex thread that a session names. It never changes its model.
struct ThreadRecord: Sendable, Equatable {
  var id: ThreadID
  /// Threads whose messages were put into this one when it was made, oldest first: Codex tells of a thread only the turns
  /// that ran on it.
  var previous: [ThreadID] = []
  /// Nil in maps of the original project, whose threads are taken as they are.
  var model: String?
  /// `SessionPrompt.checksum(of:)` of the system prompt the thread has seen.
  var instructions: String?
  /// The functions that the thread was made with.
  var tools = ToolSet([])
  /// How many assistant messages the last request on this thread carried; nil if that is not known.
  var answers: Int?
  /// Whether its conversation has gone on in another thread of the same model, from an earlier place.
  var isBranch = false
}
