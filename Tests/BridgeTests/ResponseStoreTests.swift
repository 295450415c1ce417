// Responses in the database: what lasts, whose it is, what they go on from, and what makes room.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ResponseStoreTests {
  private static let owner = Principal(name: "a")
  private static let other = Principal(name: "b")
  private static let month = Duration.seconds(30 * 24 * 3600)

  private static func response(
    _ id: String, owner: Principal = owner, previous: String? = nil, createdAt: Int = unixTime()
  ) -> StoredResponse {
    StoredResponse(
      id: id, owner: owner, createdAt: createdAt, isBackground: false, previous: previous, conversation: nil,
      stage: .unfinished, object: "{}")
  }

  private static func items(_ names: String...) -> [StoredItem] {
    names.map { StoredItem(id: $0, object: "\"\($0)\"") }
  }

  private static func place(_ session: String, thread: String = "t") -> StoredResponse.Place {
    StoredResponse.Place(
      session: SessionKey(owner: owner, id: session, profile: .chat),
      thread: ThreadRecord(
        id: ThreadID(thread), model: "m", instructions: "i",
        tools: ToolSet([Conversation.Tool(name: "f", parameters: [:])])),
      turnID: "turn", hasCalls: true, answered: ConversationDigest(owner: owner))
  }

  /// Runs `body` on a database of its own.
  @LoopActor
  private func run(
    maxAge: Duration = month, _ body: @LoopActor (ResponseStore, Database, TemporaryDirectory) async throws -> Void
  ) async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let database = Database(directory: place.path)
    try await body(ResponseStore(database, maxAge: maxAge), database, place)
  }

  // MARK: What lasts

  @Test @LoopActor func aResponseLastsBeyondItsProcess() async throws {
    try await run { store, _, place in
      var response = StoredResponse(
        id: "r1", owner: Self.owner, createdAt: 5, isBackground: true, previous: "r0", conversation: "c",
        stage: .unfinished, object: #"{"status":"queued"}"#)
      #expect(await store.add(response, input: Self.items("i1", "i2")))
      #expect(await store.response("r1", of: Self.owner) == response)
      response.stage = .ended
      response.place = Self.place("s")
      response.object = #"{"status":"completed"}"#
      #expect(await store.end(response, output: Self.items("o1")))
      let second = ResponseStore(Database(directory: place.path), maxAge: Self.month)
      #expect(await second.response("r1", of: Self.owner) == response)
      #expect(await second.items(["o1", "i1", "x"], of: Self.owner) == ["o1": "\"o1\"", "i1": "\"i1\""])
      // What begins again has no output yet.
      response.stage = .unfinished
      response.place = nil
      #expect(await second.end(response, output: []))
      #expect(await store.response("r1", of: Self.owner) == response)
      #expect(await store.items(["o1"], of: Self.owner) == [:])
    }
  }

  @Test @LoopActor func anIDIsTakenOnce() async throws {
    try await run { store, _, _ in
      #expect(await store.add(Self.response("r1"), input: []))
      #expect(await !store.add(Self.response("r1", owner: Self.other), input: []))
      #expect(await store.response("r1", of: Self.other) == nil)
    }
  }

  @Test @LoopActor func whoKeepsNothingHasNoFile() async throws {
    try await run { store, _, place in
      #expect(await store.response("r1", of: Self.owner) == nil)
      #expect(await store.input(of: "r1", Self.owner, ItemPage()) == nil)
      #expect(await store.items(["i"], of: Self.owner) == [:])
      #expect(await store.history(of: "r1", Self.owner) == nil)
      #expect(await !store.remove("r1", of: Self.owner))
      #expect(await store.unfinished() == [])
      #expect(await store.sweep() == [])
      #expect(ScratchDirectory.names(in: place.path) == [])
    }
  }

  // MARK: Owners

  /// Another key's response is an unknown one.
  @Test @LoopActor func nobodyElseSeesIt() async throws {
    try await run { store, _, _ in
      #expect(await store.add(Self.response("r1"), input: Self.items("i1")))
      #expect(await store.add(Self.response("r2", owner: Self.other, previous: "r1"), input: []))
      #expect(await store.response("r1", of: Self.other) == nil)
      #expect(await store.input(of: "r1", Self.other, ItemPage()) == nil)
      #expect(await store.items(["i1"], of: Self.other) == [:])
      #expect(await store.history(of: "r1", Self.other) == nil)
      #expect(await store.history(of: "r2", Self.other) == nil)
      #expect(await !store.remove("r1", of: Self.other))
      #expect(await store.response("r1", of: Self.owner) != nil)
    }
  }

  // MARK: Pages

  @Test @LoopActor func inputIsListedInPages() async throws {
    try await run { store, _, _ in
      let names = (0..<25).map { "i\($0)" }
      #expect(
        await store.add(Self.response("r1"), input: names.map { StoredItem(id: $0, object: "\"\($0)\"") }))
      var ended = Self.response("r1")
      ended.stage = .ended
      #expect(await store.end(ended, output: Self.items("o1")))
      func page(_ page: ItemPage) async -> ([String], Bool) {
        let list = await store.input(of: "r1", Self.owner, page)
        return (list?.items.map(\.id) ?? [], list?.hasMore ?? false)
      }
      #expect(await page(ItemPage()) == (Array(names.reversed().prefix(20)), true))
      #expect(await page(ItemPage(after: "i5")) == (Array(names.prefix(5).reversed()), false))
      #expect(await page(ItemPage(limit: 2, isAscending: true)) == (["i0", "i1"], true))
      #expect(await page(ItemPage(limit: 2, isAscending: true, after: "i22")) == (["i23", "i24"], false))
      #expect(await page(ItemPage(limit: 25)) == (names.reversed(), false))
      #expect(await page(ItemPage(limit: 5, after: "i0")) == ([], false))
    }
  }

  // MARK: Chains

  @Test @LoopActor func aHistoryIsAllThatWasSaid() async throws {
    try await run { store, _, _ in
      var previous: String?
      for number in 1...3 {
        var response = Self.response("r\(number)", previous: previous)
        #expect(await store.add(response, input: Self.items("i\(number)a", "i\(number)b")))
        response.stage = .ended
        #expect(await store.end(response, output: Self.items("o\(number)a", "o\(number)b")))
        previous = response.id
      }
      let all = (1...3).flatMap { ["i\($0)a", "i\($0)b", "o\($0)a", "o\($0)b"].map { "\"\($0)\"" } }
      #expect(await store.history(of: "r3", Self.owner) == all)
      #expect(await store.history(of: "r1", Self.owner) == Array(all.prefix(4)))
      #expect(await store.history(of: "r4", Self.owner) == nil)
      // With a link missing, nobody knows what was said.
      #expect(await store.remove("r2", of: Self.owner))
      #expect(await store.history(of: "r3", Self.owner) == nil)
      #expect(await store.history(of: "r1", Self.owner)?.count == 4)
      #expect(await store.response("r3", of: Self.owner)?.previous == "r2")
    }
  }

  @Test @LoopActor func aChainThatLeadsToItselfEnds() async throws {
    try await run { store, _, _ in
      #expect(await store.add(Self.response("r1", previous: "r2"), input: []))
      #expect(await store.add(Self.response("r2", previous: "r1"), input: []))
      #expect(await store.history(of: "r1", Self.owner) == nil)
    }
  }

  @Test @LoopActor func aHistoryThatNoModelReadsIsNone() async throws {
    try await run { store, _, _ in
      let long = String(repeating: "x", count: 9 << 20)
      #expect(await store.add(Self.response("r1"), input: [StoredItem(id: "i1", object: long)]))
      #expect(await store.add(Self.response("r2", previous: "r1"), input: [StoredItem(id: "i2", object: long)]))
      #expect(await store.history(of: "r1", Self.owner)?.count == 1)
      #expect(await store.history(of: "r2", Self.owner) == nil)
    }
  }

  // MARK: What is forgotten

  @Test @LoopActor func whatIsRemovedIsGoneWithItsItems() async throws {
    try await run { store, _, _ in
      let response = Self.response("r1")
      #expect(await store.add(response, input: Self.items("i1")))
      #expect(await store.remove("r1", of: Self.owner))
      #expect(await !store.remove("r1", of: Self.owner))
      #expect(await store.items(["i1"], of: Self.owner) == [:])
      // It ends all the same, and stays away.
      #expect(await store.end(response, output: Self.items("o1")))
      #expect(await store.response("r1", of: Self.owner) == nil)
      #expect(await store.items(["o1"], of: Self.owner) == [:])
    }
  }

  @LoopActor
  private func keep(_ store: ResponseStore, _ id: String, session: String, createdAt: Int = unixTime()) async {
    var response = Self.response(id, createdAt: createdAt)
    #expect(await store.add(response, input: []))
    response.stage = .ended
    response.place = Self.place(session)
    #expect(await store.end(response, output: []))
  }

  /// A session is left when the last response is gone from which one could go on in it, and told once.
  @Test @LoopActor func theSessionsThatNobodyGoesOnFromAreTold() async throws {
    try await run { store, _, _ in
      let session = SessionKey.ofResponses(owner: Self.owner, profile: .chat)
      await keep(store, "r1", session: session.id)
      await keep(store, "r2", session: session.id)
      // A session that its client has named is its own.
      await keep(store, "r3", session: "named")
      #expect(await store.sweep() == [])
      #expect(await store.remove("r1", of: Self.owner))
      #expect(await store.sweep() == [])
      #expect(await store.remove("r2", of: Self.owner))
      #expect(await store.remove("r3", of: Self.owner))
      #expect(await store.sweep() == [session])
      #expect(await store.sweep() == [])
    }
  }

  @Test @LoopActor func whatIsTooOldIsForgotten() async throws {
    try await run(maxAge: .seconds(3600)) { store, _, _ in
      let session = SessionKey.ofResponses(owner: Self.owner, profile: .chat)
      await keep(store, "old", session: session.id, createdAt: unixTime() - 7200)
      await keep(store, "new", session: "s", createdAt: unixTime() - 60)
      #expect(await store.add(Self.response("running", createdAt: unixTime() - 7200), input: []))
      #expect(await store.sweep() == [session])
      #expect(await store.response("old", of: Self.owner) == nil)
      #expect(await store.response("new", of: Self.owner) != nil)
      #expect(await store.response("running", of: Self.owner) != nil)
    }
    try await run(maxAge: .zero) { store, _, _ in
      await keep(store, "old", session: "s", createdAt: 5)
      #expect(await store.sweep() == [])
      #expect(await store.response("old", of: Self.owner) != nil)
    }
  }

  @Test @LoopActor func whatAProcessHasLeftIsKnown() async throws {
    try await run { store, _, place in
      let left = Self.response("r1")
      #expect(await store.add(left, input: Self.items("i1")))
      await keep(store, "r2", session: "s")
      let next = ResponseStore(Database(directory: place.path), maxAge: Self.month)
      #expect(await next.unfinished() == [left])
    }
  }

  // MARK: Room

  @Test @LoopActor func theOldestMakeRoom() async throws {
    try await run { store, database, _ in
      #expect(await store.add(Self.response("first", createdAt: 1), input: []))
      _ = try await database.perform { connection throws(StorageError) in
        try connection.setPragma("max_page_count", 160)
      }
      // Each takes about a page and a half.
      let text = String(repeating: "x", count: 5000)
      for number in 2..<400 {
        #expect(
          await store.add(
            Self.response("r\(number)", createdAt: number), input: [StoredItem(id: "i\(number)", object: text)]))
      }
      #expect(await store.response("first", of: Self.owner) == nil)
      #expect(await store.response("r399", of: Self.owner) != nil)
      // What cannot be kept with all the room there is, is not, and the next one is.
      let huge = StoredItem(id: "i", object: String(repeating: "x", count: 2 << 20))
      #expect(await !store.add(Self.response("huge", createdAt: 500), input: [huge]))
      #expect(await store.response("huge", of: Self.owner) == nil)
      #expect(await store.add(Self.response("small", createdAt: 501), input: []))
    }
  }

  // MARK: Older files

  /// A file of a version that had no responses gets their tables and keeps what it has.
  @Test @LoopActor func anOlderFileGetsItsTables() async throws {
    try await run { _, database, place in
      await PassingThreads(database).add(ThreadID("t"))
      _ = try await database.perform { connection throws(StorageError) in
        try connection.run("DROP TABLE response_items")
        try connection.run("DROP TABLE responses")
        try connection.run("DROP TABLE response_sessions")
        try connection.run("DROP TABLE conversation_items")
        try connection.run("DROP TABLE conversations")
        try connection.setPragma("user_version", 3)
      }
      let later = Database(directory: place.path)
      let store = ResponseStore(later, maxAge: Self.month)
      #expect(await store.add(Self.response("r1"), input: Self.items("i1")))
      #expect(await PassingThreads(later).all() == [ThreadID("t")])
    }
  }
}
