// The points of threads in the bridge's database.

/// Keeps points in `state.db`.
@LoopActor
final class PointStore: PointRepository {
  /// Threads whose points are kept at hand. A conversation that goes on is asked for with every turn.
  private static let maxAtHand = 512
  /// Of the threads that were not used for the longest time, how many make room where there is none.
  private nonisolated static let threadsPerRoom = 100

  private let access: StoreAccess
  private var atHand: [ThreadID: ThreadPoints] = [:]

  init(_ database: Database) {
    access = StoreAccess(
      database,
      warning:
        "the places of conversations cannot be kept; after a restart edits of earlier messages begin new threads")
  }

  func points(of thread: ThreadID) async -> ThreadPoints {
    if let known = atHand[thread] { return known }
    let found = await access.attempt { connection throws(StorageError) in
      let rows = try connection.query(
        """
        SELECT number, turn, before, asked, answered, flags FROM points WHERE thread = ? ORDER BY number
        """, .text(thread.raw))
      return ThreadPoints(rows.compactMap(Self.point), dropped: rows.first?.first?.intValue ?? 0)
    }
    let points = found ?? ThreadPoints()
    // Somebody may have changed them meanwhile.
    if let known = atHand[thread] { return known }
    keepAtHand(points, of: thread)
    return points
  }

  private func keepAtHand(_ points: ThreadPoints, of thread: ThreadID) {
    if atHand.count >= Self.maxAtHand { atHand = [:] }
    atHand[thread] = points
  }

  private nonisolated static func point(_ row: [StoredValue]) -> ThreadPoint? {
    guard let before = digest(row[2]), let asked = digest(row[3]) else { return nil }
    var point = ThreadPoint(turnID: row[1].textValue, before: before, asked: asked, answered: digest(row[4]))
    let flags = row[5].intValue ?? 0
    for (index, flag) in Self.flags.enumerated() { point[keyPath: flag] = flags & 1 << index != 0 }
    return point
  }

  /// What is stored of a point as bits, in this order.
  private nonisolated static var flags: [WritableKeyPath<ThreadPoint, Bool>] {
    [\.isWhole, \.hasCalls, \.hasEffects, \.hasDocuments]
  }

  private nonisolated static func bits(of point: ThreadPoint) -> Int {
    flags.enumerated().reduce(0) { $0 | (point[keyPath: $1.element] ? 1 << $1.offset : 0) }
  }

  private nonisolated static func digest(_ value: StoredValue) -> ConversationDigest? {
    value.bytesValue.flatMap { SHA256Digest($0) }.map { ConversationDigest($0) }
  }

  func set(_ points: ThreadPoints, of thread: ThreadID, in session: SessionKey) async {
    let first = atHand[thread].map(points.firstChange) ?? 0
    keepAtHand(points, of: thread)
    let now = unixTime()
    _ = await access.attempt(makesFile: true) { connection throws(StorageError) in
      try connection.withRoom {
        () throws(StorageError) in
        if try ResponseStore.makeRoom(connection) { return }
        try connection.run(
          "DELETE FROM point_threads WHERE thread IN (SELECT thread FROM point_threads ORDER BY used_at LIMIT ?)",
          .int(Self.threadsPerRoom))
      } _: {
        () throws(StorageError) in
        try Self.write(points, thread, from: first, session, at: now, connection)
      }
    }
  }

  /// Those before `index` are there already.
  private nonisolated static func write(
    _ points: ThreadPoints, _ thread: ThreadID, from index: Int, _ session: SessionKey, at now: Int,
    _ connection: SQLiteConnection
  ) throws(StorageError) {
    try connection.change { () throws(StorageError) in
      try connection.run(
        """
        INSERT INTO point_threads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thread) DO UPDATE SET used_at = excluded.used_at
        """, .text(thread.raw), .text(session.owner.name), .text(session.id), .text(session.profile.rawValue),
        .int(session.isUnnamed ? 1 : 0), .int(now))
      try connection.run(
        "DELETE FROM points WHERE thread = ? AND (number >= ? OR number < ?)", .text(thread.raw),
        .int(points.dropped + index), .int(points.dropped))
      for (offset, point) in points.all.enumerated().dropFirst(index) {
        try connection.run(
          "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?)", .text(thread.raw), .int(points.dropped + offset),
          .text(point.turnID), .bytes(point.before.digest.bytes), .bytes(point.asked.digest.bytes),
          point.answered.map { .bytes($0.digest.bytes) } ?? .null, .int(Self.bits(of: point)))
      }
    }
  }

  func threads(endingAt digests: [ConversationDigest]) async -> [FoundThread] {
    let found = await access.attempt { connection throws(StorageError) in
      try connection.look { () throws(StorageError) -> [FoundThread] in
        for digest in digests {
          let rows = try connection.query(
            """
            SELECT thread, owner, session, profile FROM points JOIN point_threads USING (thread)
            WHERE answered = ?1 AND is_unnamed = 1 UNION
            SELECT thread, owner, session, profile FROM points JOIN point_threads USING (thread)
            WHERE asked = ?1 AND answered IS NULL AND is_unnamed = 1 LIMIT 64
            """, .bytes(digest.digest.bytes))
          if !rows.isEmpty { return rows.compactMap(Self.found) }
        }
        return []
      }
    }
    return found ?? []
  }

  private nonisolated static func found(_ row: [StoredValue]) -> FoundThread? {
    guard let thread = row[0].textValue, let owner = row[1].textValue, let id = row[2].textValue else {
      return nil
    }
    let key = SessionKey(
      owner: Principal(name: owner), id: id, profile: row[3].textValue.flatMap(ProfileKind.init) ?? .agent)
    return FoundThread(session: key, thread: ThreadID(thread))
  }

  func forget(_ threads: [ThreadID]) async {
    for thread in threads { atHand[thread] = nil }
    _ = await access.attempt { connection throws(StorageError) in
      for thread in threads {
        try connection.run("DELETE FROM point_threads WHERE thread = ?", .text(thread.raw))
      }
    }
  }
}
