// What an engine keeps of a thread, in its own form.

/// All items of a thread, to be put into another one (`TurnRequest.base`).
struct ThreadItems: Sendable, Equatable {
  /// JSON texts in the engine's own form, oldest first.
  var texts: [String]
  /// The calls of the client's functions among them that outputs were brought for, by their ids. Each of these outputs stands
  /// with its call.
  var answeredCalls: Set<String> = []
  /// Whether an output was put in place of what stands in the thread.
  var areChanged = false
}

/// What an engine's process has of a thread.
enum ThreadStanding: Sendable {
  /// The thread may be left for another one.
  case free
  /// Commands of it may still run, or a turn that could not be ended. Another thread would know nothing of them.
  case bound
}
