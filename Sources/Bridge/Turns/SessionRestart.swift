// Why the conversation of a session goes on in another thread.

/// Why a session goes on with a new thread; the value of `x-bridge-session-restarted`.
enum SessionRestart: String, Sendable {
  /// Codex does not know the thread any more.
  case threadLost = "thread-lost"
  /// The session has no thread of the request's model, or one that has missed what was said since.
  case modelChanged = "model-changed"
  /// The session's thread lacks a function that the request brings.
  case toolsChanged = "tools-changed"
}
