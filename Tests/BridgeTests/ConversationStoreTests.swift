// Conversations in the database: what lasts, whose it is, and which items their threads have.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ConversationStoreTests {
  private static let owner = Principal(name: "a")
  private static let conversation = StoredConversation(
    id: "c1", owner: owner, createdAt: 5, metadata: #"{"a":"b"}"#)

  private static func items(_ names: String...) -> [StoredItem] {
    names.map { StoredItem(id: $0, object: "\"\($0)\"") }
  }

  /// Runs `body` on a database of its own with a conversation of three items.
  @LoopActor
  private func run(
    _ body: @LoopActor (ConversationStore, Database, TemporaryDirectory) async throws -> Void
  ) async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let database = Database(directory: place.path)
    let store = ConversationStore(database)
    #expect(await store.add(Self.conversation, items: Self.items("i1", "i2", "i3")))
    try await body(store, database, place)
  }

  @Test @LoopActor func aConversationLastsBeyondItsProcess() async throws {
    try await run { store, _, place in
      #expect(await store.setMetadata("{}", of: "c1"))
      #expect(await store.append(Self.items("i4"), to: "c1", areTold: true))
      let second = ConversationStore(Database(directory: place.path))
      var expected = Self.conversation
      expected.metadata = "{}"
      #expect(await second.conversation("c1", of: Self.owner) == expected)
      #expect(await second.conversation("c1", of: Principal(name: "b")) == nil)
      #expect(await second.conversation("c2", of: Self.owner) == nil)
      #expect(await second.allItems(of: "c1", onlyUntold: false)?.map(\.id) == ["i1", "i2", "i3", "i4"])
      #expect(await second.item("i4", of: "c1") == StoredItem(id: "i4", object: "\"i4\""))
      #expect(await second.item("i4", of: "c2") == nil)
      #expect(await second.item("i5", of: "c1") == nil)
    }
  }

  @Test @LoopActor func whoKeepsNothingHasNoFile() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let store = ConversationStore(Database(directory: place.path))
    #expect(await store.conversation("c1", of: Self.owner) == nil)
    #expect(await store.item("i1", of: "c1") == nil)
    #expect(await store.items(of: "c1", ItemPage()) == ItemList(items: [], hasMore: false))
    #expect(await store.removeItem("i1", of: "c1") == .notFound)
    await store.markTold("c1", upTo: [])
    #expect(ScratchDirectory.names(in: place.path) == [])
  }

  @Test @LoopActor func itsItemsAreListedInPages() async throws {
    try await run { store, _, _ in
      func page(_ page: ItemPage) async -> ([String], Bool) {
        let list = await store.items(of: "c1", page)
        return (list.items.map(\.id), list.hasMore)
      }
      #expect(await page(ItemPage()) == (["i3", "i2", "i1"], false))
      #expect(await page(ItemPage(limit: 2)) == (["i3", "i2"], true))
      #expect(await page(ItemPage(limit: 2, after: "i2")) == (["i1"], false))
      #expect(await page(ItemPage(limit: 2, isAscending: true)) == (["i1", "i2"], true))
      #expect(await page(ItemPage(isAscending: true, after: "i3")) == ([], false))
    }
  }

  @Test @LoopActor func whatItsThreadLacksIsKnown() async throws {
    try await run { store, _, _ in
      func untold() async -> [String]? { await store.allItems(of: "c1", onlyUntold: true)?.map(\.id) }
      #expect(await untold() == ["i1", "i2", "i3"])
      await store.markTold("c1", upTo: Self.items("i1", "i2", "unknown"))
      #expect(await untold() == ["i3"])
      #expect(await store.append(Self.items("i4"), to: "c1", areTold: true))
      #expect(await store.append(Self.items("i5"), to: "c1", areTold: false))
      #expect(await untold() == ["i3", "i5"])
    }
  }

  /// Only what the thread has makes it one that has to begin anew.
  @Test @LoopActor func anItemThatIsTakenOutChangesIt() async throws {
    try await run { store, _, _ in
      await store.markTold("c1", upTo: Self.items("i1"))
      #expect(await store.removeItem("i2", of: "c1") == .removed)
      #expect(await store.removeItem("i2", of: "c1") == .notFound)
      #expect(await store.conversation("c1", of: Self.owner)?.isChanged == false)
      #expect(await store.removeItem("i1", of: "c1") == .removed)
      #expect(await store.conversation("c1", of: Self.owner)?.isChanged == true)
      #expect(await store.allItems(of: "c1", onlyUntold: false)?.map(\.id) == ["i3"])
      await store.markTold("c1", upTo: Self.items("i3"))
      #expect(await store.conversation("c1", of: Self.owner)?.isChanged == false)
      // The last place is free again, and what follows still comes last.
      #expect(await store.removeItem("i3", of: "c1") == .removed)
      #expect(await store.append(Self.items("i6", "i7"), to: "c1", areTold: false))
      #expect(await store.allItems(of: "c1", onlyUntold: false)?.map(\.id) == ["i6", "i7"])
    }
  }

  @Test @LoopActor func whatIsRemovedIsGoneWithItsItems() async throws {
    try await run { store, _, _ in
      #expect(await store.remove("c1"))
      #expect(await store.conversation("c1", of: Self.owner) == nil)
      #expect(await store.items(of: "c1", ItemPage()).items == [])
      // An answer may end after that.
      #expect(await store.append(Self.items("i4"), to: "c1", areTold: true))
      #expect(await store.allItems(of: "c1", onlyUntold: false) == [])
    }
  }

  @Test @LoopActor func itemsThatNoModelReadsAreTooMany() async throws {
    try await run { store, _, _ in
      let long = StoredItem(id: "long", object: String(repeating: "x", count: 17 << 20))
      #expect(await store.append([long], to: "c1", areTold: true))
      #expect(await store.allItems(of: "c1", onlyUntold: false) == nil)
      #expect(await store.allItems(of: "c1", onlyUntold: true)?.count == 3)
    }
  }

  /// A conversation is its client's; responses can be asked for again.
  @Test @LoopActor func responsesMakeRoomForIt() async throws {
    try await run { store, database, _ in
      let responses = ResponseStore(database, maxAge: .seconds(3600))
      let text = String(repeating: "x", count: 5000)
      _ = try await database.perform { connection throws(StorageError) in
        try connection.setPragma("max_page_count", 200)
      }
      var number = 0
      while await responses.response("r0", of: Self.owner) != nil || number == 0 {
        let response = StoredResponse(
          id: "r\(number)", owner: Self.owner, createdAt: number, isBackground: false, previous: nil,
          conversation: nil, stage: .ended, object: "{}")
        #expect(await responses.add(response, input: [StoredItem(id: "i", object: text)]))
        number += 1
        try #require(number < 1000)
      }
      for index in 0..<100 {
        let item = StoredItem(id: "more\(index)", object: text)
        if await !store.append([item], to: "c1", areTold: true) { break }
      }
      #expect(await store.item("i1", of: "c1") != nil)
      #expect(await store.item("more50", of: "c1") != nil)
    }
  }
}
