// The bridge's database, used beside the loop: `state.db` in the state directory.

import Glibc
import Synchronization

/// A connection that threads take turns with.
private final class SharedConnection: Sendable {
  private let connection: Mutex<SQLiteConnection>

  init(path: String) throws(StorageError) {
    let connection = try SQLiteConnection(path: path, maxBytes: Database.maxBytes)
    try StateTables.make(in: connection)
    self.connection = Mutex(connection)
  }

  func perform<T: Sendable>(_ work: (SQLiteConnection) throws(StorageError) -> T) throws(StorageError) -> T {
    try connection.withLock { (connection) throws(StorageError) in try work(connection) }
  }
}

/// A database whose statements run on a thread of their own, in the order in which they were asked for.
@LoopActor
final class Database {
  static let fileName = "state.db"
  /// A larger file takes nothing more. A gigabyte holds thousands of long turns.
  nonisolated static let maxBytes = 1 << 30

  private let connection: SharedConnection
  /// One at a time, first come first.
  private let order = PermitQueue(permits: 1, maxWaiting: Int.max)

  /// Opens the database in a directory. A damaged one is put aside, under the name with `.damaged` behind it.
  init(directory: String) throws(StorageError) {
    let path = "\(directory)/\(Self.fileName)"
    do throws(StorageError) {
      connection = try SharedConnection(path: path)
    } catch .damaged {
      Log.error("the database is damaged and put aside; a new one is begun", ["file": path])
      _ = rename(path, "\(path).damaged")
      for suffix in ["-wal", "-shm"] { FileContents.remove(path + suffix) }
      connection = try SharedConnection(path: path)
    }
  }

  /// Runs `work` beside the loop, after all that was asked for before.
  func perform<T: Sendable>(
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> T
  ) async throws(StorageError) -> T {
    let place = order.enter()
    defer { place?.release() }
    _ = await place?.wait()
    return try await Loop.offLoop { [connection] () throws(StorageError) in try connection.perform(work) }
  }
}
