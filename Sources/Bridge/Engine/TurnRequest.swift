// What a turn is asked to do, independent of any API and of Codex's protocol.

/// Codex's id of a conversation.
struct ThreadID: Hashable, Sendable, CustomStringConvertible {
  let raw: String
  init(_ raw: String) { self.raw = raw }
  var description: String { raw }
}

/// A turn to run.
struct TurnRequest: Sendable {
  enum Thread: Sendable, Equatable {
    /// A new thread that is forgotten after this turn.
    case ephemeral
    /// A new thread that later turns can continue.
    case persistent
    case existing(ThreadID)
  }

  var thread: Thread
  /// The developer's instructions. Codex takes them when a thread is made, and again when it is loaded.
  var instructions: String?
  /// Whether the thread was made or last loaded with other instructions than `instructions`.
  var changesInstructions = false
  /// Items that are put into the thread before the turn starts.
  var history: [Conversation.Item] = []
  /// The user's message; empty to run on the history as it is.
  var input: [Conversation.Part] = []
  /// Nil for Codex's own default.
  var model: String?
  /// The reasoning effort; nil for the model's default.
  var effort: String?
  /// The JSON schema that the answer must follow; nil for text.
  var outputSchema: JSONValue?
}
