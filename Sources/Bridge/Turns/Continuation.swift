// What a request does to a thread. Pure.

/// Where a turn of a session runs, decided from what is known of the session.
enum Continuation: Equatable {
  /// The session's first turn.
  case first
  /// The session's thread goes on. `prompt` is the system prompt that was told before, for a request without.
  case next(ThreadRecord, prompt: SessionPrompt?)
  /// The session has no thread of the model, or one that has missed what was said since: a new one, into which the
  /// messages of this one are put.
  case modelChanged(from: ThreadRecord)
  /// The session's thread lacks a function that may be called now, and cannot be given one: the conversation goes on in a new
  /// thread.
  case toolsChanged(from: ThreadRecord)

  /// `model` is the one the turn will use, `answerCount` how many answers the client sends back.
  ///
  /// `knowsSession`: the session was there when the request came. If another request has begun the session since, such as one
  /// for another model, the client of this one does not know what was said there, and gets a thread without it.
  static func decide(
    _ record: SessionRecord?, model: String?, tools: ToolSet = ToolSet([]), answerCount: Int, knowsSession: Bool
  ) -> Continuation {
    guard let record else { return .first }
    if let thread = record.thread(of: model), record.isUpToDate(thread, answerCount: answerCount) {
      guard thread.tools.includes(tools) else { return .toolsChanged(from: thread) }
      return .next(thread, prompt: record.prompt)
    }
    return knowsSession ? .modelChanged(from: record.current) : .first
  }
}

extension SessionRecord {
  /// Whether a thread has seen the whole conversation. The thread of a model that is not the latest may have missed answers of
  /// other models. A client that sends its history shows that: it has then more than one answer more than last time.
  fileprivate func isUpToDate(_ thread: ThreadRecord, answerCount: Int) -> Bool {
    guard thread.id != current.id, answerCount > 0, let before = thread.answers else { return true }
    return answerCount == before + 1
  }
}
