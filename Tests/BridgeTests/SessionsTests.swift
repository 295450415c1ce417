// Whose turn it is in a session, how long sessions are remembered, and what of it is on disk.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct SessionsTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  @LoopActor private func store(queueLimit: Int = 2) async throws -> Sessions {
    try await .inFiles(directory.path, queueLimit: queueLimit)
  }

  private func record(_ thread: String, usedAt: Int = 1) -> SessionRecord {
    SessionRecord(thread: ThreadID(thread), model: "m", instructions: nil, createdAt: 1, usedAt: usedAt, turns: 0)
  }

  /// The threads in the file, by session.
  private var saved: JSONValue? {
    directory.text(of: ThreadMap.fileName).flatMap { try? JSONValue(parsing: $0) }?["sessions"]
  }

  @Test @LoopActor func startsEmptyAndWritesNothing() async throws {
    let store = try await store()
    #expect(try await store.count() == 0)
    #expect(try await store.record("a") == nil)
    #expect(directory.names == [StateLock.fileName])
  }

  @Test @LoopActor func aBoundSessionIsOnDiskWhenItSaysSo() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    #expect(try await store.record("a")?.thread == ThreadID("t1"))
    #expect(await store.isCommitted("a"))
    #expect(saved == ["a": "t1"])
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
  }

  @Test @LoopActor func survivesARestart() async throws {
    let before = try await store()
    await before.bind("a", record("t1"))
    await before.bind("b", record("t2"))
    #expect(await before.isCommitted())
    await before.close()
    let after = try await store()
    #expect(try await after.record("a") == record("t1"))
    #expect(try await after.record("b") == record("t2"))
    #expect(try await after.count() == 2)
    #expect(await after.isCommitted("a"))
  }

  @Test @LoopActor func manyAtOnceShareAFewWrites() async throws {
    let store = try await store()
    let all = Waiter<Void>()
    var savedCount = 0
    for index in 0..<200 {
      await store.bind("s\(index)", record("t\(index)"))
      Loop.spawn {
        if await store.isCommitted("s\(index)") { savedCount += 1 }
        if index == 199 { all.finish() }
      }
    }
    await all.value()
    #expect(await store.isCommitted())
    #expect(savedCount == 200)
    #expect(saved?.objectValue?.members.count == 200)
  }

  @Test @LoopActor func rebindingIsSavedToo() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    await store.bind("a", record("t2"))
    #expect(await store.isCommitted("a"))
    #expect(saved == ["a": "t2"])
  }

  @Test @LoopActor func forgetsForGood() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    await store.bind("b", record("t2"))
    #expect(try await store.forget("a"))
    #expect(try await !store.forget("a"))
    #expect(try await !store.forget("never"))
    #expect(await store.isCommitted())
    #expect(saved == ["b": "t2"])
    await store.close()
    #expect(try await self.store().record("a") == nil)
  }

  @Test @LoopActor func writesWhatIsLeftWhenItCloses() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    #expect(await store.isCommitted())
    await store.touch("a")
    await store.close()
    let after = try await self.store()
    #expect(try await after.record("a")?.turns == 1)
    #expect(try await (after.record("a")?.usedAt ?? 0) > 1)
  }

  @Test(arguments: [Int.max, .min]) @LoopActor
  func countsOnFromWhateverAFileSays(_ count: Int) async throws {
    try directory.write(
      "{\"sessions\":{\"a\":\"t\"},\"details\":{\"a\":{\"turns\":\(count),\"used\":\(count)}}}",
      to: ThreadMap.fileName)
    let store = try await store()
    await store.touch("a")
    #expect(try await (store.record("a")?.turns ?? 0) > 0)
    await store.close()
  }

  /// Its directory may be gone before its last write, which nobody waits for then. The suite counts the handles.
  @Test(arguments: [true, false]) @LoopActor
  func leavesNoTimerBehind(_ hasBound: Bool) async throws {
    let directory = try ScratchDirectory()
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1)
    await store.bind("a", record("t1"))
    if hasBound { return }
    try await store.commit()
    await store.touch("a")
  }

  @Test @LoopActor func touchingWhatIsForgottenBringsNothingBack() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    #expect(try await store.forget("a"))
    await store.touch("a")
    await store.close()
    #expect(try await self.store().count() == 0)
  }

  @Test(arguments: ["", "{\"sessions\":{\"a\":\"t1\"", "garbage", "[]"]) @LoopActor
  func setsADamagedFileAside(_ text: String) async throws {
    try directory.write(text, to: ThreadMap.fileName)
    let store = try await store()
    #expect(try await store.count() == 0)
    let aside = directory.names.filter { $0.hasPrefix("\(ThreadMap.fileName).damaged") }
    #expect(aside.count == 1)
    #expect(aside.first.flatMap(directory.text) == text)
    await store.bind("b", record("t2"))
    #expect(await store.isCommitted("b"))
    #expect(saved == ["b": "t2"])
    #expect(aside.first.flatMap(directory.text) == text)
  }

  @Test @LoopActor func severalDamagedFilesOfOneSecondAreAllKept() async throws {
    let texts = (1...3).map { "garbage \($0)" }
    for text in texts {
      try directory.write(text, to: ThreadMap.fileName)
      try await store().close()
    }
    let aside = directory.names.filter { $0.hasPrefix("\(ThreadMap.fileName).damaged") }
    #expect(Set(aside.compactMap(directory.text)) == Set(texts))
  }

  @Test @LoopActor func readsTheOriginalProjectsFile() async throws {
    try directory.write("{\"sessions\":{\"alice\":\"0199-a\"}}", to: ThreadMap.fileName)
    #expect(try await store().record("alice")?.thread == ThreadID("0199-a"))
  }

  @Test @LoopActor func refusesToStartOverAFileItCannotRead() async throws {
    try directory.makeDirectory(ThreadMap.fileName)
    await #expect(throws: ConfigurationError.self) { try await store() }
  }

  /// Nobody can make a file there, and root may.
  @Test @LoopActor func saysAtTheStartThatItCannotSave() async throws {
    let store = try await Sessions.inFiles("/proc", queueLimit: 1)
    #expect(store.failure != nil)
    await store.close()
  }

  @Test @LoopActor func saysWhenItCannotSave() async throws {
    let store = try await store()
    await store.bind("a", record("t1"))
    #expect(await store.isCommitted("a"))
    // A directory in the file's place fails every write, for root too.
    #expect(unlink(directory.file(ThreadMap.fileName)) == 0)
    try directory.makeDirectory(ThreadMap.fileName)
    await store.bind("b", record("t2"))
    #expect(await !store.isCommitted("b"))
    #expect(store.failure != nil)
    #expect(try await store.record("b") != nil)
    #expect(rmdir(directory.file(ThreadMap.fileName)) == 0)
    #expect(await store.isCommitted("b"))
    #expect(store.failure == nil)
    #expect(saved == ["a": "t1", "b": "t2"])
    await store.close()
  }

  // MARK: Lists

  private func ids(_ page: SessionPage) -> [String] { page.entries.map(\.key.id) }

  @Test @LoopActor func listsTheMostRecentFirst() async throws {
    let store = try await store()
    for (id, usedAt) in [("b", 5), ("a", 5), ("c", 9), ("d", 1)] {
      await store.bind(SessionKey(stringLiteral: id), record("t", usedAt: usedAt))
    }
    let page = try await store.page(of: .everybody, limit: 10)
    #expect(ids(page) == ["d", "c", "a", "b"])
    #expect(page.total == 4)
    #expect(!page.hasMore)
  }

  /// Maps that were written without numbers have the time, and come before what has one.
  @Test @LoopActor func listsAnOlderMapByItsTimes() async throws {
    let times = [("b", 5), ("a", 5), ("c", 9), ("d", 1)] as [(SessionKey, Int)]
    let table = SessionTable(Dictionary(uniqueKeysWithValues: times.map { ($0, record("t", usedAt: $1)) }))
    try FileContents.replace(directory.file(ThreadMap.fileName), with: ThreadMap.encode(table))
    let store = try await store()
    #expect(try await ids(store.page(of: .everybody, limit: 10)) == ["c", "a", "b", "d"])
    await store.bind("d", record("t", usedAt: 1))
    #expect(try await ids(store.page(of: .everybody, limit: 10)) == ["d", "c", "a", "b"])
  }

  @Test @LoopActor func pagesFollowEachOtherWithoutGapOrRepetition() async throws {
    let store = try await store()
    var random = SeededGenerator(13)
    for index in 0..<60 {
      await store.bind("s\(index)", record("t", usedAt: Int.random(in: 0..<10, using: &random)))
    }
    let all = try await store.page(of: .everybody, limit: 1000).entries
    #expect(all.count == 60)
    for limit in [1, 7, 59, 60, 100] {
      var found: [SessionEntry] = []
      while true {
        let page = try await store.page(of: .everybody, limit: limit, after: found.last)
        #expect(page.total == 60)
        found += page.entries
        guard page.hasMore else { break }
        #expect(page.entries.count == limit)
      }
      #expect(found == all)
    }
  }

  @Test @LoopActor func searchesInAnyCase() async throws {
    let store = try await store()
    for id in ["Alpha", "beta", "alphabet"] { await store.bind(SessionKey(stringLiteral: id), record("t")) }
    let page = try await store.page(of: .everybody, limit: 10, search: "ALPHA")
    #expect(Set(ids(page)) == ["Alpha", "alphabet"])
    #expect(page.total == 2)
    #expect(try await store.page(of: .everybody, limit: 10, search: "").total == 3)
  }

  @Test @LoopActor func searchesTitlesToo() async throws {
    let store = try await store()
    for (id, title) in [("a", "Über Katzen"), ("katze", nil), ("c", "Dogs")] as [(String, String?)] {
      var named = record("t")
      named.title = title
      await store.bind(SessionKey(stringLiteral: id), named)
    }
    for (search, found) in [("KATZE", ["a", "katze"]), ("über", ["a"]), ("dogs", ["c"]), ("birds", [])] {
      let page = try await store.page(of: .everybody, limit: 10, search: search)
      #expect(Set(ids(page)) == Set(found), "\(search)")
    }
  }

  /// A turn that runs meanwhile changes the record too.
  @Test @LoopActor func isRenamed() async throws {
    let store = try await store()
    await store.bind("a", record("t"))
    async let touched: Void = store.touch("a")
    #expect(try await store.rename("a", to: "new")?.title == "new")
    await touched
    #expect(try await store.record("a")?.title == "new")
    #expect(try await store.record("a")?.turns == record("t").turns + 1)
    #expect(try await store.rename("b", to: "new") == nil)
    #expect(try await store.record("b") == nil)
  }

  @Test @LoopActor func whatIsFoundBesideTheLoopIsTheSame() async throws {
    let store = try await store()
    for id in ["Alpha", "beta", "alphabet"] { await store.bind(SessionKey(stringLiteral: id), record("t")) }
    let page = try await store.page(of: .everybody, limit: 1, search: "alpha")
    #expect(ids(page).count == 1)
    #expect(page.total == 2)
    #expect(page.hasMore)
  }

  // MARK: Owners

  private static let alice = Principal(name: "alice")
  private static let bob = Principal(name: "bob")

  @Test @LoopActor func oneIdOfTwoOwnersIsTwoSessions() async throws {
    let store = try await store()
    let (hers, his) = (SessionKey(owner: Self.alice, id: "s"), SessionKey(owner: Self.bob, id: "s"))
    await store.bind(hers, record("t1"))
    #expect(try await store.record(his) == nil)
    #expect(try await !store.forget(his))
    await store.bind(his, record("t2"))
    #expect(try await ids(store.page(of: Self.alice, limit: 10)) == ["s"])
    await store.close()
    let after = try await self.store()
    #expect(try await after.record(hers)?.thread == ThreadID("t1"))
    #expect(try await after.record(his)?.thread == ThreadID("t2"))
    #expect(try await after.forget(his))
    #expect(try await after.record(hers) != nil)
    await after.close()
  }

  @Test @LoopActor func idsThatOnlyLookTheSameAreTwoSessions() async throws {
    let store = try await store()
    await store.bind("jos\u{E9}", record("t1"))
    #expect(try await store.record("jose\u{301}") == nil)
    await store.bind("jose\u{301}", record("t2"))
    await store.close()
    let after = try await self.store()
    #expect(try await after.record("jos\u{E9}")?.thread == ThreadID("t1"))
    #expect(try await after.record("jose\u{301}")?.thread == ThreadID("t2"))
    await after.close()
  }

  @Test @LoopActor func whatNobodyOwnsIsTheDefaultOwners() async throws {
    try directory.write("{\"sessions\":{\"s\":\"t1\"}}", to: ThreadMap.fileName)
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1, defaultOwner: Self.alice)
    #expect(try await store.record(SessionKey(owner: Self.alice, id: "s"))?.thread == ThreadID("t1"))
    #expect(try await store.record("s") == nil)
    #expect(try await store.record(SessionKey(owner: Self.bob, id: "s")) == nil)
    #expect(try await store.count() == 1)
    await store.close()
  }

  // MARK: Other bridges

  @Test @LoopActor func aSecondStoreOnTheSameFileIsRefused() async throws {
    let store = try await store()
    let error = await #expect(throws: ConfigurationError.self) { try await self.store() }
    #expect(error?.description.contains("process \(getpid())") == true)
    #expect(error?.description.contains("CODEX_STATE_DIR") == true)
    await store.close()
    try await self.store().close()
  }

  @Test @LoopActor func oneThatIsAboutToCloseIsWaitedFor() async throws {
    let store = try await store()
    store.announceClose()
    let directory = directory.path
    async let other = Loop.offLoop { () -> StateLock? in try? StateLock(directory: directory) }
    await store.bind("a", record("t1"))
    await Loop.sleep(.milliseconds(20))
    await store.close()
    let lock = await other
    #expect(lock != nil)
    lock?.release()
  }

  // MARK: Forgetting

  @Test @LoopActor func forgetsWhatIsOlderThanConfigured() async throws {
    let before = try await store()
    await before.bind("old", record("t1", usedAt: unixTime() - 7200))
    await before.bind("new", record("t2", usedAt: unixTime()))
    await before.close()
    let store = try await Sessions.inFiles(
      directory.path, queueLimit: 1, retention: .init(maxAge: .seconds(3600)))
    #expect(try await store.record("old") == nil)
    #expect(try await store.record("new") != nil)
    #expect(await store.isCommitted())
    #expect(saved == ["new": "t2"])
    await store.close()
  }

  @Test @LoopActor func keepsAsManyAsConfigured() async throws {
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1, retention: .init(maxCount: 3))
    let ticket = try #require(store.enter("s0"))
    for index in 0..<6 { await store.bind("s\(index)", record("t", usedAt: 100 + index)) }
    #expect(try await store.record("s0") != nil, "a session in use was forgotten")
    #expect(try await store.record("s5") != nil)
    #expect(try await store.record("s1") == nil)
    #expect(try await store.count() == 3)
    store.leave("s0", ticket)
    await store.close()
  }

  /// Six sessions within a second: those used last stay, and not those whose names come first.
  @Test(arguments: [false, true]) @LoopActor func theOrderOfUseIsFinerThanASecond(_ isInUse: Bool) async throws {
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1, retention: .init(maxCount: 3))
    let names = ["f", "a", "e", "b", "d", "c"].map { SessionKey(stringLiteral: $0) }
    var tickets: [PermitQueue.Ticket] = []
    for name in names {
      if isInUse { tickets.append(try #require(store.enter(name))) }
      await store.bind(name, record("t", usedAt: 100))
    }
    var isKnown: [Bool] = []
    for name in names { isKnown.append(try await store.record(name) != nil) }
    #expect(isKnown == [false, false, false, true, true, true])
    #expect(try await store.page(of: .everybody, limit: 9).entries.map(\.key) == names.suffix(3).reversed())
    for (name, ticket) in zip(names, tickets) { store.leave(name, ticket) }
    await store.close()
    let next = try await Sessions.inFiles(directory.path, queueLimit: 1, retention: .init(maxCount: 2))
    #expect(try await next.page(of: .everybody, limit: 9).entries.map(\.key) == names.suffix(2).reversed())
    // A clock that was put back changes nothing.
    await next.bind("z", record("t", usedAt: 1))
    #expect(try await next.page(of: .everybody, limit: 9).entries.map(\.key) == ["z", "c"])
    await next.close()
  }

  /// What was written can be read: the oldest sessions go before the map is too large.
  @Test @LoopActor func theMapStaysWithinItsSize() async throws {
    let limit = 100_000
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1, maxMapBytes: limit)
    for index in 0..<400 {
      await store.bind(SessionKey(stringLiteral: "s\(index)" + String(repeating: "\"", count: 200)), record("t"))
    }
    #expect(await store.isCommitted())
    let size = try #require(directory.text(of: ThreadMap.fileName)).utf8.count
    #expect(size <= limit + 4096)
    #expect(size > limit / 4)
    #expect(try await store.count() < 400)
    #expect(try await store.record(SessionKey(stringLiteral: "s399" + String(repeating: "\"", count: 200))) != nil)
    await store.close()
  }

  @Test @LoopActor func anOldMapAboveTheLimitIsCutAtTheStart() async throws {
    let before = try await store()
    for index in 0..<20 { await before.bind("s\(index)", record("t")) }
    await before.close()
    let store = try await Sessions.inFiles(directory.path, queueLimit: 1, retention: .init(maxCount: 5))
    #expect(
      try await store.page(of: .everybody, limit: 9).entries.map(\.key.id) == (15..<20).reversed().map { "s\($0)" }
    )
    await store.close()
  }

  /// A turn is noted without a write of its own.
  @Test @LoopActor func theNumberOfAnswersIsNoted() async throws {
    let store = try await store()
    await store.bind("s", record("t"))
    await store.setAnswers(3, on: ThreadID("t"), of: "s")
    await store.setAnswers(4, on: ThreadID("another"), of: "s")
    await store.setAnswers(3, on: ThreadID("t"), of: "nobody")
    #expect(try await store.record("s")?.current.answers == 3)
    #expect(try await store.count() == 1)
    await store.touch("s")
    await store.close()
    let next = try await self.store()
    #expect(try await next.record("s")?.current.answers == 3)
    await next.close()
  }

  // MARK: Queues

  @Test @LoopActor func oneTurnAtATimePerSession() async throws {
    let store = try await store()
    let first = try #require(store.enter("a"))
    let second = try #require(store.enter("a"))
    #expect(await first.wait())
    #expect(store.isRunning("a"))
    #expect(store.waitingCount("a") == 1)
    store.leave("a", first)
    #expect(await second.wait())
    #expect(store.waitingCount("a") == 0)
    store.leave("a", second)
    #expect(!store.isRunning("a"))
  }

  @Test @LoopActor func sessionsDoNotWaitForEachOther() async throws {
    let store = try await store(queueLimit: 0)
    let first = try #require(store.enter("a"))
    let other = try #require(store.enter("b"))
    #expect(await first.wait())
    #expect(await other.wait())
    #expect(store.enter("a") == nil)
    #expect(store.isRunning("b"))
    store.leave("a", first)
    #expect(store.enter("a") != nil)
  }

  @Test @LoopActor func theQueueOfASessionIsBounded() async throws {
    let store = try await store(queueLimit: 2)
    let tickets = (0..<3).compactMap { _ in store.enter("a") }
    #expect(tickets.count == 3)
    #expect(store.enter("a") == nil)
    for ticket in tickets { store.leave("a", ticket) }
    #expect(!store.isRunning("a"))
    #expect(store.enter("a") != nil)
  }

  @Test @LoopActor func leavingTwiceIsHarmless() async throws {
    let store = try await store()
    let first = try #require(store.enter("a"))
    let second = try #require(store.enter("a"))
    store.leave("a", first)
    store.leave("a", first)
    #expect(store.isRunning("a"))
    store.leave("a", second)
    #expect(!store.isRunning("a"))
  }

  // MARK: A store that fails or is shared

  /// A store that another host changes, too.
  @LoopActor
  private final class SharedStore {
    let repository = MemoryRepository()
    private(set) var changes = 0

    /// A change by the other host; it forgets that somebody has this session in use.
    func change(_ key: SessionKey, to record: SessionRecord) throws(RepositoryError) {
      changes += 1
      _ = try repository.forget(key)
      try repository.bind(key, record)
    }
  }

  @Test @LoopActor func aChangeThatWasNotTakenIsToldInTheEnd() async throws {
    let repository = MemoryRepository()
    let sessions = Sessions(repository: repository, queueLimit: 1)
    let ticket = try #require(sessions.enter("a"))
    repository.failure = .unavailable("the disk is away")
    #expect(sessions.failure == .unavailable("the disk is away"))
    await sessions.bind("a", record("t1"))
    await sessions.touch("a")
    await sessions.setAnswers(1, on: ThreadID("t1"), of: "a")
    repository.failure = nil
    await #expect(throws: RepositoryError.unavailable("the disk is away")) { try await sessions.commit("a") }
    #expect(try await sessions.record("a") == nil)
    await sessions.bind("a", record("t2"))
    try await sessions.commit("a")
    sessions.leave("a", ticket)
  }

  /// What one request could not store is no fault of the next.
  @Test @LoopActor func aFailureEndsWithTheUseOfTheSession() async throws {
    let repository = MemoryRepository()
    let sessions = Sessions(repository: repository, queueLimit: 1)
    let first = try #require(sessions.enter("a"))
    repository.failure = .unavailable("the disk is away")
    await sessions.bind("a", record("t1"))
    repository.failure = nil
    sessions.leave("a", first)
    let second = try #require(sessions.enter("a"))
    try await sessions.commit("a")
    sessions.leave("a", second)
  }

  @Test @LoopActor func aStoreThatFailsIsTold() async throws {
    let repository = MemoryRepository()
    let sessions = Sessions(
      repository: repository, queueLimit: 1, retention: .init(maxAge: .seconds(1), maxCount: 1))
    let failure = RepositoryError.unavailable("away")
    repository.failure = failure
    await sessions.startForgetting()
    await #expect(throws: failure) { try await sessions.count() }
    await #expect(throws: failure) { try await sessions.record("a") }
    await #expect(throws: failure) { try await sessions.page(of: .everybody, limit: 1) }
    await #expect(throws: failure) { try await sessions.forget("a") }
    await #expect(throws: failure) { try await sessions.commit("a") }
    await #expect(throws: failure) { try await sessions.commit() }
    await sessions.close()
  }

  @Test @LoopActor func aChangeThatMeetsAnotherIsMadeAgain() async throws {
    let store = SharedStore()
    let sessions = Sessions(repository: store.repository, queueLimit: 1)
    let (other, own) = (record("theirs"), ThreadRecord(id: ThreadID("own"), model: "n"))
    await sessions.update("a") { known in
      if store.changes == 0 { try? store.change("a", to: other) }
      guard var changed = known else { return SessionRecord(current: own, createdAt: 1, usedAt: 1, turns: 0) }
      changed.use(own)
      return changed
    }
    let found = try #require(try await sessions.record("a"))
    #expect(found.thread == own.id)
    #expect(found.others.map(\.id) == [other.thread])
  }

  @Test @LoopActor func changesThatNeverEndAreGivenUp() async throws {
    let store = SharedStore()
    let sessions = Sessions(repository: store.repository, queueLimit: 1)
    let ticket = try #require(sessions.enter("a"))
    let (other, own) = (record("theirs"), record("own"))
    await sessions.update("a") { _ in
      try? store.change("a", to: other)
      return own
    }
    #expect(store.changes < 10)
    await #expect(throws: RepositoryError.conflict) { try await sessions.commit("a") }
    #expect(try await sessions.record("a") == other)
    sessions.leave("a", ticket)
  }

  @Test @LoopActor func aChangeToNothingIsNone() async throws {
    let repository = MemoryRepository()
    let sessions = Sessions(repository: repository, queueLimit: 1)
    let before = repository.revision
    await sessions.update("a") { _ in nil }
    #expect(repository.revision == before)
    #expect(try await sessions.count() == 0)
  }
}
