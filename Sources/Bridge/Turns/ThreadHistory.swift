// What can be told of a session's earlier threads when its conversation goes on in a new one.

/// Reads threads that cannot go on themselves.
@LoopActor
struct ThreadHistory {
  let engine: any TurnEngine

  /// The messages of threads, and those threads that could be read. Codex would summarise a thread whose model changes; a new
  /// thread with the same history keeps every word. A client that sends its history itself is believed.
  func messages(
    upTo thread: ThreadRecord?, unlessIn conversation: Conversation
  ) async -> (items: [Conversation.Item], threads: [ThreadID]) {
    guard let thread, conversation.answerCount == 0 else { return ([], []) }
    if let messages = await engine.messages(of: thread.id) {
      return (messages, thread.previous + [thread.id])
    }
    var history: (items: [Conversation.Item], threads: [ThreadID]) = ([], [])
    for id in (thread.previous + [thread.id]).suffix(SessionRecord.maxThreads) {
      do throws(EngineError) {
        history.items += try await engine.history(of: id)
        history.threads.append(id)
      } catch {
        Log.warning("an earlier thread of a session cannot be read", ["thread": id, "error": error])
      }
    }
    return history
  }

  /// All items of a thread, Codex's own work included, but for those of the turn that is resumed, with outputs that come late where
  /// they belong; nil if they cannot be told.
  func items(of thread: ThreadRecord, for ask: SessionAsk) async -> ThreadItems? {
    await engine.items(
      of: thread.id, without: ask.openTurn(on: thread)?.turnID, placing: ask.lateOutputs(on: thread))
  }

  /// Where a further turn of a session runs.
  enum Way {
    /// On the session's thread, which has the calls of these outputs in a turn that is over.
    case thread(LateOutputs)
    /// On a new thread that is made of its items. Nothing is lost, so that its client is not told.
    case copy(ThreadItems)
  }

  /// `mayLeave` tells whether another thread could be noted as the session's. A thread is left for one with all of its
  /// functions only: with fewer, it would have to be left again as soon as its client offers the others.
  func way(of ask: SessionAsk, on thread: ThreadRecord, mayLeave: Bool, changesPrompt: Bool) async -> Way {
    let mayBeCalls = ask.mayBeAnsweredWithCalls
    guard mayBeCalls || !ask.lateOutputs(on: thread).isEmpty else { return .thread(LateOutputs()) }
    let standing = engine.standing(of: thread.id)
    let mayCopy = mayLeave && standing != .bound && ask.illustrated.ask.toolSet == thread.tools
    // A chat takes another prompt only when it is loaded again.
    let isLoadedAgain = standing == .loadedAgain || changesPrompt && ask.caller.profile == .chat
    let mustCopy = mayCopy && isLoadedAgain && mayBeCalls
    guard mustCopy || !ask.lateOutputs(on: thread).isEmpty, let items = await items(of: thread, for: ask) else {
      return .thread(LateOutputs())
    }
    if mustCopy || mayCopy && items.areChanged { return .copy(items) }
    return .thread(LateOutputs(calls: items.answeredCalls, arePlaced: !items.areChanged))
  }
}
