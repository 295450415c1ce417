// The file of sessions: ours, the original project's, and broken ones.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ThreadMapTests {
  private func decode(_ text: String) -> ThreadMap.Contents { ThreadMap.decode(Array(text.utf8)) }

  private func record(_ thread: String, _ turns: Int = 0) -> SessionRecord {
    SessionRecord(
      thread: ThreadID(thread), model: "m", instructions: "f00", createdAt: 1_700_000_000, usedAt: 1_700_000_100,
      turns: turns)
  }

  @Test func readsTheOriginalFile() {
    let plain = { (thread: String) in
      SessionRecord(thread: ThreadID(thread), model: nil, instructions: nil, createdAt: 0, usedAt: 0, turns: 0)
    }
    #expect(
      decode("{\n  \"sessions\": {\n    \"alice\": \"0199-a\",\n    \"bob\": \"0199-b\"\n  }\n}\n")
        == .records(["alice": plain("0199-a"), "bob": plain("0199-b")]))
    #expect(decode("{\"sessions\":{}}") == .records([:]))
  }

  @Test func theOriginalReadsOurs() throws {
    let value = try JSONValue(parsing: ThreadMap.encode(["alice": record("t1"), "bob": record("t2")]))
    #expect(value["sessions"] == ["alice": "t1", "bob": "t2"])
  }

  @Test(arguments: ["alice", "", "a\"b\\c\n", "é😀", "/:@ ", "\u{2028}", "__proto__", "sessions"])
  func readsWhatItWrites(_ id: String) {
    var changed = record("t\"2", 7)
    changed.current.previous = [ThreadID("t0"), ThreadID("t1")]
    changed.current.model = nil
    changed.current.instructions = nil
    let records: SessionTable = [SessionKey(stringLiteral: id): record("t1", 3), "another": changed]
    #expect(ThreadMap.decode(ThreadMap.encode(records)) == .records(records))
  }

  @Test func titlesAreKept() throws {
    var named = record("t1")
    named.title = "Grüße, \"Ann\""
    let records: SessionTable = ["a": named, "b": record("t2")]
    #expect(ThreadMap.decode(ThreadMap.encode(records)) == .records(records))
    let entries = ["a", "c"].enumerated().map { index, id in
      SessionJournal.Entry(generation: UInt64(index + 1), key: SessionKey(stringLiteral: id), record: named)
    }
    var replayed = SessionTable()
    _ = SessionJournal.replay(SessionJournal.encode(entries), onto: &replayed, after: 0)
    #expect(replayed["a"]?.title == named.title && replayed["c"]?.title == named.title)
  }

  @Test(
    arguments: [
      (#""a\nb""#, "a b"), (#""""#, nil), ("5", nil), ("null", nil), (#""\u202E""#, nil),
    ] as [(String, String?)])
  func aTitleIsOneLineWhoeverWroteIt(_ title: String, _ shown: String?) {
    guard case .records(let table, _) = decode(#"{"sessions":{"a":"t"},"details":{"a":{"title":\#(title)}}}"#)
    else {
      Issue.record("refused")
      return
    }
    #expect(table["a"]?.title == shown)
  }

  /// To the original project, and to a bridge that does not know the plain chat, its sessions are not there.
  @Test func sessionsOfThePlainChatAreKeptApart() throws {
    let chat = SessionKey(owner: .everybody, id: "s", profile: .chat)
    let hers = SessionKey(owner: Principal(name: "alice"), id: "s", profile: .chat)
    let alone = SessionKey(owner: .everybody, id: "alone", profile: .chat)
    let table: SessionTable = ["s": record("t1"), chat: record("t2"), hers: record("t3"), alone: record("t4")]
    let bytes = ThreadMap.encode(table)
    #expect(ThreadMap.decode(bytes) == .records(table))
    let value = try JSONValue(parsing: bytes)
    #expect(value["sessions"] == ["s": "t1"])
    #expect(value["further"] == nil)
    #expect(value["details"]?["s"]?["profile"] == nil)
    #expect(value["chat"]?.arrayValue?.count == 3)
  }

  @Test func aMapWithoutProfilesIsOfTheAgent() {
    let text = #"{"sessions":{"a":"t"},"details":{"a":{"profile":"unknown"}},"further":[{"id":"b","thread":"u"}]}"#
    guard case .records(let table, _) = decode(text) else {
      Issue.record("it is damaged")
      return
    }
    #expect(table["a"]?.thread == ThreadID("t") && table["b"]?.thread == ThreadID("u"))
  }

  @Test func readsAndWritesManyAndNone() {
    let keys = (0..<500).map { SessionKey(stringLiteral: "id-\($0)") }
    let many = SessionTable(
      Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, record("t-\($0)", $0)) }))
    #expect(ThreadMap.decode(ThreadMap.encode(many)) == .records(many))
    #expect(ThreadMap.decode(ThreadMap.encode([:])) == .records([:]))
  }

  @Test func writesOneLinePerSessionInOrder() {
    let text = String(decoding: ThreadMap.encode(["b": record("2"), "a": record("1")]), as: UTF8.self)
    #expect(text.contains("\n    \"a\": \"1\",\n    \"b\": \"2\"\n"))
    #expect(text.hasSuffix("\n"))
    #expect(ThreadMap.encode(["b": record("2"), "a": record("1")]) == Array(text.utf8))
  }

  @Test(arguments: [
    "", " ", "null", "[]", "{}", "\"sessions\"", "{\"sessions\":null}", "{\"sessions\":[]}",
    "{\"sessions\":{\"a\":5}}",
    "{\"sessions\":{\"a\":null}}", "{\"sessions\":{\"a\":{\"threadId\":\"t\"}}}", "{\"threads\":{\"a\":\"t\"}}",
    "not json",
    "{\"sessions\":{\"a\":\"t\"}", "{\"sessions\":{\"a\":\"t\",\"a\":\"u\"}}", "\0\0\0\0",
  ])
  func knowsDamage(_ text: String) {
    guard case .damaged(let reason) = decode(text) else {
      Issue.record("taken for sound")
      return
    }
    #expect(!reason.isEmpty)
  }

  @Test func aTruncatedFileIsDamagedWhereverItEnds() {
    let bytes = ThreadMap.encode(["alice": record("t1"), "bob": record("t2")])
    let sound = bytes.count - 1
    for end in 0..<sound {
      guard case .damaged = ThreadMap.decode(Array(bytes[..<end])) else {
        Issue.record("a file cut at \(end) is taken for sound")
        continue
      }
    }
  }

  /// What is beside the threads is nice to have; nothing in it may cost a conversation.
  @Test(arguments: [
    "\"details\":null", "\"details\":[]", "\"details\":{\"a\":5}",
    "\"details\":{\"a\":{\"turns\":\"x\",\"model\":5}}",
    "\"details\":{\"stranger\":{}}", "\"version\":99", "\"futureKey\":{\"x\":[1]}",
  ])
  func toleratesOddDetails(_ member: String) throws {
    guard case .records(let records, _) = decode("{\"sessions\":{\"a\":\"t\"},\(member)}") else {
      Issue.record("refused")
      return
    }
    #expect(records["a"]?.thread == ThreadID("t"))
  }

  @Test func tellsAMissingFileFromABrokenOne() throws {
    let directory = try ScratchDirectory()
    #expect(try MapFile(path: directory.file("none")).read() == .records([:]))
    try directory.makeDirectory("folder")
    #expect(throws: ConfigurationError.self) { try MapFile(path: directory.file("folder")).read() }
  }

  @Test func checksumsAreStable() {
    // FNV-1a, 64 bit, as published.
    #expect(SessionPrompt.checksum(of: "") == "cbf29ce484222325")
    #expect(SessionPrompt.checksum(of: "a") == "af63dc4c8601ec8c")
    #expect(SessionPrompt.checksum(of: "foobar") == "85944171f73967e8")
  }

  /// Beyond a size the order is another; what is read must not show it.
  @Test func readsAndWritesWhatIsNotSorted() {
    var random = SeededGenerator(7)
    var table = SessionTable()
    for round in 0..<60 {
      for _ in 0..<60 {
        let owner = Principal(name: ["", "alice"][Int.random(in: 0...1, using: &random)])
        let id = "id-\(Int.random(in: 0..<2000, using: &random))"
        let key = SessionKey(owner: owner, id: id, profile: Bool.random(using: &random) ? .agent : .chat)
        table[key] = Int.random(in: 0..<5, using: &random) == 0 ? nil : record("t-\(round)", round)
      }
      #expect(ThreadMap.decode(ThreadMap.encode(table)) == .records(table))
    }
    #expect(table.count > 1200)
  }

  @Test(arguments: [0, 1, 1 << 53]) func keepsItsGeneration(_ generation: UInt64) {
    let records: SessionTable = ["a": record("t1")]
    #expect(
      ThreadMap.decode(ThreadMap.encode(records, generation: generation))
        == .records(records, generation: generation))
  }

  /// Without one no journal is read, and nothing is lost but what a journal had.
  @Test(arguments: ["-1", "9007199254740993", "1e300", "18446744073709551616", "null", "\"5\"", "0.5", "[]"])
  func takesNoOtherNumberForAGeneration(_ generation: String) {
    let records = decode("{\"sessions\":{\"a\":\"t\"},\"generation\":\(generation)}")
    guard case .records(let table, nil) = records else {
      Issue.record("taken for one")
      return
    }
    #expect(table.count == 1)
  }
}
