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

  /// All items of a thread, Codex's own work included, but for those of the turn that is resumed; nil if they cannot be told, and
  /// where the thread is not left for other functions: another model is told the words alone.
  func items(of thread: ThreadRecord?, _ restart: SessionRestart?, resuming open: OpenTurn?) async
    -> [String]?
  {
    guard restart == .toolsChanged, let thread else { return nil }
    return await engine.items(of: thread.id, without: open?.turnID)
  }
}
