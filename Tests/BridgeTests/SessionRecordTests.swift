// What is kept of a session: its threads, its prompt, and how large that is.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct SessionRecordTests {
  private func thread(_ id: String, _ model: String?) -> ThreadRecord {
    ThreadRecord(id: ThreadID(id), model: model)
  }

  private func record(_ current: ThreadRecord, prompt: String? = nil) -> SessionRecord {
    SessionRecord(
      current: current, prompt: prompt.flatMap(SessionPrompt.init), createdAt: 1, usedAt: 1, turns: 0)
  }

  @Test func eachModelHasAThread() {
    var session = record(thread("1", "a"))
    #expect(session.thread(of: "b") == nil)
    session.use(thread("2", "b"))
    #expect(session.thread == ThreadID("2"))
    #expect(session.thread(of: "a")?.id == ThreadID("1"))
    session.use(thread("1", "a"))
    #expect(session.thread == ThreadID("1"))
    #expect(session.thread(of: "b")?.id == ThreadID("2"))
    // A new thread takes the place of the one before it.
    session.use(thread("3", "b"))
    #expect(session.others.map(\.id.raw) == ["1"])
    session.use(thread("4", "b"))
    #expect(session.others.map(\.id.raw) == ["1"])
  }

  /// The original project's threads are taken as they are.
  @Test func aThreadWithoutModelIsEveryModels() {
    var session = record(thread("1", nil))
    #expect(session.thread(of: "a")?.id == ThreadID("1"))
    session.use(thread("1", "a"))
    #expect(session.others == [])
    #expect(session.thread(of: "b") == nil)
  }

  @Test func soManyThreadsAreRemembered() {
    var session = record(thread("0", "m0"))
    for index in 1..<20 { session.use(thread("\(index)", "m\(index)")) }
    #expect(session.others.map(\.id.raw) == (12..<19).map(String.init))
    #expect(session.thread(of: "m0") == nil)
  }

  private func many() -> SessionTable {
    var random = SeededGenerator(5)
    var table = SessionTable()
    for index in 0..<1500 {
      var session = record(
        thread("t\(index)", "m"), prompt: "prompt \(index % 7)\n\u{1}" + (index == 3 ? "" : "é\u{2028}"))
      for other in 0..<Int.random(in: 0..<4, using: &random) {
        session.use(
          ThreadRecord(
            id: ThreadID("o\(index)-\(other)"), previous: [ThreadID("p")], model: "m\(other)", instructions: "f00",
            answers: other))
      }
      session.version = UInt64(index)
      if index % 2 == 0 { session.title = "title \"\(index)\" é" }
      let owner = Principal(name: index % 5 == 0 ? "alice" : "")
      table[SessionKey(owner: owner, id: "id \"\(index / 2)\\")] = session
    }
    return table
  }

  @Test func readsWhatItWrites() {
    let table = many()
    guard case .records(let read, _) = ThreadMap.decode(ThreadMap.encode(table)) else {
      return #expect(Bool(false))
    }
    #expect(read == table)
    table.forEach { key, session in
      if read[key]?.version != session.version { Issue.record("another number: \(key.id)") }
    }
    let few: SessionTable = ["s": record(thread("t", "m"), prompt: "Be brief.")]
    #expect(ThreadMap.decode(ThreadMap.encode(few, generation: 7)) == .records(few, generation: 7))
  }

  @Test func aPromptIsWrittenOnce() throws {
    let text = String(decoding: ThreadMap.encode(many()), as: UTF8.self)
    #expect(text.components(separatedBy: "prompt 2\\n").count == 2)
    guard case .records(let table, _) = ThreadMap.decode(Array(text.utf8)) else { return #expect(Bool(false)) }
    let first = try #require(table[SessionKey(stringLiteral: "id \"4\\")]?.prompt)
    let second = try #require(table[SessionKey(stringLiteral: "id \"18\\")]?.prompt)
    #expect(first.text == second.text)
    #expect(first === second)
  }

  @Test func itsSizeIsNeverMoreThanIsReckoned() {
    var table = many()
    for _ in 0..<3 {
      let bytes = ThreadMap.encode(table, generation: 1 << 53).count
      #expect(bytes <= table.mapBytes + 4096)
      #expect(table.mapBytes < 6 * bytes)
      var keys: [SessionKey] = []
      table.forEach { key, _ in keys.append(key) }
      for key in keys.prefix(400) { table[key] = nil }
    }
    table.forEach { key, _ in table[key] = nil }
    #expect(table.mapBytes == 0)
    #expect(table == [:])
  }

  /// What is too long is sent with every request, and too many are not worth the memory.
  @Test func promptsAreBounded() {
    #expect(
      SessionPrompt(String(repeating: "x", count: SessionPrompt.maxBytes))?.text.count == SessionPrompt.maxBytes)
    #expect(SessionPrompt(String(repeating: "x", count: SessionPrompt.maxBytes + 1)) == nil)
    var table = SessionTable()
    let text = String(repeating: "x", count: SessionPrompt.maxBytes - 8)
    for index in 0..<1200 {
      table[SessionKey(stringLiteral: "s\(index)")] = record(thread("t", "m"), prompt: text + "\(index)")
    }
    #expect(table.mapBytes < ThreadMap.maxBytes / 2)
    #expect(table["s0"]?.prompt != nil)
    #expect(table["s1199"]?.prompt == nil)
    #expect(table.count == 1200)
    table["s0"] = nil
    table["s1199"] = record(thread("t", "m"), prompt: text + "again")
    #expect(table["s1199"]?.prompt != nil)
  }

  /// Nothing beside the threads may cost a conversation.
  @Test(arguments: [
    #""prompts":5"#, #""prompts":{"x":"y","0":7,"1":"p"}"#, #""details":{"a":{"prompt":9}},"prompts":{"0":"p"}"#,
    #""details":{"a":{"others":5,"answers":"x","version":-1}}"#,
    #""details":{"a":{"others":[5,{},{"thread":7},{"thread":"o","model":5}]}}"#,
  ])
  func toleratesOddFacts(_ member: String) {
    guard case .records(let records, _) = ThreadMap.decode(Array("{\"sessions\":{\"a\":\"t\"},\(member)}".utf8))
    else {
      return #expect(Bool(false))
    }
    #expect(records["a"]?.thread == ThreadID("t"))
    #expect(records["a"]?.prompt == nil)
  }

  // MARK: The journal

  @Test func theJournalTellsAPromptWithTheChangeThatSetsIt() {
    let session = record(thread("t", "m"), prompt: "Be brief.")
    var later = session
    later.turns = 5
    var table = SessionTable()
    let entries = [
      SessionJournal.Entry(generation: 1, key: "s", record: session),
      SessionJournal.Entry(generation: 2, key: "s", record: later, keepsPrompt: true),
    ]
    let bytes = SessionJournal.encode(entries)
    #expect(String(decoding: bytes, as: UTF8.self).components(separatedBy: "Be brief.").count == 2)
    #expect(SessionJournal.replay(bytes, onto: &table, after: 0).ignoredBytes == 0)
    #expect(table["s"] == later)
    // The map has the first of them.
    table = ["s": session]
    _ = SessionJournal.replay(bytes, onto: &table, after: 1)
    #expect(table["s"] == later)
    later.prompt = nil
    _ = SessionJournal.replay(
      SessionJournal.encode([SessionJournal.Entry(generation: 3, key: "s", record: later)]), onto: &table, after: 2
    )
    #expect(table["s"]?.prompt == nil)
  }
}
