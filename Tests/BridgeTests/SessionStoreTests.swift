// Sessions in memory and on disk.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct SessionStoreTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  @LoopActor private func store(queueLimit: Int = 2) throws -> SessionStore {
    try SessionStore(directory: directory.path, queueLimit: queueLimit)
  }

  private func record(_ thread: String, usedAt: Int = 1) -> SessionRecord {
    SessionRecord(thread: ThreadID(thread), model: "m", instructions: nil, createdAt: 1, usedAt: usedAt, turns: 0)
  }

  /// The threads in the file, by session.
  private var saved: JSONValue? {
    directory.text(of: ThreadMap.fileName).flatMap { try? JSONValue(parsing: $0) }?["sessions"]
  }

  @Test @LoopActor func startsEmptyAndWritesNothing() throws {
    let store = try store()
    #expect(store.count == 0)
    #expect(store.record("a") == nil)
    #expect(directory.names == [StateLock.fileName])
  }

  @Test @LoopActor func aBoundSessionIsOnDiskWhenItSaysSo() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    #expect(store.record("a")?.thread == ThreadID("t1"))
    #expect(await store.isSaved("a"))
    #expect(saved == ["a": "t1"])
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
  }

  @Test @LoopActor func survivesARestart() async throws {
    let before = try store()
    before.bind("a", record("t1"))
    before.bind("b", record("t2"))
    #expect(await before.commit())
    await before.close()
    let after = try store()
    #expect(after.record("a") == record("t1"))
    #expect(after.record("b") == record("t2"))
    #expect(after.count == 2)
    #expect(await after.isSaved("a"))
  }

  @Test @LoopActor func manyAtOnceShareAFewWrites() async throws {
    let store = try store()
    let all = Waiter<Void>()
    var savedCount = 0
    for index in 0..<200 {
      store.bind("s\(index)", record("t\(index)"))
      Loop.spawn {
        if await store.isSaved("s\(index)") { savedCount += 1 }
        if index == 199 { all.finish() }
      }
    }
    await all.value()
    #expect(await store.commit())
    #expect(savedCount == 200)
    #expect(saved?.objectValue?.members.count == 200)
  }

  @Test @LoopActor func rebindingIsSavedToo() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    store.bind("a", record("t2"))
    #expect(await store.isSaved("a"))
    #expect(saved == ["a": "t2"])
  }

  @Test @LoopActor func forgetsForGood() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    store.bind("b", record("t2"))
    #expect(store.forget("a"))
    #expect(!store.forget("a"))
    #expect(!store.forget("never"))
    #expect(await store.commit())
    #expect(saved == ["b": "t2"])
    await store.close()
    #expect(try self.store().record("a") == nil)
  }

  @Test @LoopActor func writesWhatIsLeftWhenItCloses() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    #expect(await store.commit())
    store.touch("a")
    await store.close()
    let after = try self.store()
    #expect(after.record("a")?.turns == 1)
    #expect((after.record("a")?.usedAt ?? 0) > 1)
  }

  @Test(arguments: [Int.max, .min]) @LoopActor
  func countsOnFromWhateverAFileSays(_ count: Int) async throws {
    try directory.write(
      "{\"sessions\":{\"a\":\"t\"},\"details\":{\"a\":{\"turns\":\(count),\"used\":\(count)}}}",
      to: ThreadMap.fileName)
    let store = try store()
    store.touch("a")
    #expect((store.record("a")?.turns ?? 0) > 0)
    await store.close()
  }

  /// Its directory may be gone before its last write, which nobody waits for then. The suite counts the handles.
  @Test(arguments: [true, false]) @LoopActor
  func leavesNoTimerBehind(_ hasBound: Bool) throws {
    let directory = try ScratchDirectory()
    let store = try SessionStore(directory: directory.path, queueLimit: 1)
    if hasBound { store.bind("a", record("t1")) } else { store.touch("a") }
  }

  @Test @LoopActor func touchingWhatIsForgottenBringsNothingBack() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    #expect(store.forget("a"))
    store.touch("a")
    await store.close()
    #expect(try self.store().count == 0)
  }

  @Test(arguments: ["", "{\"sessions\":{\"a\":\"t1\"", "garbage", "[]"]) @LoopActor
  func setsADamagedFileAside(_ text: String) async throws {
    try directory.write(text, to: ThreadMap.fileName)
    let store = try store()
    #expect(store.count == 0)
    let aside = directory.names.filter { $0.hasPrefix("\(ThreadMap.fileName).damaged") }
    #expect(aside.count == 1)
    #expect(aside.first.flatMap(directory.text) == text)
    store.bind("b", record("t2"))
    #expect(await store.isSaved("b"))
    #expect(saved == ["b": "t2"])
    #expect(aside.first.flatMap(directory.text) == text)
  }

  @Test @LoopActor func severalDamagedFilesOfOneSecondAreAllKept() async throws {
    let texts = (1...3).map { "garbage \($0)" }
    for text in texts {
      try directory.write(text, to: ThreadMap.fileName)
      await (try store()).close()
    }
    let aside = directory.names.filter { $0.hasPrefix("\(ThreadMap.fileName).damaged") }
    #expect(Set(aside.compactMap(directory.text)) == Set(texts))
  }

  @Test @LoopActor func readsTheOriginalProjectsFile() throws {
    try directory.write("{\"sessions\":{\"alice\":\"0199-a\"}}", to: ThreadMap.fileName)
    #expect(try store().record("alice")?.thread == ThreadID("0199-a"))
  }

  @Test @LoopActor func refusesToStartOverAFileItCannotRead() throws {
    try directory.makeDirectory(ThreadMap.fileName)
    #expect(throws: ConfigurationError.self) { try store() }
  }

  /// Nobody can make a file there, and root may.
  @Test @LoopActor func saysAtTheStartThatItCannotSave() async throws {
    let store = try SessionStore(directory: "/proc", queueLimit: 1)
    #expect(store.writeFailure != nil)
    await store.close()
  }

  @Test @LoopActor func saysWhenItCannotSave() async throws {
    let store = try store()
    store.bind("a", record("t1"))
    #expect(await store.isSaved("a"))
    // A directory in the file's place fails every write, for root too.
    #expect(unlink(directory.file(ThreadMap.fileName)) == 0)
    try directory.makeDirectory(ThreadMap.fileName)
    store.bind("b", record("t2"))
    #expect(await !store.isSaved("b"))
    #expect(store.writeFailure != nil)
    #expect(store.record("b") != nil)
    #expect(rmdir(directory.file(ThreadMap.fileName)) == 0)
    #expect(await store.isSaved("b"))
    #expect(store.writeFailure == nil)
    #expect(saved == ["a": "t1", "b": "t2"])
    await store.close()
  }

  // MARK: Lists

  private func ids(_ page: SessionStore.Page) -> [String] { page.entries.map(\.key.id) }

  @Test @LoopActor func listsTheMostRecentFirst() throws {
    let store = try store()
    for (id, usedAt) in [("b", 5), ("a", 5), ("c", 9), ("d", 1)] {
      store.bind(SessionKey(stringLiteral: id), record("t", usedAt: usedAt))
    }
    let page = store.page(of: .everybody, limit: 10)
    #expect(ids(page) == ["d", "c", "a", "b"])
    #expect(page.total == 4)
    #expect(!page.hasMore)
  }

  /// Maps that were written without numbers have the time, and come before what has one.
  @Test @LoopActor func listsAnOlderMapByItsTimes() throws {
    let times = [("b", 5), ("a", 5), ("c", 9), ("d", 1)] as [(SessionKey, Int)]
    let table = SessionTable(Dictionary(uniqueKeysWithValues: times.map { ($0, record("t", usedAt: $1)) }))
    try FileContents.replace(directory.file(ThreadMap.fileName), with: ThreadMap.encode(table))
    let store = try store()
    #expect(ids(store.page(of: .everybody, limit: 10)) == ["c", "a", "b", "d"])
    store.bind("d", record("t", usedAt: 1))
    #expect(ids(store.page(of: .everybody, limit: 10)) == ["d", "c", "a", "b"])
  }

  @Test @LoopActor func pagesFollowEachOtherWithoutGapOrRepetition() throws {
    let store = try store()
    var random = SeededGenerator(13)
    for index in 0..<60 { store.bind("s\(index)", record("t", usedAt: Int.random(in: 0..<10, using: &random))) }
    let all = store.page(of: .everybody, limit: 1000).entries
    #expect(all.count == 60)
    for limit in [1, 7, 59, 60, 100] {
      var found: [SessionEntry] = []
      while true {
        let page = store.page(of: .everybody, limit: limit, after: found.last)
        #expect(page.total == 60)
        found += page.entries
        guard page.hasMore else { break }
        #expect(page.entries.count == limit)
      }
      #expect(found == all)
    }
  }

  @Test @LoopActor func searchesInAnyCase() throws {
    let store = try store()
    for id in ["Alpha", "beta", "alphabet"] { store.bind(SessionKey(stringLiteral: id), record("t")) }
    let page = store.page(of: .everybody, limit: 10, search: "ALPHA")
    #expect(Set(ids(page)) == ["Alpha", "alphabet"])
    #expect(page.total == 2)
    #expect(store.page(of: .everybody, limit: 10, search: "").total == 3)
  }

  @Test @LoopActor func whatIsFoundBesideTheLoopIsTheSame() async throws {
    let store = try store()
    for id in ["Alpha", "beta", "alphabet"] { store.bind(SessionKey(stringLiteral: id), record("t")) }
    let page = await store.findPage(of: .everybody, limit: 1, search: "alpha")
    #expect(ids(page) == ids(store.page(of: .everybody, limit: 1, search: "alpha")))
    #expect(page.total == 2)
    #expect(page.hasMore)
  }

  // MARK: Owners

  private static let alice = Principal(name: "alice")
  private static let bob = Principal(name: "bob")

  @Test @LoopActor func oneIdOfTwoOwnersIsTwoSessions() async throws {
    let store = try store()
    let (hers, his) = (SessionKey(owner: Self.alice, id: "s"), SessionKey(owner: Self.bob, id: "s"))
    store.bind(hers, record("t1"))
    #expect(store.record(his) == nil)
    #expect(!store.forget(his))
    store.bind(his, record("t2"))
    #expect(ids(store.page(of: Self.alice, limit: 10)) == ["s"])
    await store.close()
    let after = try self.store()
    #expect(after.record(hers)?.thread == ThreadID("t1"))
    #expect(after.record(his)?.thread == ThreadID("t2"))
    #expect(after.forget(his))
    #expect(after.record(hers) != nil)
    await after.close()
  }

  @Test @LoopActor func idsThatOnlyLookTheSameAreTwoSessions() async throws {
    let store = try store()
    store.bind("jos\u{E9}", record("t1"))
    #expect(store.record("jose\u{301}") == nil)
    store.bind("jose\u{301}", record("t2"))
    await store.close()
    let after = try self.store()
    #expect(after.record("jos\u{E9}")?.thread == ThreadID("t1"))
    #expect(after.record("jose\u{301}")?.thread == ThreadID("t2"))
    await after.close()
  }

  @Test @LoopActor func whatNobodyOwnsIsTheHeirs() async throws {
    try directory.write("{\"sessions\":{\"s\":\"t1\"}}", to: ThreadMap.fileName)
    let store = try SessionStore(directory: directory.path, queueLimit: 1, heir: Self.alice)
    #expect(store.record(SessionKey(owner: Self.alice, id: "s"))?.thread == ThreadID("t1"))
    #expect(store.record("s") == nil)
    #expect(store.record(SessionKey(owner: Self.bob, id: "s")) == nil)
    #expect(store.count == 1)
    await store.close()
  }

  // MARK: Other bridges

  @Test @LoopActor func aSecondStoreOnTheSameFileIsRefused() async throws {
    let store = try store()
    let error = #expect(throws: ConfigurationError.self) { try self.store() }
    #expect(error?.description.contains("process \(getpid())") == true)
    #expect(error?.description.contains("CODEX_STATE_DIR") == true)
    await store.close()
    await (try self.store()).close()
  }

  @Test @LoopActor func oneThatIsAboutToCloseIsWaitedFor() async throws {
    let store = try store()
    store.willClose()
    let directory = directory.path
    async let other = Loop.offLoop { () -> StateLock? in try? StateLock(directory: directory) }
    store.bind("a", record("t1"))
    await Loop.sleep(.milliseconds(20))
    await store.close()
    let lock = await other
    #expect(lock != nil)
    lock?.release()
  }

  // MARK: Forgetting

  @Test @LoopActor func forgetsWhatIsOlderThanConfigured() async throws {
    let before = try store()
    before.bind("old", record("t1", usedAt: unixTime() - 7200))
    before.bind("new", record("t2", usedAt: unixTime()))
    await before.close()
    let store = try SessionStore(
      directory: directory.path, queueLimit: 1, retention: .init(maxAge: .seconds(3600)))
    #expect(store.record("old") == nil)
    #expect(store.record("new") != nil)
    #expect(await store.commit())
    #expect(saved == ["new": "t2"])
    await store.close()
  }

  @Test @LoopActor func keepsAsManyAsConfigured() async throws {
    let store = try SessionStore(directory: directory.path, queueLimit: 1, retention: .init(maxCount: 3))
    let ticket = try #require(store.enter("s0"))
    for index in 0..<6 { store.bind("s\(index)", record("t", usedAt: 100 + index)) }
    #expect(store.record("s0") != nil, "a session in use was forgotten")
    #expect(store.record("s5") != nil)
    #expect(store.record("s1") == nil)
    #expect(store.count == 3)
    store.leave("s0", ticket)
    await store.close()
  }

  /// Six sessions within a second: those used last stay, and not those whose names come first.
  @Test(arguments: [false, true]) @LoopActor func theOrderOfUseIsFinerThanASecond(_ isInUse: Bool) async throws {
    let store = try SessionStore(directory: directory.path, queueLimit: 1, retention: .init(maxCount: 3))
    let names = ["f", "a", "e", "b", "d", "c"].map { SessionKey(stringLiteral: $0) }
    var tickets: [PermitQueue.Ticket] = []
    for name in names {
      if isInUse { tickets.append(try #require(store.enter(name))) }
      store.bind(name, record("t", usedAt: 100))
    }
    #expect(names.map { store.record($0) != nil } == [false, false, false, true, true, true])
    #expect(store.page(of: .everybody, limit: 9).entries.map(\.key) == names.suffix(3).reversed())
    for (name, ticket) in zip(names, tickets) { store.leave(name, ticket) }
    await store.close()
    let next = try SessionStore(directory: directory.path, queueLimit: 1, retention: .init(maxCount: 2))
    #expect(next.page(of: .everybody, limit: 9).entries.map(\.key) == names.suffix(2).reversed())
    // A clock that was put back changes nothing.
    next.bind("z", record("t", usedAt: 1))
    #expect(next.page(of: .everybody, limit: 9).entries.map(\.key) == ["z", "c"])
    await next.close()
  }

  /// What was written can be read: the oldest sessions go before the map is too large.
  @Test @LoopActor func theMapStaysWithinItsSize() async throws {
    let limit = 100_000
    let store = try SessionStore(directory: directory.path, queueLimit: 1, retention: .init(maxMapBytes: limit))
    for index in 0..<400 {
      store.bind(SessionKey(stringLiteral: "s\(index)" + String(repeating: "\"", count: 200)), record("t"))
    }
    #expect(await store.commit())
    let size = try #require(directory.text(of: ThreadMap.fileName)).utf8.count
    #expect(size <= limit + 4096)
    #expect(size > limit / 4)
    #expect(store.count < 400)
    #expect(store.record(SessionKey(stringLiteral: "s399" + String(repeating: "\"", count: 200))) != nil)
    await store.close()
  }

  @Test @LoopActor func anOldMapAboveTheLimitIsCutAtTheStart() async throws {
    let before = try store()
    for index in 0..<20 { before.bind("s\(index)", record("t")) }
    await before.close()
    let store = try SessionStore(directory: directory.path, queueLimit: 1, retention: .init(maxCount: 5))
    #expect(store.page(of: .everybody, limit: 9).entries.map(\.key.id) == (15..<20).reversed().map { "s\($0)" })
    await store.close()
  }

  /// A turn is noted without a write of its own.
  @Test @LoopActor func theNumberOfAnswersIsNoted() async throws {
    let store = try store()
    store.bind("s", record("t"))
    store.note(answers: 3, of: "s")
    store.note(answers: 3, of: "nobody")
    #expect(store.record("s")?.current.answers == 3)
    #expect(store.count == 1)
    store.touch("s")
    await store.close()
    let next = try self.store()
    #expect(next.record("s")?.current.answers == 3)
    await next.close()
  }

  // MARK: Queues

  @Test @LoopActor func oneTurnAtATimePerSession() async throws {
    let store = try store()
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
    let store = try store(queueLimit: 0)
    let first = try #require(store.enter("a"))
    let other = try #require(store.enter("b"))
    #expect(await first.wait())
    #expect(await other.wait())
    #expect(store.enter("a") == nil)
    #expect(store.isRunning("b"))
    store.leave("a", first)
    #expect(store.enter("a") != nil)
  }

  @Test @LoopActor func theQueueOfASessionIsBounded() throws {
    let store = try store(queueLimit: 2)
    let tickets = (0..<3).compactMap { _ in store.enter("a") }
    #expect(tickets.count == 3)
    #expect(store.enter("a") == nil)
    for ticket in tickets { store.leave("a", ticket) }
    #expect(!store.isRunning("a"))
    #expect(store.enter("a") != nil)
  }

  @Test @LoopActor func leavingTwiceIsHarmless() throws {
    let store = try store()
    let first = try #require(store.enter("a"))
    let second = try #require(store.enter("a"))
    store.leave("a", first)
    store.leave("a", first)
    #expect(store.isRunning("a"))
    store.leave("a", second)
    #expect(!store.isRunning("a"))
  }
}
