// Responses in the bridge's database.

/// Keeps responses in `state.db`.
@LoopActor
final class ResponseStore: ResponseRepository {
  /// Of the oldest responses, how many make room where there is none.
  private nonisolated static let responsesPerRoom = 100
  /// Responses that one may go on from, one behind the other.
  private nonisolated static let maxChain = 2048
  /// Bytes of all items of such a chain. No model reads more.
  private nonisolated static let maxHistoryBytes = 16 << 20

  private let access: StoreAccess
  private let maxAge: Duration

  init(_ database: Database, maxAge: Duration) {
    access = StoreAccess(database, warning: "responses cannot be kept or found again")
    self.maxAge = maxAge
  }

  // MARK: Changes

  func add(_ response: StoredResponse, input: [StoredItem]) async -> Bool {
    await change { connection throws(StorageError) in
      try connection.run(
        "INSERT INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ?)",
        .text(response.id), .text(response.owner.name), .int(response.createdAt),
        .text(response.stage.rawValue), .int(response.isBackground ? 1 : 0), .text(response.previous),
        .text(response.conversation), .text(response.object))
      try Self.insert(input, of: response.id, isOutput: false, connection)
    }
  }

  func end(_ response: StoredResponse, output: [StoredItem]) async -> Bool {
    await change { connection throws(StorageError) in
      let place = response.place
      let changed = try connection.query(
        """
        UPDATE responses SET stage = ?2, session = ?3, profile = ?4, thread = ?5, turn = ?6, has_calls = ?7, model = ?8,
        instructions = ?9, tools = ?10, answered = ?11, object = ?12 WHERE id = ?1 RETURNING id
        """, .text(response.id), .text(response.stage.rawValue), .text(place?.session.id),
        .text(place?.session.profile.rawValue), .text(place?.thread.id.raw), .text(place?.turnID),
        .int(place?.hasCalls == true ? 1 : 0), .text(place?.thread.model), .text(place?.thread.instructions),
        .text(place?.thread.tools.text), place?.answered.map { .bytes($0.digest.bytes) } ?? .null,
        .text(response.object))
      // It was deleted meanwhile.
      guard !changed.isEmpty else { return }
      try connection.run("DELETE FROM response_items WHERE response = ? AND is_output = 1", .text(response.id))
      try Self.insert(output, of: response.id, isOutput: true, connection)
      guard let session = place?.session, session.isOfResponses else { return }
      try connection.run(
        "INSERT OR IGNORE INTO response_sessions VALUES (?, ?, ?)", .text(session.owner.name), .text(session.id),
        .text(session.profile.rawValue))
    }
  }

  private func change(
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Void
  ) async -> Bool {
    await access.change(makingRoomBy: { connection throws(StorageError) in try Self.makeRoom(connection) }, work)
  }

  /// Forgets the oldest responses, which take most of the room. False if there are none.
  @discardableResult
  nonisolated static func makeRoom(_ connection: SQLiteConnection) throws(StorageError) -> Bool {
    let rows = try connection.query(
      "DELETE FROM responses WHERE id IN (SELECT id FROM responses ORDER BY created_at LIMIT ?) RETURNING 1",
      .int(responsesPerRoom))
    return !rows.isEmpty
  }

  private nonisolated static func insert(
    _ items: [StoredItem], of response: String, isOutput: Bool, _ connection: SQLiteConnection
  ) throws(StorageError) {
    for (number, item) in items.enumerated() {
      try connection.run(
        "INSERT INTO response_items VALUES (?, ?, ?, ?, ?)", .text(response), .int(isOutput ? 1 : 0), .int(number),
        .text(item.id), .text(item.object))
    }
  }

  func remove(_ id: String, of owner: Principal) async -> Bool {
    let removed = await access.attempt { connection throws(StorageError) in
      let rows = try connection.query(
        "DELETE FROM responses WHERE id = ? AND owner = ? RETURNING id", .text(id), .text(owner.name))
      return !rows.isEmpty
    }
    return removed ?? false
  }

  func sweep() async -> [SessionKey] {
    let limit = unixTime() - Int(maxAge.inSeconds)
    let swept = await access.attempt { connection throws(StorageError) in
      if limit < unixTime() {
        try connection.run("DELETE FROM responses WHERE created_at < ? AND stage = 'ended'", .int(limit))
      }
      let rows = try connection.query(
        """
        DELETE FROM response_sessions WHERE NOT EXISTS (
          SELECT 1 FROM responses WHERE responses.session = response_sessions.session AND responses.owner = response_sessions.owner)
        RETURNING owner, session, profile
        """)
      return rows.compactMap {
        Self.session(owner: $0[0].textValue, id: $0[1].textValue, profile: $0[2].textValue)
      }
    }
    return swept ?? []
  }

  // MARK: What is kept

  func response(_ id: String, of owner: Principal) async -> StoredResponse? {
    let found = await access.attempt { connection throws(StorageError) in
      try connection.query("SELECT * FROM responses WHERE id = ? AND owner = ?", .text(id), .text(owner.name))
        .first.flatMap(Self.response)
    }
    return found ?? nil
  }

