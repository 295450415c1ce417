// Conversations in the bridge's database.

/// Keeps conversations in `state.db`.
@LoopActor
final class ConversationStore: ConversationRepository {
  /// Bytes of all items of a conversation. No model reads more.
  private nonisolated static let maxBytes = 16 << 20

  private let access: StoreAccess

  init(_ database: Database) {
    access = StoreAccess(database, warning: "conversations cannot be kept or found again")
  }

  private func change(
    _ work: @escaping @Sendable (SQLiteConnection) throws(StorageError) -> Void
  ) async -> Bool {
    await access.change(
      makingRoomBy: { connection throws(StorageError) in try ResponseStore.makeRoom(connection) }, work)
  }

  func add(_ conversation: StoredConversation, items: [StoredItem]) async -> Bool {
    await change { connection throws(StorageError) in
      try connection.run(
        "INSERT INTO conversations VALUES (?, ?, ?, ?, 0)", .text(conversation.id), .text(conversation.owner.name),
        .int(conversation.createdAt), .text(conversation.metadata))
      try Self.insert(items, into: conversation.id, areTold: false, connection)
    }
  }

  private nonisolated static func insert(
    _ items: [StoredItem], into id: String, areTold: Bool, _ connection: SQLiteConnection
  ) throws(StorageError) {
    let last = try connection.query("SELECT max(number) FROM conversation_items WHERE conversation = ?", .text(id))
    let first = (last.first?.first?.intValue ?? -1) + 1
    for (index, item) in items.enumerated() {
      try connection.run(
        "INSERT INTO conversation_items VALUES (?, ?, ?, ?, ?)", .text(id), .int(first + index), .text(item.id),
        .text(item.object), .int(areTold ? 1 : 0))
    }
  }

  func conversation(_ id: String, of owner: Principal) async -> StoredConversation? {
    let found = await access.attempt { connection throws(StorageError) -> StoredConversation? in
      let rows = try connection.query(
        "SELECT created_at, metadata, is_changed FROM conversations WHERE id = ? AND owner = ?", .text(id),
        .text(owner.name))
      return rows.first.map {
        StoredConversation(
          id: id, owner: owner, createdAt: $0[0].intValue ?? 0, metadata: $0[1].textValue ?? "{}",
          isChanged: $0[2].intValue == 1)
      }
    }
    return found ?? nil
  }

  func setMetadata(_ metadata: String, of id: String) async -> Bool {
    await change { connection throws(StorageError) in
      try connection.run("UPDATE conversations SET metadata = ? WHERE id = ?", .text(metadata), .text(id))
    }
  }

  func remove(_ id: String) async -> Bool {
    await change { connection throws(StorageError) in
      try connection.run("DELETE FROM conversations WHERE id = ?", .text(id))
    }
  }

  func append(_ items: [StoredItem], to id: String, areTold: Bool) async -> Bool {
    await change { connection throws(StorageError) in
      guard try !connection.query("SELECT 1 FROM conversations WHERE id = ?", .text(id)).isEmpty else { return }
      try Self.insert(items, into: id, areTold: areTold, connection)
    }
  }

  func item(_ itemID: String, of id: String) async -> StoredItem? {
    let found = await access.attempt { connection throws(StorageError) in
      try connection.query(
        "SELECT id, item FROM conversation_items WHERE conversation = ? AND id = ?", .text(id), .text(itemID)
      ).first.flatMap(ResponseStore.item)
    }
    return found ?? nil
  }

  func items(of id: String, _ page: ItemPage) async -> ItemList {
    let found = await access.attempt { connection throws(StorageError) in
      let start = try page.after.flatMap { (after) throws(StorageError) in
        try connection.query(
          "SELECT number FROM conversation_items WHERE conversation = ? AND id = ?", .text(id), .text(after)
        ).first?.first?.intValue
      }
      let rows =
        page.isAscending
        ? try connection.query(
          "SELECT id, item FROM conversation_items WHERE conversation = ? AND number > ? ORDER BY number LIMIT ?",
          .text(id), .int(start ?? -1), .int(page.limit + 1))
        : try connection.query(
          """
          SELECT id, item FROM conversation_items WHERE conversation = ? AND number < ? ORDER BY number DESC LIMIT ?
          """, .text(id), .int(start ?? Int.max), .int(page.limit + 1))
      return ItemList(
        items: rows.prefix(page.limit).compactMap(ResponseStore.item), hasMore: rows.count > page.limit)
    }
    return found ?? ItemList(items: [], hasMore: false)
  }

  func removeItem(_ itemID: String, of id: String) async -> ItemRemoval {
    let removed = await access.attempt { connection throws(StorageError) -> ItemRemoval in
      let rows = try connection.query(
        "DELETE FROM conversation_items WHERE conversation = ? AND id = ? RETURNING is_told", .text(id),
        .text(itemID))
      guard let row = rows.first else { return .notFound }
      if row.first?.intValue == 1 {
        try connection.run("UPDATE conversations SET is_changed = 1 WHERE id = ?", .text(id))
      }
      return .removed
    }
    return removed ?? .notFound
  }

  func allItems(of id: String, onlyUntold: Bool) async -> [StoredItem]? {
    let found = await access.attempt { connection throws(StorageError) -> [StoredItem]? in
      let rows = try connection.query(
        "SELECT id, item FROM conversation_items WHERE conversation = ? AND (is_told = 0 OR ?) ORDER BY number",
        .text(id), .int(onlyUntold ? 0 : 1))
      let items = rows.compactMap(ResponseStore.item)
      return items.reduce(0) { $0 + $1.object.utf8.count } <= Self.maxBytes ? items : nil
    }
    return found ?? nil
  }

  func markTold(_ id: String, upTo items: [StoredItem]) async {
    _ = await access.attempt { connection throws(StorageError) in
      for item in items {
        try connection.run(
          "UPDATE conversation_items SET is_told = 1 WHERE conversation = ? AND id = ?", .text(id), .text(item.id))
      }
      try connection.run("UPDATE conversations SET is_changed = 0 WHERE id = ?", .text(id))
    }
  }
}
