// Where conversations are remembered: what has a name in files, what has none in memory or in the same files.

/// The stores of sessions and of their places, as they are configured.
@LoopActor
final class ConversationMemory {
  let sessions: any SessionRepository
  private let points: any PointRepository
  private let unnamed = UnnamedConversations()
  private let continuity: Continuity
  private let passing: PassingThreads

  init(_ continuity: Continuity, files: any SessionRepository, _ database: Database) {
    self.continuity = continuity
    let store = PointStore(database)
    passing = PassingThreads(database)
    guard continuity == .memory else {
      (sessions, points) = (files, store)
      return
    }
    sessions = RoutedSessions(files: files, unnamed: unnamed)
    points = RoutedPoints(store: store, unnamed: unnamed)
  }

  func finder(_ sessions: Sessions) -> ConversationFinder {
    ConversationFinder(sessions: sessions, points: points, memory: unnamed, continuity: continuity)
  }

  /// From here on the engine deletes the threads of conversations that are forgotten.
  func deletesThreads(of engine: any TurnEngine) {
    unnamed.onAdded = { [passing] thread in Loop.spawn { await passing.add(thread) } }
    unnamed.onForgotten = { [passing, weak engine] threads in
      Loop.spawn {
        for thread in threads {
          await engine?.delete(thread, endingCommands: true)
          await passing.remove(thread)
        }
      }
    }
  }

  /// Deletes what an earlier process has left.
  func deleteLeftovers(of engine: any TurnEngine) async {
    let left = await passing.all()
    guard !left.isEmpty else { return }
    await engine.changes.wait { engine.unavailability == nil }
    for thread in left {
      await engine.delete(thread, endingCommands: true)
      await passing.remove(thread)
    }
  }
}
