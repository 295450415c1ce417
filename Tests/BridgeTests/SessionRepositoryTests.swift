// What any store of sessions must do, whatever it is made of: the same tests for each of them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct SessionRepositoryTests {
  /// A kind of store.
  enum Kind: CaseIterable { case files, memory }

  private static let alice = Principal(name: "alice")
  private static let bob = Principal(name: "bob")

  /// Runs `body` on an empty store.
  @LoopActor
  private func run(_ kind: Kind, _ body: @LoopActor (any SessionRepository) async throws -> Void) async throws {
    let directory = try ScratchDirectory()
    let repository: any SessionRepository
    switch kind {
    case .files: repository = try FileRepository(directory: directory.path)
    case .memory: repository = MemoryRepository()
    }
    do {
      try await body(repository)
    } catch {
      await repository.close()
      throw error
    }
    await repository.close()
  }

  private func record(_ thread: String = "t", usedAt: Int = 1, version: UInt64? = nil) -> SessionRecord {
    SessionRecord(
      current: ThreadRecord(id: ThreadID(thread), model: "m"), createdAt: 1, usedAt: usedAt, turns: 0,
      version: version)
  }

  private func ids(_ page: SessionPage) -> [String] { page.entries.map(\.key.id) }

  @Test(arguments: Kind.allCases) @LoopActor
  func isEmptyAtFirst(_ kind: Kind) async throws {
    try await run(kind) { repository in
      #expect(try await repository.count() == 0)
      #expect(try await repository.lookup("a") == nil)
      #expect(try await !repository.forget("a"))
      #expect(try await repository.page(SessionQuery(owner: .everybody, limit: 9)).total == 0)
      #expect(repository.failure == nil)
      try await repository.commit("a")
      try await repository.commit()
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func whatIsBoundIsKnown(_ kind: Kind) async throws {
    try await run(kind) { repository in
      try await repository.bind("a", record("t1"))
      try await repository.commit("a")
      #expect(try await repository.lookup("a") == record("t1"))
      #expect(try await repository.lookup("A") == nil)
      #expect(try await repository.count() == 1)
    }
  }

  /// Two that have read the same record: the second of them must read it again.
  @Test(arguments: Kind.allCases) @LoopActor
  func onlyTheLatestRecordIsReplaced(_ kind: Kind) async throws {
    try await run(kind) { repository in
      try await repository.bind("a", record("t1"))
      let first = try #require(try await repository.lookup("a"))
      var second = first
      second.use(ThreadRecord(id: ThreadID("t2"), model: "n"))
      try await repository.bind("a", second)
      await #expect(throws: RepositoryError.conflict) { try await repository.bind("a", first) }
      await #expect(throws: RepositoryError.conflict) { try await repository.bind("a", record("new")) }
      #expect(try await repository.lookup("a")?.thread == ThreadID("t2"))
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func whatWasForgottenIsNotReplaced(_ kind: Kind) async throws {
    try await run(kind) { repository in
      try await repository.bind("a", record("t1"))
      let read = try #require(try await repository.lookup("a"))
      #expect(try await repository.forget("a"))
      await #expect(throws: RepositoryError.conflict) { try await repository.bind("a", read) }
      #expect(try await repository.lookup("a") == nil)
      try await repository.bind("a", record("t2"))
      // Nor is one that was begun anew.
      await #expect(throws: RepositoryError.conflict) { try await repository.bind("a", read) }
      #expect(try await repository.lookup("a")?.thread == ThreadID("t2"))
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func everyChangeIsSeen(_ kind: Kind) async throws {
    try await run(kind) { repository in
      var seen = [repository.revision]
      try await repository.bind("a", record("t1"))
      seen.append(repository.revision)
      try await repository.bind("b", record("t2"))
      seen.append(repository.revision)
      try await repository.touch("a")
      seen.append(repository.revision)
      #expect(try await repository.forget("b"))
      seen.append(repository.revision)
      #expect(seen == seen.sorted() && Set(seen).count == seen.count)
      let version = try #require(try await repository.lookup("a")?.version)
      #expect(version > 0)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func aTurnIsCounted(_ kind: Kind) async throws {
    try await run(kind) { repository in
      try await repository.bind("a", record(usedAt: 1))
      let before = try #require(try await repository.lookup("a"))
      try await repository.touch("a")
      try await repository.touch("never")
      let after = try #require(try await repository.lookup("a"))
      #expect(after.turns == before.turns + 1)
      #expect(after.usedAt > before.usedAt)
      #expect((after.version ?? 0) > (before.version ?? 0))
      #expect(try await repository.count() == 1)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func answersAreNotedOnTheThreadThatIsUsed(_ kind: Kind) async throws {
    try await run(kind) { repository in
      try await repository.bind("a", record("t1"))
      try await repository.setAnswers(3, on: ThreadID("t1"), of: "a")
      try await repository.setAnswers(4, on: ThreadID("t2"), of: "a")
      try await repository.setAnswers(5, on: ThreadID("t1"), of: "never")
      let found = try #require(try await repository.lookup("a"))
      #expect(found.current.answers == 3)
      #expect(try await repository.count() == 1)
      // It is no change that somebody else would have to read again.
      try await repository.bind("a", found)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func ownersAreStrangers(_ kind: Kind) async throws {
    try await run(kind) { repository in
      let (hers, his) = (SessionKey(owner: Self.alice, id: "s"), SessionKey(owner: Self.bob, id: "s"))
      try await repository.bind(hers, record("t1"))
      #expect(try await repository.lookup(his) == nil)
      try await repository.bind(his, record("t2"))
      #expect(try await repository.lookup(hers)?.thread == ThreadID("t1"))
      #expect(try await repository.page(SessionQuery(owner: Self.alice, limit: 9)).entries.map(\.key) == [hers])
      #expect(try await repository.forget(his))
      #expect(try await repository.lookup(hers) != nil)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func pagesFollowEachOther(_ kind: Kind) async throws {
    try await run(kind) { repository in
      for index in 0..<25 { try await repository.bind("s\(index)", record(usedAt: index % 3)) }
      var query = SessionQuery(owner: .everybody, limit: 10)
      var found: [String] = []
      for expected in [true, true, false] {
        let page = try await repository.page(query)
        #expect(page.total == 25)
        #expect(page.hasMore == expected)
        found += ids(page)
        query.after = page.entries.last
      }
      #expect(found == (0..<25).reversed().map { "s\($0)" })
      query = SessionQuery(owner: .everybody, limit: 2, search: "S2")
      #expect(try await ids(repository.page(query)) == ["s24", "s23"])
      #expect(try await repository.page(query).total == 6)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func whatIsOldIsForgottenUnlessInUse(_ kind: Kind) async throws {
    try await run(kind) { repository in
      for (index, id) in ["a", "b", "c"].enumerated() {
        try await repository.bind(SessionKey(stringLiteral: id), record(usedAt: index))
      }
      let old = try await repository.forget(usedBefore: 2) { $0 == "a" }
      #expect(old == 1)
      #expect(try await repository.lookup("b") == nil)
      #expect(try await repository.count() == 2)
      let none = try await repository.forget(usedBefore: 0) { _ in false }
      #expect(none == 0)
    }
  }

  @Test(arguments: Kind.allCases) @LoopActor
  func surplusGoesByUse(_ kind: Kind) async throws {
    try await run(kind) { repository in
      for id in ["a", "b", "c", "d"] { try await repository.bind(SessionKey(stringLiteral: id), record()) }
      for limit in [nil, 4] {
        let none = try await repository.forgetSurplus(over: limit, keeping: nil) { _ in false }
        #expect(none == 0)
      }
      let unused = try await repository.forgetSurplus(over: 3, keeping: nil) { $0 == "a" }
      #expect(unused == 1)
      #expect(try await ids(repository.page(SessionQuery(owner: .everybody, limit: 9))) == ["d", "c", "a"])
      // Where all others have gone, one in use goes, and the newest stays.
      let used = try await repository.forgetSurplus(over: 1, keeping: "c") { _ in true }
      #expect(used == 2)
      #expect(try await ids(repository.page(SessionQuery(owner: .everybody, limit: 9))) == ["c"])
    }
  }
}
