// What a turn is asked to do, in words free of any wire format.

/// Codex's name of a conversation.
struct ThreadID: Hashable, Sendable, CustomStringConvertible {
  let raw: String
  init(_ raw: String) { self.raw = raw }
  var description: String { raw }
}

/// A turn to run.
struct TurnRequest: Sendable {
  enum Thread: Sendable, Equatable {
    /// A thread that is forgotten after this turn.
    case ephemeral
    /// A new thread that can be resumed.
    case persistent
    case existing(ThreadID)
  }

  var thread: Thread
  /// Instructions of the developer, given when a thread is made and again when it is loaded.
  var instructions: String?
  /// Whether the thread was made or loaded with other instructions than these.
  var changesInstructions = false
  /// Items put into the thread before the turn.
  var history: [Conversation.Item] = []
  /// The user's message; empty to run on the history as it is.
  var input: [Conversation.Part] = []
  /// Nil for Codex's own default.
  var model: String?
  /// Nil for the model's default.
  var effort: String?
  /// The JSON schema the answer must follow.
  var outputSchema: JSONValue?
}
