// Open turns in the bridge's database.

/// Keeps open turns in `state.db`.
@LoopActor
final class OpenTurnStore: OpenTurnRepository {
  /// Whoever comes back later is answered from its own history alone.
  private static let maxAge = Duration.seconds(86_400)
  private static let sweepInterval = Duration.seconds(600)
  /// Of the oldest turns, how many make room where there is none.
  private nonisolated static let turnsPerRoom = 20

  /// Turns that are looked at for one call: ids are chosen by the model, and some number them anew in each conversation.
  private nonisolated static let maxTurnsOfCall = 8

  let isReadable = true
  private let access: StoreAccess
  private var sweeper = Ticker()

  init(_ database: Database) {
    access = StoreAccess(
      database,
      warning: "turns that wait for functions of a client cannot be kept; a restart would lose them")
    sweeper.start(every: Self.sweepInterval) { [weak self] in self?.sweep() }
    sweep()
  }

  isolated deinit { sweeper.stop() }

  func close() { sweeper.stop() }

  private func sweep() {
    let limit = unixTime() - Int(Self.maxAge.inSeconds)
    Loop.spawn {
      _ = await self.access.attempt { connection throws(StorageError) in
        try connection.run("DELETE FROM open_turns WHERE saved_at < ?", .int(limit))
      }
    }
  }

  func save(_ turn: OpenTurn) async -> Bool {
    let now = unixTime()
    let saved = await access.attempt(makesFile: true) { connection throws(StorageError) in
      try connection.withRoom {
        () throws(StorageError) in
        if try ResponseStore.makeRoom(connection) { return }
        try connection.run(
          "DELETE FROM open_turns WHERE turn IN (SELECT turn FROM open_turns ORDER BY saved_at LIMIT ?)",
          .int(Self.turnsPerRoom))
      } _: {
        () throws(StorageError) in
        try Self.write(turn, at: now, connection)
      }
    }
    return saved ?? false
  }

  /// Items are only ever added to a turn: those that are stored are not written again. False if some of them have gone.
  private nonisolated static func write(
    _ turn: OpenTurn, at now: Int, _ connection: SQLiteConnection
  ) throws(StorageError) -> Bool {
    let rows = try connection.query("SELECT count(*) FROM open_items WHERE turn = ?", .text(turn.turnID))
    let stored = rows.first?.first?.intValue ?? 0
    guard stored >= turn.keptItems else { return false }
    try connection.change { () throws(StorageError) in
      try connection.run(
        """
        INSERT INTO open_turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
        ON CONFLICT (turn) DO UPDATE SET said = excluded.said, session_turns = excluded.session_turns, is_resumed = 0, saved_at = excluded.saved_at
        """, .text(turn.turnID), .text(turn.owner.name), .text(turn.session?.id),
        .text(turn.session?.profile.rawValue),
        .text(turn.thread.raw),
        .bytes(turn.said.flatMap(\.bytes)), .int(turn.saidBefore), .int(turn.sessionTurns), .int(now))
      try connection.run("DELETE FROM open_calls WHERE turn = ?", .text(turn.turnID))
      for id in turn.callIDs {
        try connection.run(
          "INSERT OR REPLACE INTO open_calls VALUES (?, ?, ?)", .text(turn.owner.name), .text(id),
          .text(turn.turnID))
      }
      for (index, item) in turn.items.enumerated().dropFirst(stored - turn.keptItems) {
        try connection.run(
          "INSERT INTO open_items VALUES (?, ?, ?)", .text(turn.turnID), .int(turn.keptItems + index),
          .text(item))
      }
    }
    return true
  }

  func items(of turnID: String) async -> [String]? {
    await access.attempt { connection throws(StorageError) in
      try connection.query("SELECT item FROM open_items WHERE turn = ? ORDER BY number", .text(turnID))
        .compactMap { $0.first?.textValue }
    }
  }

  func add(_ item: String, to turnID: String) async {
    _ = await access.attempt { connection throws(StorageError) in
      try connection.run(
        """
        INSERT INTO open_items SELECT turn, (SELECT count(*) FROM open_items WHERE turn = ?1), ?2
        FROM open_turns WHERE turn = ?1
        """, .text(turnID), .text(item))
    }
  }

  func markResumed(_ turnID: String) async {
    _ = await access.attempt { connection throws(StorageError) in
      try connection.run("UPDATE open_turns SET is_resumed = 1 WHERE turn = ?", .text(turnID))
    }
  }

  func remove(_ turnID: String) async {
    _ = await access.attempt { connection throws(StorageError) in
      try connection.run("DELETE FROM open_turns WHERE turn = ?", .text(turnID))
    }
  }

  func remove(of session: SessionKey) async {
    _ = await access.attempt { connection throws(StorageError) in
      try connection.run(
        "DELETE FROM open_turns WHERE owner = ? AND session = ? AND profile = ?", .text(session.owner.name),
        .text(session.id), .text(session.profile.rawValue))
    }
  }

  func turns(withCall id: String, of owner: Principal) async -> [OpenTurn] {
    let found = await access.attempt { connection throws(StorageError) in
      let rows = try connection.query(
        """
        SELECT turn, session, profile, thread, said, said_before, session_turns, is_resumed FROM open_turns
        WHERE turn IN (SELECT turn FROM open_calls WHERE owner = ? AND call = ?) ORDER BY saved_at DESC LIMIT ?
        """, .text(owner.name), .text(id), .int(Self.maxTurnsOfCall))
      var turns: [OpenTurn] = []
      for row in rows {
        if let turn = try Self.turn(row, of: owner, connection) { turns.append(turn) }
      }
      return turns
    }
    return found ?? []
  }

  private nonisolated static func turn(
    _ row: [StoredValue], of owner: Principal, _ connection: SQLiteConnection
  ) throws(StorageError) -> OpenTurn? {
    guard let turnID = row[0].textValue, let thread = row[3].textValue, let said = row[4].bytesValue else {
      return nil
    }
    let items = try connection.query("SELECT item FROM open_items WHERE turn = ? ORDER BY number", .text(turnID))
    let calls = try connection.query("SELECT call FROM open_calls WHERE turn = ?", .text(turnID))
    return OpenTurn(
      owner: owner,
      session: row[1].textValue.map { id in
        SessionKey(owner: owner, id: id, profile: row[2].textValue.flatMap(ProfileKind.init) ?? .agent)
      },
      callIDs: calls.compactMap { $0.first?.textValue }, thread: ThreadID(thread), turnID: turnID,
      said: SHA256Digest.list(said), saidBefore: row[5].intValue ?? 0, sessionTurns: row[6].intValue ?? 0,
      items: items.compactMap { $0.first?.textValue }, isResumed: row[7].intValue == 1)
  }
}
