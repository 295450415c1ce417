// The map and its journal on a real file system: what is written when, and what is read back after a crash at any point.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct FileRepositoryTests {
  private static let many = ThreadMap.maxSorted + 200

  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  @LoopActor private func store(
    in directory: ScratchDirectory? = nil, defaultOwner: Principal = .everybody
  ) async throws -> Sessions {
    try await .inFiles((directory ?? self.directory).path, queueLimit: 1, defaultOwner: defaultOwner)
  }

  private func record(_ thread: String, turns: Int = 0) -> SessionRecord {
    SessionRecord(thread: ThreadID(thread), model: "m", instructions: nil, createdAt: 1, usedAt: 1, turns: turns)
  }

  /// A store with so many sessions on disk that there is a journal.
  @LoopActor private func filled(_ count: Int = many) async throws -> Sessions {
    let store = try await store()
    for index in 0..<count { await store.bind("s\(index)", record("t\(index)")) }
    #expect(await store.isCommitted())
    return store
  }

  /// What a crash would leave now. The journal first: in between, the map may only get newer.
  private func crashed() throws -> ScratchDirectory {
    try Self.copy(directory)
  }

  private static func copy(_ directory: ScratchDirectory) throws -> ScratchDirectory {
    let copy = try ScratchDirectory()
    for name in directory.names where name != StateLock.fileName {
      if let text = directory.text(of: name) { try copy.write(text, to: name) }
    }
    return copy
  }

  /// All sessions that are read from `directory`.
  @LoopActor private func sessions(in directory: ScratchDirectory) async throws -> [SessionKey: SessionRecord] {
    let store = try await store(in: directory)
    let entries = try await store.page(of: .everybody, limit: .max - 1).entries
    await store.close()
    return Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.record) })
  }

  /// Which file the map is, and when it was written.
  private func stamp(_ name: String = ThreadMap.fileName) -> [Int] {
    var status = stat()
    guard stat(directory.file(name), &status) == 0 else { return [] }
    return [Int(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size]
  }

  private var journalLines: [String] {
    (directory.text(of: SessionJournal.fileName) ?? "").split(separator: "\n").map(String.init)
  }

  private var journalSize: Int { stamp(SessionJournal.fileName).last ?? 0 }

  private var map: (table: SessionTable, generation: UInt64?)? {
    let file = MapFile(path: directory.file(ThreadMap.fileName))
    guard case .records(let table, let generation) = try? file.read() else {
      return nil
    }
    return (table, generation)
  }

  private func writeMap(_ count: Int, generation: UInt64?) throws {
    var table = SessionTable()
    for index in 0..<count { table["s\(index)"] = record("t\(index)") }
    try directory.write(
      String(decoding: ThreadMap.encode(table, generation: generation), as: UTF8.self), to: ThreadMap.fileName)
  }

  private func writeJournal(_ entries: [SessionJournal.Entry], and rest: String = "") throws {
    try directory.write(
      String(decoding: SessionJournal.encode(entries), as: UTF8.self) + rest, to: SessionJournal.fileName)
  }

  private func bound(_ generation: UInt64, _ key: SessionKey, _ thread: String) -> SessionJournal.Entry {
    SessionJournal.Entry(generation: generation, key: key, record: record(thread))
  }

  @LoopActor private func eventually(_ holds: () -> Bool) async -> Bool {
    for _ in 0..<2000 {
      if holds() { return true }
      await Loop.sleep(.milliseconds(5))
    }
    return false
  }

  // MARK: What is written

  @Test @LoopActor func aSmallMapHasNoJournal() async throws {
    let store = try await filled(ThreadMap.maxSorted)
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
    #expect(map?.table.count == ThreadMap.maxSorted)
    #expect(map?.generation == UInt64(ThreadMap.maxSorted))
    await store.close()
  }

  @Test @LoopActor func beyondThatOnlyWhatHasChangedIsWritten() async throws {
    let store = try await filled()
    let before = (stamp(), journalLines)
    for index in 0..<5 {
      await store.bind("new\(index)", record("n\(index)"))
      #expect(await store.isCommitted("new\(index)"))
      #expect(journalLines.count == before.1.count + index + 1)
    }
    #expect(try await store.forget("s7"))
    await store.touch("s8")
    #expect(await store.isCommitted())
    #expect(stamp() == before.0, "the map was written")
    #expect(Array(journalLines.prefix(before.1.count)) == before.1)
    #expect(journalLines.count == before.1.count + 7)
    let found = try await sessions(in: try crashed())
    #expect(found.count == Self.many + 4)
    #expect(found["new4"] == record("n4"))
    #expect(found["s7"] == nil)
    #expect(found["s8"]?.turns == 1)
    await store.close()
  }

  @Test @LoopActor func closingLeavesOneFile() async throws {
    let store = try await filled()
    #expect(!journalLines.isEmpty)
    await store.touch("s1")
    await store.close()
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
    #expect(map?.table.count == Self.many)
    #expect(map?.table["s1"]?.turns == 1)
    let text = try JSONValue(parsing: directory.text(of: ThreadMap.fileName) ?? "")
    #expect(text["sessions"]?["s1000"] == "t1000")
  }

  @Test @LoopActor func fewerSessionsAreOneFileAgain() async throws {
    let store = try await filled()
    for index in 0..<300 { _ = try await store.forget("s\(index)") }
    #expect(await store.isCommitted())
    await store.bind("s0", record("again"))
    #expect(await store.isCommitted("s0"))
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
    #expect(map?.table.count == Self.many - 299)
    await store.close()
  }

  /// Every session that is told to be saved survives a crash, whatever is being written then.
  @Test @LoopActor func aFoldLosesNothingAndHoldsUpNobody() async throws {
    let store = try await filled()
    var (folds, size) = (0, journalSize)
    for index in 0..<4000 {
      let key = SessionKey(stringLiteral: "s\(index % Self.many)")
      await store.bind(key, record("t\(index)", turns: index))
      guard index % 5 == 0 else { continue }
      #expect(await store.isCommitted(key))
      if journalSize < size { folds += 1 }
      size = journalSize
      guard index % 400 == 0 else { continue }
      #expect(try await sessions(in: try crashed())[key]?.turns == index)
    }
    #expect(folds >= 2)
    #expect(await store.isCommitted())
    let found = try await sessions(in: try crashed())
    #expect(found.count == Self.many)
    // One expectation for all of them, since each of thousands would take longer than what it looks at.
    let lost = (2800..<4000).filter { found[SessionKey(stringLiteral: "s\($0 % Self.many)")]?.turns != $0 }
    #expect(lost.isEmpty)
    #expect(await eventually { journalLines.count <= Self.many + 5 })
    await store.close()
    #expect(try await sessions(in: directory) == found)
  }

  // MARK: What is read

  @Test @LoopActor func aJournalThatIsFoundIsFolded() async throws {
    let before = try await filled()
    let copy = try crashed()
    await before.close()
    let after = try await store(in: copy)
    #expect(try await after.count() == Self.many)
    await after.bind("new", record("n"))
    #expect(await after.isCommitted("new"))
    #expect(await eventually { (copy.text(of: SessionJournal.fileName) ?? "").count { $0 == "\n" } <= 1 })
    await after.close()
    #expect(copy.names == [ThreadMap.fileName, StateLock.fileName].sorted())
    #expect(try await sessions(in: copy)["new"] == record("n"))
  }

  /// The map was replaced and the system stopped before the journal was cut.
  @Test(arguments: [10, many]) @LoopActor func whatTheMapHasIsNotDoneAgain(_ count: Int) async throws {
    try writeMap(count, generation: 50)
    try writeJournal([
      SessionJournal.Entry(generation: 49, key: "s1", record: nil), bound(50, "s2", "old"),
      bound(51, "s3", "new"),
      SessionJournal.Entry(generation: 52, key: "s4", record: nil),
    ])
    let store = try await store()
    #expect(try await store.record("s1") == record("t1"))
    #expect(try await store.record("s2") == record("t2"))
    #expect(try await store.record("s3") == record("new"))
    #expect(try await store.record("s4") == nil)
    #expect(store.revision == 52)
    #expect(await eventually { map?.generation == 52 && journalLines.isEmpty })
    await store.bind("s5", record("newer"))
    #expect(await store.isCommitted("s5"))
    #expect(try await sessions(in: try crashed())["s5"] == record("newer"))
    await store.close()
  }

  @Test(arguments: ["{\"generation\":52,\"id\":\"to", "\0\0\0\0\0", "garbage\n\0\n"]) @LoopActor
  func theEndThatACrashLeftIsIgnored(_ rest: String) async throws {
    try writeMap(Self.many, generation: 50)
    try writeJournal([bound(51, "s3", "new")], and: rest)
    let store = try await store()
    #expect(try await store.record("s3") == record("new"))
    await store.bind("s5", record("newer"))
    #expect(await store.isCommitted("s5"))
    let found = try await sessions(in: try crashed())
    #expect(found["s3"] == record("new"))
    #expect(found["s5"] == record("newer"))
    await store.close()
    #expect(directory.names == [ThreadMap.fileName, StateLock.fileName].sorted())
  }

  @Test @LoopActor func damageInTheMiddleIsKeptInACopy() async throws {
    try writeMap(Self.many, generation: 50)
    let line = String(decoding: SessionJournal.encode([bound(52, "s4", "lost")]), as: UTF8.self)
    try writeJournal([bound(51, "s3", "new")], and: "damaged\n\(line)")
    let text = directory.text(of: SessionJournal.fileName)
    let store = try await store()
    #expect(try await store.record("s3") == record("new"))
    #expect(try await store.record("s4") == record("t4"))
    let aside = directory.names.filter { $0.hasPrefix("\(SessionJournal.fileName).damaged") }
    #expect(aside.count == 1)
    #expect(aside.first.flatMap(directory.text) == text)
    await store.close()
  }

  @Test(arguments: [true, false]) @LoopActor
  func deletingTheMapForgetsTheJournalToo(_ isOriginal: Bool) async throws {
    let before = try await filled()
    let copy = try crashed()
    await before.close()
    #expect(copy.names.contains(SessionJournal.fileName))
    #expect(unlink(copy.file(ThreadMap.fileName)) == 0)
    if isOriginal { try copy.write("{\"sessions\":{\"a\":\"t\"}}", to: ThreadMap.fileName) }
    let after = try await store(in: copy)
    #expect(try await after.count() == (isOriginal ? 1 : 0))
    #expect(!copy.names.contains(SessionJournal.fileName))
    #expect(after.revision >= UInt64(Self.many), "what was removed could be taken for new")
    await after.close()
  }

  @Test @LoopActor func aDamagedMapIsSetAsideWithItsJournal() async throws {
    try directory.write("{\"sessions\":{\"a\":\"t1\"", to: ThreadMap.fileName)
    try writeJournal([bound(51, "s3", "new")])
    let store = try await store()
    #expect(try await store.count() == 0)
    for name in [ThreadMap.fileName, SessionJournal.fileName] {
      #expect(directory.names.filter { $0.hasPrefix("\(name).damaged") }.count == 1)
    }
    #expect(!directory.names.contains(SessionJournal.fileName))
    await store.close()
  }

  @Test @LoopActor func refusesToStartOverAJournalItCannotRead() async throws {
    try writeMap(3, generation: 3)
    try directory.makeDirectory(SessionJournal.fileName)
    let error = await #expect(throws: ConfigurationError.self) { try await store() }
    #expect(error?.description.contains(SessionJournal.fileName) == true)
  }

  @Test @LoopActor func whatAKillLeftHalfWrittenIsSwept() async throws {
    for name in [ThreadMap.fileName, SessionJournal.fileName] {
      try directory.write("{", to: "\(name).4194305.tmp")
    }
    try await store().close()
    #expect(directory.names == [StateLock.fileName])
  }

  /// A large map that nobody has numbered yet: nothing may follow it.
  @Test @LoopActor func theOriginalsMapIsNumberedBeforeAJournalBegins() async throws {
    try writeMap(Self.many, generation: nil)
    let store = try await store()
    await store.bind("new", record("n"))
    #expect(await store.isCommitted("new"))
    #expect(try await sessions(in: try crashed())["new"] == record("n"))
    #expect(map?.generation != nil)
    await store.close()
  }

  @Test @LoopActor func whatTheDefaultOwnerForgetsStaysForgotten() async throws {
    let alice = Principal(name: "alice")
    try writeMap(Self.many, generation: 7)
    let store = try await store(defaultOwner: alice)
    let key = SessionKey(owner: alice, id: "s1")
    #expect(try await store.forget(key))
    #expect(await store.isCommitted())
    let copy = try crashed()
    let after = try await self.store(in: copy, defaultOwner: alice)
    #expect(try await after.record(key) == nil)
    #expect(try await after.count() == Self.many - 1)
    await after.close()
    await store.close()
  }

  // MARK: What cannot be written

  /// A directory in the file's place fails every write, for root too.
  @Test(arguments: [false, true]) @LoopActor func saysWhenItCannotAppend(_ hasJournal: Bool) async throws {
    try writeMap(Self.many, generation: 50)
    let store = try await store()
    if hasJournal {
      await store.bind("a", record("t1"))
      #expect(await store.isCommitted("a"))
      #expect(unlink(directory.file(SessionJournal.fileName)) == 0)
    }
    try directory.makeDirectory(SessionJournal.fileName)
    for name in ["b", "c"] {
      await store.bind(SessionKey(stringLiteral: name), record("t2"))
      #expect(await !store.isCommitted(SessionKey(stringLiteral: name)))
      #expect(store.failure != nil)
    }
    #expect(rmdir(directory.file(SessionJournal.fileName)) == 0)
    #expect(await store.isCommitted("c"))
    #expect(store.failure == nil)
    let found = try await sessions(in: try crashed())
    #expect(found.count == Self.many + (hasJournal ? 3 : 2))
    #expect(found["b"] == record("t2"))
    await store.close()
    #expect(try await sessions(in: directory) == found)
  }

  /// Nobody is refused for it, and nothing is lost.
  @Test @LoopActor func aFoldThatFailsLeavesTheJournal() async throws {
    let store = try await filled()
    try directory.makeDirectory("\(ThreadMap.fileName).\(getpid()).tmp")
    for index in 0..<3000 {
      await store.bind("s\(index % Self.many)", record("t", turns: index))
      if index % 10 == 0 { #expect(await store.isCommitted()) }
    }
    #expect(await store.isCommitted())
    #expect(store.failure == nil)
    #expect(journalLines.count > 3000)
    #expect(try await sessions(in: try crashed())["s599"]?.turns == 2999)
    await store.close()
    #expect(store.failure != nil)
    #expect(rmdir(directory.file("\(ThreadMap.fileName).\(getpid()).tmp")) == 0)
    #expect(try await sessions(in: directory)["s599"]?.turns == 2999)
  }

  /// Without its map the journal would be worth nothing, and without the journal the map is old.
  @Test(arguments: [ThreadMap.fileName, SessionJournal.fileName]) @LoopActor
  func whatIsTakenAwayMeanwhileIsWrittenAgain(_ name: String) async throws {
    let store = try await filled()
    #expect(unlink(directory.file(name)) == 0)
    await store.bind("new", record("n"))
    #expect(await store.isCommitted("new"))
    let found = try await sessions(in: try crashed())
    #expect(found.count == Self.many + 1)
    #expect(found["new"] == record("n"))
    await store.close()
  }

  // MARK: Any of it

  /// A store that is closed, crashed and read again at random always has what a dictionary would have.
  @Test(arguments: 1...3) @LoopActor func isADictionaryThatOutlivesUs(_ seed: UInt64) async throws {
    var random = SeededGenerator(seed)
    var model: [SessionKey: SessionRecord] = [:]
    var place = try ScratchDirectory()
    var store = try await store(in: place)
    // Around the limit, so that it is crossed both ways.
    let ids = 1150
    for round in 0..<9 {
      let forgets = Int.random(in: 1...6, using: &random)
      for _ in 0..<Int.random(in: 1...600, using: &random) {
        let key = SessionKey(stringLiteral: "id-\(Int.random(in: 0..<ids, using: &random))")
        switch Int.random(in: 0..<10, using: &random) {
        case ..<forgets:
          #expect(try await store.forget(key) == (model[key] != nil))
          model[key] = nil
        case 8...:
          await store.touch(key)
          model[key]?.turns += 1
        default:
          let new = record("t-\(round)", turns: model[key]?.turns ?? 0)
          await store.bind(key, new)
          model[key] = new
        }
        if Int.random(in: 0..<60, using: &random) == 0 { #expect(await store.isCommitted()) }
      }
      if round % 4 == 0 {
        for index in 0..<ids where model[SessionKey(stringLiteral: "id-\(index)")] == nil {
          await store.bind("id-\(index)", record("fill"))
          model["id-\(index)"] = record("fill")
        }
      }
      switch Int.random(in: 0..<4, using: &random) {
      case 0, 1: break
      case 2:
        await store.close()
        #expect(place.names == [ThreadMap.fileName, StateLock.fileName].sorted())
        store = try await self.store(in: place)
      default:
        #expect(await store.isCommitted())
        let next = try Self.copy(place)
        await store.close()
        place = next
        store = try await self.store(in: place)
      }
      #expect(try await store.count() == model.count)
      var wrong: [SessionKey] = []
      for (key, record) in model {
        let found = try await store.record(key)
        if found?.thread != record.thread || found?.turns != record.turns { wrong.append(key) }
      }
      #expect(wrong.isEmpty)
    }
    await store.close()
  }
}
