// The bridge's database, used beside the loop: `state.db` in the state directory.

import Glibc
import Synchronization

/// A connection that threads take turns with, opened when it is first wanted.
private final class SharedConnection: Sendable {
  private let path: String
  private let connection = Mutex<SQLiteConnection?>(nil)

  init(path: String) { self.path = path }

  /// Nil if the file is missing and is not to be made.
  func perform<T: Sendable>(
    makesFile: Bool, _ work: (SQLiteConnection) throws(StorageError) -> T
  ) throws(StorageError) -> T? {
    try connection.withLock { (connection) throws(StorageError) in
      if connection == nil {
        guard makesFile || access(path, F_OK) == 0 else { return nil }
        connection = try Self.open(path)
      }
      guard let connection else { return nil }
      return try work(connection)
    }
  }

  /// A damaged file is put aside, under the name with `.damaged` behind it.
  private static func open(_ path: String) throws(StorageError) -> SQLiteConnection {
    do throws(StorageError) {
      return try prepared(path)
    } catch .damaged {
      Log.error("the database is damaged and put aside; a new one is begun", ["file": path])
      _ = rename(path, "\(path).damaged")
      for suffix in ["-wal", "-shm"] { FileContents.remove(path + suffix) }
      return try prepared(path)
    }
  }

  private static func prepared(_ path: String) throws(StorageError) -> SQLiteConnection {
    let connection = try SQLiteConnection(path: path, maxBytes: Database.maxBytes)
    try StateTables.make(in: connection)
    return connection
  }
}

/// A database whose statements run beside the loop, in the order in which they were asked for. Its file is made with the first
/// change, so that who needs none has none.
@LoopActor
final class Database {
  static let fileName = "state.db"
  /// A larger file takes nothing more. A gigabyte holds thousands of long turns.
  nonisolated static let maxBytes = 1 << 30

  private let connection: SharedConnection
  /// One at a time, first come first.
  private let order = PermitQueue(permits: 1, maxWaiting: Int.max)

  init(directory: String) { connection = SharedConnection(path: "\(directory)/\(Self.fileName)") }

  /// Runs `work` after all that was asked for before, on a new file if there is none.
  func perform<T: Sendable>(
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> T
  ) async throws(StorageError) -> T? {
    try await perform(makesFile: true, work)
  }

  /// The same where there is a file; nil where there is none.
  func performIfThere<T: Sendable>(
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> T
  ) async throws(StorageError) -> T? {
    try await perform(makesFile: false, work)
  }

  private func perform<T: Sendable>(
    makesFile: Bool, _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> T
  ) async throws(StorageError) -> T? {
    let place = order.enter()
    defer { place?.release() }
    _ = await place?.wait()
    return try await Loop.offLoop { [connection] () throws(StorageError) in
      try connection.perform(makesFile: makesFile, work)
    }
  }
}
