// Threads that are to be deleted in the end, listed in the bridge's database so that another process can when this one is gone.

/// Lists threads in `state.db`.
@LoopActor
final class PassingThreads {
  private let database: Database

  init(_ database: Database) { self.database = database }

  func add(_ thread: ThreadID) async {
    await attempt { connection throws(StorageError) in
      try connection.run("INSERT OR IGNORE INTO passing_threads VALUES (?)", .text(thread.raw))
    }
  }

  func remove(_ thread: ThreadID) async {
    await attempt { connection throws(StorageError) in
      try connection.run("DELETE FROM passing_threads WHERE thread = ?", .text(thread.raw))
    }
  }

  /// The threads of an earlier process; none where there is no list.
  func all() async -> [ThreadID] {
    let rows = try? await database.performIfThere { connection throws(StorageError) in
      try connection.query("SELECT thread FROM passing_threads")
    }
    return (rows ?? nil ?? []).compactMap { $0.first?.textValue.map(ThreadID.init) }
  }

  /// A thread that could not be listed stays with Codex when the process is killed, which harms nothing.
  private func attempt(_ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Void) async {
    do throws(StorageError) {
      _ = try await database.perform(work)
    } catch {
      Log.debug("a thread could not be listed", ["reason": error])
    }
  }
}
