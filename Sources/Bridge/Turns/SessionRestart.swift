// What an answer tells of the conversation that it belongs to.

/// Where the answer's turn has run; the value of `x-bridge-session-state`.
enum SessionState: String, Sendable {
  /// On a thread that knows of the conversation what the request brings.
  case new
  /// On the thread of the conversation, or with all that was said and done there.
  case continued
  /// On the thread of the conversation, taken back to an earlier place.
  case reverted
  /// On a new thread with what the conversation's own had up to an earlier place.
  case forked
  /// On a new thread in the place of the conversation's own, for a `SessionRestart`.
  case restarted
}

/// Why a session goes on with a new thread; the value of `x-bridge-session-restarted`.
enum SessionRestart: String, Sendable {
  /// Codex does not know the thread any more.
  case threadLost = "thread-lost"
  /// The session has no thread of the request's model, or one that has missed what was said since.
  case modelChanged = "model-changed"
  /// The session's thread lacks a function that the request brings.
  case toolsChanged = "tools-changed"
  /// The client has changed what stood in the session's thread before its first turn.
  case historyChanged = "history-changed"
}
