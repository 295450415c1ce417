// How a store uses the bridge's database: what fails is told once, and the bridge goes on without what the store would keep.

/// The database as one of its stores sees it.
@LoopActor
final class StoreAccess {
  private let database: Database
  private let warning: String
  private var hasWarned = false

  /// `warning` tells what is lost while the database cannot be used.
  init(_ database: Database, warning: String) {
    self.database = database
    self.warning = warning
  }

  /// Runs `work` on the database. Nil if that failed, or if there is no file and none is to be made.
  func attempt<T: Sendable>(
    makesFile: Bool = false, _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> T
  ) async -> T? {
    do throws(StorageError) {
      let result = try await makesFile ? database.perform(work) : database.performIfThere(work)
      hasWarned = false
      return result
    } catch {
      if !hasWarned {
        hasWarned = true
        Log.warning(warning, ["file": Database.fileName, "error": error])
      }
      return nil
    }
  }

  /// Makes a change of which all lasts, or nothing; `makeRoom` is run where there is none. Returns whether it was made.
  func change(
    makingRoomBy makeRoom: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Void,
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Void
  ) async -> Bool {
    let done = await attempt(makesFile: true) { connection throws(StorageError) in
      try connection.withRoom {
        () throws(StorageError) in
        try makeRoom(connection)
      } _: {
        () throws(StorageError) in
        try connection.change { () throws(StorageError) in try work(connection) }
      }
      return true
    }
    return done ?? false
  }
}

extension SQLiteConnection {
  /// Runs `work`, and once more after `makeRoom` where there is no room.
  func withRoom<T>(
    _ makeRoom: () throws(StorageError) -> Void, _ work: () throws(StorageError) -> T
  ) throws(StorageError) -> T {
    do throws(StorageError) {
      return try work()
    } catch .full {
      try makeRoom()
      return try work()
    }
  }
}
