// Threads that are to be deleted in the end, listed in the bridge's database so that another process can when this one is gone.

/// Lists threads in `state.db`.
@LoopActor
final class PassingThreads {
  private let access: StoreAccess

  init(_ database: Database) {
    access = StoreAccess(
      database,
      warning: "threads of conversations cannot be listed; those of a process that is killed stay with Codex")
  }

  func add(_ thread: ThreadID) async {
    _ = await access.attempt(makesFile: true) { connection throws(StorageError) in
      try connection.run("INSERT OR IGNORE INTO passing_threads VALUES (?)", .text(thread.raw))
    }
  }

  func remove(_ thread: ThreadID) async {
    _ = await access.attempt { connection throws(StorageError) in
      try connection.run("DELETE FROM passing_threads WHERE thread = ?", .text(thread.raw))
    }
  }

  /// The threads of an earlier process; none where there is no list.
  func all() async -> [ThreadID] {
    let rows = await access.attempt { connection throws(StorageError) in
      try connection.query("SELECT thread FROM passing_threads")
    }
    return (rows ?? []).compactMap { $0.first?.textValue.map(ThreadID.init) }
  }
}