  func unfinished() async -> [StoredResponse] {
    let found = await access.attempt { connection throws(StorageError) in
      try connection.query("SELECT * FROM responses WHERE stage = 'unfinished'").compactMap(Self.response)
    }
    return found ?? []
  }

  private nonisolated static func response(_ row: [StoredValue]) -> StoredResponse? {
    guard let id = row[0].textValue, let owner = row[1].textValue, let object = row[16].textValue else {
      return nil
    }
    return StoredResponse(
      id: id, owner: Principal(name: owner), createdAt: row[2].intValue ?? 0, isBackground: row[4].intValue == 1,
      previous: row[5].textValue, conversation: row[6].textValue,
      stage: row[3].textValue.flatMap(StoredResponse.Stage.init) ?? .ended, place: place(row, owner),
      object: object)
  }

  private nonisolated static func place(_ row: [StoredValue], _ owner: String) -> StoredResponse.Place? {
    guard let session = session(owner: owner, id: row[7].textValue, profile: row[8].textValue),
      let thread = row[9].textValue, let turn = row[10].textValue
    else { return nil }
    let record = ThreadRecord(
      id: ThreadID(thread), model: row[12].textValue, instructions: row[13].textValue,
      tools: ToolSet(text: row[14].textValue ?? ""))
    return StoredResponse.Place(
      session: session, thread: record, turnID: turn, hasCalls: row[11].intValue == 1,
      answered: row[15].bytesValue.flatMap { SHA256Digest($0) }.map { ConversationDigest($0) })
  }

  private nonisolated static func session(owner: String?, id: String?, profile: String?) -> SessionKey? {
    guard let owner, let id else { return nil }
    return SessionKey(
      owner: Principal(name: owner), id: id, profile: profile.flatMap(ProfileKind.init) ?? .agent)
  }

  func input(of id: String, _ owner: Principal, _ page: ItemPage) async -> ItemList? {
    let found = await access.attempt { connection throws(StorageError) -> ItemList? in
      let known = try connection.query(
        "SELECT 1 FROM responses WHERE id = ? AND owner = ?", .text(id), .text(owner.name))
      guard !known.isEmpty else { return nil }
      let start = try page.after.flatMap { (after) throws(StorageError) in
        try connection.query(
          "SELECT number FROM response_items WHERE response = ? AND is_output = 0 AND id = ?", .text(id),
          .text(after)
        ).first?.first?.intValue
      }
      let rows =
        page.isAscending
        ? try connection.query(
          """
          SELECT id, item FROM response_items WHERE response = ? AND is_output = 0 AND number > ? ORDER BY number LIMIT ?
          """, .text(id), .int(start ?? -1), .int(page.limit + 1))
        : try connection.query(
          """
          SELECT id, item FROM response_items WHERE response = ? AND is_output = 0 AND number < ?
          ORDER BY number DESC LIMIT ?
          """, .text(id), .int(start ?? Int.max), .int(page.limit + 1))
      return ItemList(items: rows.prefix(page.limit).compactMap(Self.item), hasMore: rows.count > page.limit)
    }
    return found ?? nil
  }

  nonisolated static func item(_ row: [StoredValue]) -> StoredItem? {
    guard let id = row[0].textValue, let object = row[1].textValue else { return nil }
    return StoredItem(id: id, object: object)
  }

  func items(_ ids: [String], of owner: Principal) async -> [String: String] {
    let found = await access.attempt { connection throws(StorageError) in
      var found: [String: String] = [:]
      for id in ids {
        let row = try connection.query(
          """
          SELECT item FROM response_items JOIN responses ON responses.id = response_items.response
          WHERE response_items.id = ? AND owner = ? LIMIT 1
          """, .text(id), .text(owner.name)
        ).first
        if let item = row?.first?.textValue { found[id] = item }
      }
      return found
    }
    return found ?? [:]
  }

  func history(of id: String, _ owner: Principal) async -> [String]? {
    let found = await access.attempt { connection throws(StorageError) -> [String]? in
      var chain: [String] = []
      var next: String? = id
      while let id = next {
        let rows = try connection.query(
          "SELECT previous FROM responses WHERE id = ? AND owner = ?", .text(id), .text(owner.name))
        guard let row = rows.first, chain.count < Self.maxChain else { return nil }
        chain.append(id)
        next = row.first?.textValue
      }
      var items: [String] = []
      var bytes = 0
      for id in chain.reversed() {
        let rows = try connection.query(
          "SELECT item FROM response_items WHERE response = ? ORDER BY is_output, number", .text(id))
        items += rows.compactMap { $0.first?.textValue }
        bytes += rows.reduce(0) { $0 + ($1.first?.textValue?.utf8.count ?? 0) }
        guard bytes <= Self.maxHistoryBytes else { return nil }
      }
      return items
    }
    return found ?? nil
  }
}
