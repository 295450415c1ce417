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

/// What stays of a turn that is taken back.
enum TurnPart: Sendable, Equatable {
  /// All of it, but for the documents that a front end had added to its question (`ClientRewritings`).
  case withoutDocuments
  /// What it had done when it was cut, and in place of what it had said this, which its client has seen of it. `afterCalls`: the answer
  /// that was cut has followed calls of the client's functions; what was said before them stays.
  case cut(seen: String, afterCalls: Bool)
  /// What it had done up to these calls of the client's functions, by their ids, without what they returned.
  case upToCalls(Set<String>)
}

/// What can be done with a thread.
enum ThreadStanding: Sendable {
  /// The thread tells the calls of a response together. It may be left for another one.
  case whole
  /// The engine would load it again, or has: then calls are told one by one. It may be left for another one.
  case loadedAgain
  /// Commands of it may still run, or a turn that could not be ended. Another thread would know nothing of them.
  case bound
}
