// The journal beside the session map: its lines, what a crash leaves of them, and the file.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct SessionJournalTests {
  typealias Entry = SessionJournal.Entry
  typealias Extent = SessionJournal.Extent

  private func record(_ thread: String, _ turns: Int = 0) -> SessionRecord {
    SessionRecord(
      thread: ThreadID(thread), model: "m", instructions: "f00", createdAt: 1_700_000_000, usedAt: 1_700_000_100,
      turns: turns)
  }

  private func bound(_ generation: UInt64, _ key: SessionKey, _ thread: String) -> Entry {
    Entry(generation: generation, key: key, record: record(thread))
  }

  private func replay(
    _ bytes: [UInt8], after known: UInt64 = 0, onto table: SessionTable = [:]
  ) -> (table: SessionTable, found: SessionJournal.Replay) {
    var table = table
    let found = SessionJournal.replay(bytes, onto: &table, after: known)
    return (table, found)
  }

  // MARK: Lines

  @Test(arguments: ["alice", "", "a\"b\\c\n", "é😀", "/:@ ", "\u{2028}", "__proto__", "generation"])
  func readsWhatItWrites(_ id: String) {
    var plain = record("t\"2", 7)
    plain.current.previous = [ThreadID("t0"), ThreadID("t1\n")]
    plain.current.model = nil
    plain.current.instructions = nil
    let key = SessionKey(stringLiteral: id)
    let bytes = SessionJournal.encode([
      Entry(generation: 1, key: key, record: plain), bound(2, "another", "t3"),
    ])
    let (table, found) = replay(bytes)
    #expect(table == [key: plain, "another": record("t3")])
    #expect(found.extent == Extent(bytes: bytes.count, lines: 2))
    #expect(found.generation == 2)
    #expect(found.ignoredBytes == 0)
    #expect(bytes.count { $0 == UInt8(ascii: "\n") } == 2)
  }

  @Test func theLastLineOfASessionCounts() {
    let bytes = SessionJournal.encode([
      bound(1, "a", "t1"), bound(2, "b", "t2"), bound(3, "a", "t3"),
      Entry(generation: 4, key: "b", record: nil), Entry(generation: 4, key: "never", record: nil),
    ])
    let (table, found) = replay(bytes, onto: ["c": record("t4")])
    #expect(table == ["a": record("t3"), "c": record("t4")])
    #expect(found.extent.lines == 5)
  }

  @Test func oneIdOfSeveralOwnersIsSeveralSessions() {
    let keys = ["", "alice", "bob"].map { SessionKey(owner: Principal(name: $0), id: "s") }
    var entries = keys.enumerated().map { bound(UInt64($0) + 1, $1, "t\($0)") }
    entries.append(Entry(generation: 4, key: keys[1], record: nil))
    let (table, _) = replay(SessionJournal.encode(entries))
    #expect(table == [keys[0]: record("t0"), keys[2]: record("t2")])
  }

  @Test func oneIdUnderTwoProfilesIsTwoSessions() {
    let keys = ProfileKind.allCases.map { SessionKey(owner: Principal(name: "alice"), id: "s", profile: $0) }
    var entries = keys.enumerated().map { bound(UInt64($0) + 1, $1, "t\($0)") }
    let (both, _) = replay(SessionJournal.encode(entries))
    #expect(both == [keys[0]: record("t0"), keys[1]: record("t1")])
    entries.append(Entry(generation: 3, key: keys[0], record: nil))
    let (table, _) = replay(SessionJournal.encode(entries))
    #expect(table == [keys[1]: record("t1")])
  }

  @Test func skipsWhatTheMapHas() {
    let bytes = SessionJournal.encode([
      Entry(generation: 3, key: "kept", record: nil), bound(5, "a", "old"), bound(6, "b", "new"),
    ])
    let (table, found) = replay(bytes, after: 5, onto: ["kept": record("t1")])
    #expect(table == ["kept": record("t1"), "b": record("new")])
    #expect(found.extent == Extent(bytes: bytes.count, lines: 3))
    #expect(found.generation == 6)
  }

  // MARK: Damage

  @Test func aCutLineIsIgnoredWhereverItEnds() {
    let entries = [
      bound(1, "a", "t1"), bound(2, "b", "t2"), Entry(generation: 3, key: "a", record: record("t3", 9)),
    ]
    let sound = SessionJournal.encode(Array(entries.dropLast())).count
    let bytes = SessionJournal.encode(entries)
    for end in sound..<bytes.count {
      let (table, found) = replay(Array(bytes[..<end]))
      #expect(table == ["a": record("t1"), "b": record("t2")])
      #expect(found.extent == Extent(bytes: sound, lines: 2))
      #expect(found.ignoredBytes == end - sound)
      #expect(!found.ignoresSoundLines)
    }
    #expect(replay(bytes).found.ignoredBytes == 0)
  }

  /// A block of the file that was not on disk when the system stopped reads as zeros, wherever it lies.
  @Test(arguments: [1, 7, 4096]) func zerosEndIt(_ count: Int) {
    let sound = SessionJournal.encode([bound(1, "a", "t1")])
    let next = SessionJournal.encode([bound(2, "b", "t2")])
    for zeros in [
      [UInt8](repeating: 0, count: count), [UInt8](repeating: 0, count: count) + [0x0A],
      next.dropLast(20) + [UInt8](repeating: 0, count: count),
    ] {
      let (table, found) = replay(sound + zeros)
      #expect(table == ["a": record("t1")])
      #expect(found.ignoredBytes == zeros.count)
      #expect(!found.ignoresSoundLines)
    }
  }

  @Test(arguments: [
    "", " ", "garbage", "{}", "[]", "null", "{\"generation\":2}", "{\"generation\":2,\"id\":\"b\"}",
    "{\"generation\":2,\"id\":5,\"thread\":\"t\"}", "{\"generation\":2,\"id\":\"b\",\"thread\":5}",
    "{\"generation\":2,\"id\":\"b\",\"forgotten\":false}", "{\"id\":\"b\",\"thread\":\"t\"}",
    "{\"generation\":-1,\"id\":\"b\",\"thread\":\"t\"}", "{\"generation\":\"2\",\"id\":\"b\",\"thread\":\"t\"}",
    "{\"generation\":9007199254740993,\"id\":\"b\",\"thread\":\"t\"}",
    "{\"generation\":1e300,\"id\":\"b\",\"thread\":\"t\"}",
    "{\"generation\":18446744073709551616,\"id\":\"b\",\"thread\":\"t\"}",
    "{\"generation\":2,\"id\":\"b\",\"thread\":\"t\"} {}",
    "{\"generation\":2,\"generation\":2,\"id\":\"b\",\"thread\":\"t\"}",
  ])
  func aLineThatIsNoneEndsIt(_ line: String) {
    let first = SessionJournal.encode([bound(1, "a", "t1")])
    let last = SessionJournal.encode([bound(3, "c", "t3")])
    let (table, found) = replay(first + Array(line.utf8) + [0x0A] + last)
    #expect(table == ["a": record("t1")])
    #expect(found.extent == Extent(bytes: first.count, lines: 1))
    #expect(found.generation == 1)
    #expect(found.ignoredBytes == line.utf8.count + 1 + last.count)
    #expect(found.ignoresSoundLines)
  }

  /// What is beside the thread is nice to have, in the journal as in the map.
  @Test func toleratesOddFacts() {
    let line =
      "{\"generation\":1,\"id\":\"a\",\"thread\":\"t\",\"turns\":9223372036854775807,\"used\":\"x\",\"more\":[1]}\n"
    let (table, found) = replay(Array(line.utf8))
    #expect(table["a"]?.thread == ThreadID("t"))
    #expect((table["a"]?.turns ?? .max) < Int.max)
    #expect(found.ignoredBytes == 0)
  }

  @Test func randomDamageIsReadOrIgnored() {
    var random = SeededGenerator(3)
    let sample = SessionJournal.encode((1...5).map { bound($0, "s\($0)", "t\($0)") })
    for _ in 0..<5000 {
      var bytes = sample
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let found = replay(bytes).found
      #expect(found.extent.bytes + found.ignoredBytes == bytes.count)
      #expect(replay(Array(bytes[..<found.extent.bytes])).found.extent == found.extent)
    }
  }

  // MARK: The file

  private func file(_ directory: ScratchDirectory) -> JournalFile {
    JournalFile(path: directory.file(SessionJournal.fileName))
  }

  private func version(_ bytes: Int, _ lines: Int) -> JournalFile.Version {
    JournalFile.Version(extent: Extent(bytes: bytes, lines: lines), isNamed: true)
  }

  @Test func appendsAndReads() throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    #expect(file.read() == .missing)
    #expect(file.append(Array("one\n".utf8), lines: 1, to: nil) == .appended(version(4, 1)))
    #expect(file.append(Array("two\nthree\n".utf8), lines: 2, to: version(4, 1)) == .appended(version(14, 3)))
    #expect(file.read() == .bytes(Array("one\ntwo\nthree\n".utf8)))
    var status = stat()
    #expect(stat(file.path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(directory.names == [SessionJournal.fileName])
  }

  /// What a crash or a failed append has left behind the end never gets into the middle.
  @Test(arguments: ["x", "half a li", "a whole line\n", "many lines\nand many bytes\nmore than are written\n"])
  func whatIsBehindTheEndIsNoPartOfIt(_ rest: String) throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    try directory.write("one\n" + rest, to: SessionJournal.fileName)
    #expect(file.append(Array("two\n".utf8), lines: 1, to: version(4, 1)) == .appended(version(8, 2)))
    #expect(directory.text(of: SessionJournal.fileName) == "one\ntwo\n")
    #expect(file.append(Array("new\n".utf8), lines: 1, to: nil) == .appended(version(4, 1)))
    #expect(directory.text(of: SessionJournal.fileName) == "new\n")
  }

  @Test func noticesWhatIsGone() throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    #expect(file.append([0x0A], lines: 1, to: version(4, 1)) == .lost)
    #expect(directory.names == [])
    try directory.write("one", to: SessionJournal.fileName)
    #expect(file.append([0x0A], lines: 1, to: version(4, 1)) == .lost)
    #expect(directory.text(of: SessionJournal.fileName) == "one")
  }

  @Test func writesToNothingButAFileOfItsOwn() throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    try directory.write("victim", to: "victim")
    #expect(symlink(directory.file("victim"), file.path) == 0)
    for version in [nil, version(0, 0)] {
      guard case .failed = file.append([0x0A], lines: 1, to: version) else {
        Issue.record("a link was followed")
        continue
      }
    }
    guard case .failed = file.read() else {
      Issue.record("a link was read")
      return
    }
    #expect(directory.text(of: "victim") == "victim")
    #expect(unlink(file.path) == 0)
    for make in [{ mkdir(file.path, 0o700) }, { rmdir(file.path) + mkfifo(file.path, 0o600) }] {
      #expect(make() == 0)
      guard case .failed = file.append([0x0A], lines: 1, to: nil), case .failed = file.read() else {
        Issue.record("no file was taken for one")
        continue
      }
    }
  }

  @Test func isNoLongerThanCanBeRead() throws {
    let directory = try ScratchDirectory()
    let end = version(SessionJournal.maxBytes - 1, 1)
    let result = file(directory).append([1, 2], lines: 1, to: end)
    #expect(result == .failed(.tooLarge(limitBytes: SessionJournal.maxBytes)))
  }

  @Test func isCutToWhatTheMapHasNot() throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    try directory.write("one\ntwo\nthree\nhalf", to: SessionJournal.fileName)
    let all = version(14, 3)
    #expect(file.cut(all, covered: Extent(bytes: 8, lines: 2)) == .cut(version(6, 1)))
    #expect(directory.text(of: SessionJournal.fileName) == "three\n")
    #expect(file.append(Array("four\n".utf8), lines: 1, to: version(6, 1)) == .appended(version(11, 2)))
    #expect(file.cut(version(11, 2), covered: Extent(bytes: 11, lines: 2)) == .cut(nil))
    #expect(directory.names == [])
    try file.remove()
  }

  @Test func aCutThatFailsLeavesItAsItIs() throws {
    let directory = try ScratchDirectory()
    let file = file(directory)
    for text in [nil, "one\ntwo"] {
      if let text { try directory.write(text, to: SessionJournal.fileName) }
      guard case .failed = file.cut(version(8, 2), covered: Extent(bytes: 4, lines: 1)) else {
        Issue.record("what is missing was cut")
        continue
      }
      #expect(directory.text(of: SessionJournal.fileName) == text)
    }
    try directory.write("one\ntwo\n", to: SessionJournal.fileName)
    try directory.makeDirectory("\(SessionJournal.fileName).\(getpid()).tmp")
    guard case .failed = file.cut(version(8, 2), covered: Extent(bytes: 4, lines: 1)) else {
      Issue.record("cut without a place for the new file")
      return
    }
    #expect(directory.text(of: SessionJournal.fileName) == "one\ntwo\n")
  }
}
