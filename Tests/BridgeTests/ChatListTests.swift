// The conversations of `bridged chat`: which one is meant, what is kept of them, and in which words they are listed.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ChatListTests {
  static func conversation(
    _ id: String, title: String? = "Title", thread: String = "t", turns: Int = 2, usedAt: Int = 1000
  ) -> KeptConversation {
    let record = SessionRecord(
      current: ThreadRecord(id: ThreadID(thread), model: "gpt"), title: title, createdAt: 1, usedAt: usedAt,
      turns: turns)
    return KeptConversation(id: id, record: record)
  }

  private let list = ChatList(["abc1", "abd2", "xyz3"].map { conversation($0) })

  @Test(arguments: [("1", "abc1"), (" 3 ", "xyz3"), ("x", "xyz3"), ("ABD", "abd2"), ("abc1", "abc1")])
  func aNumberOrTheBeginningOfAnIDMeansOne(_ text: String, _ id: String) {
    #expect(list.choose(text) == .one(Self.conversation(id)))
  }

  @Test func whatMeansNoneOrSeveralIsSaid() {
    for text in ["", "0", "4", "-1", "q", "abc12"] { #expect(list.choose(text) == .none, "\(text)") }
    #expect(list.choose("ab") == .several(2))
  }

  @Test func theOneUsedLastComesFirst() {
    var list = list
    list.use(Self.conversation("xyz3", turns: 3))
    #expect(list.all.map(\.id) == ["xyz3", "abc1", "abd2"])
    #expect(list["xyz3"]?.record.turns == 3)
    list.forget("abc1")
    #expect(list.all.map(\.id) == ["xyz3", "abd2"])
  }

  @Test func itIsBounded() {
    var list = ChatList()
    for number in 0..<300 { list.use(Self.conversation("c\(number)")) }
    #expect(list.all.count == ChatList.maxCount)
    #expect(list.all.first?.id == "c299")
  }

  @Test func turnsAreTakenBackFromTheLast() {
    var one = Self.conversation("a", title: nil, turns: 0)
    one.began("T1", saying: "first words", isNewThread: true, at: 5)
    one.began("T2", saying: String(repeating: "long ", count: 100), isNewThread: false, at: 6)
    #expect(one.record.title == "first words")
    #expect(one.record.turns == 2)
    #expect((one.undo()?.words.utf8.count ?? 99) <= 60)
    #expect(one.undo()?.turnID == "T1")
    #expect(one.cut == "T1")
    #expect(one.undo() == nil)
    #expect(one.record.turns == 0)
    one.began("T3", saying: "again", isNewThread: false, at: 7)
    #expect(one.cut == nil)
    one.began("T4", saying: "elsewhere", isNewThread: true, at: 8)
    #expect(one.marks.map(\.turnID) == ["T4"])
    for number in 0..<99 { one.began("\(number)", saying: "x", isNewThread: false, at: 9) }
    #expect(one.marks.count == KeptConversation.maxMarks)
  }

  // MARK: In words

  @Test func linesAreInColumns() {
    let list = ChatList([
      Self.conversation("aaaa", title: "Fix the flaky test", turns: 6, usedAt: 1000),
      Self.conversation("bbbb", title: "日本語", turns: 1, usedAt: 1000 - 90_000),
    ])
    #expect(
      list.lines(now: 1000, columns: 80) == [
        "1  Fix the flaky test  6 turns  just now   aaaa", "2  日本語              1 turn   yesterday  bbbb",
      ])
    let narrow = list.lines(now: 1000, columns: 40)
    #expect(narrow.allSatisfy { $0.displayWidth <= 44 }, "\(narrow)")
    #expect(narrow[0].contains("…"))
  }

  @Test func aTitleCannotDriveTheTerminal() {
    let one = Self.conversation("a", title: "x\u{1B}]0;y\u{202E}")
    #expect(!one.described(now: 0).unicodeScalars.contains("\u{1B}"))
    #expect(!ChatList([one]).lines(now: 0, columns: 80)[0].unicodeScalars.contains("\u{202E}"))
  }

  @Test(arguments: [
    (-5, "just now"), (59, "just now"), (60, "1 min ago"), (7200, "2 h ago"), (86_400, "yesterday"),
    (200_000, "2 days ago"), (1_300_000, "2 weeks ago"), (10_000_000, "3 months ago"),
  ])
  func agesAreWords(_ seconds: Int, _ text: String) { #expect(Age.text(seconds: seconds) == text) }

  // MARK: The file

  @Test func itIsKept() throws {
    let directory = try ScratchDirectory()
    let file = ChatListFile(stateDirectory: directory.path, isDemo: false)
    #expect(file.load() == ChatList())
    var one = Self.conversation("aaaa", thread: "t1")
    one.modelName = "gpt:high"
    one.record.current.previous = [ThreadID("t0")]
    one.began("T1", saying: "a", isNewThread: true, at: 7)
    one.began("T2", saying: "b", isNewThread: false, at: 7)
    _ = one.undo()
    let list = ChatList([one, Self.conversation("bbbb", title: nil)])
    try file.save(list)
    #expect(file.load() == list)
    #expect(directory.names == [ChatListFile.name])
  }

  @Test func theOneConversationOfEarlierVersionsIsTakenOver() throws {
    let directory = try ScratchDirectory()
    try directory.write(
      #"{"threadId":"t1","model":"m:high","threadModel":"m","previous":["t0"]}"#, to: ChatThreadFile.name)
    let file = ChatListFile(stateDirectory: directory.path, isDemo: false)
    let list = file.load()
    #expect(list.all.map(\.record.thread.raw) == ["t1"])
    #expect(list.all.first?.modelName == "m:high")
    #expect(list.all.first?.record.current.previous == [ThreadID("t0")])
    try file.save(list)
    #expect(directory.names == [ChatListFile.name])
    #expect(file.load().all.map(\.id) == list.all.map(\.id))
    // The original project's form.
    let other = try ScratchDirectory()
    try other.write(#"{"thread_id":"t9"}"#, to: ChatThreadFile.name)
    #expect(
      ChatListFile(stateDirectory: other.path, isDemo: false).load().all.map(\.record.thread.raw) == ["t9"])
  }

  @Test func numbersThatCannotBeAreCut() throws {
    let directory = try ScratchDirectory()
    try directory.write(
      #"{"conversations":[{"id":"a","threadId":"t","usedAt":-9223372036854775808,"createdAt":9223372036854775807,"#
        + #""turns":9223372036854775807}]}"#, to: ChatListFile.name)
    let list = ChatListFile(stateDirectory: directory.path, isDemo: false).load()
    let record = try #require(list.all.first?.record)
    #expect(record.usedAt == 0 && record.createdAt == 1 << 40 && record.turns == 1 << 40)
    #expect(!list.lines(now: unixTime(), columns: 80).isEmpty)
  }

  @Test(arguments: [
    "", "no", "{}", "[]", #"{"conversations":3}"#, #"{"conversations":[1,{},{"id":"a"},{"threadId":"t"}]}"#,
    #"{"conversations":[{"id":"a b","threadId":"t"}]}"#,
  ])
  func whatIsNoListIsNothing(_ text: String) throws {
    let directory = try ScratchDirectory()
    try directory.write(text, to: ChatListFile.name)
    #expect(ChatListFile(stateDirectory: directory.path, isDemo: false).load() == ChatList())
  }
}

@Suite(.onLoop)
struct ChatRepositoryTests {
  @Test @LoopActor func twoProgramsKeepTheirConversations() throws {
    let directory = try ScratchDirectory()
    let file = ChatListFile(stateDirectory: directory.path, isDemo: false)
    let (first, second) = (ChatRepository(file), ChatRepository(file))
    try first.bind(SessionKey(owner: .everybody, id: "a"), ChatListTests.conversation("a").record)
    try first.commit()
    try second.bind(SessionKey(owner: .everybody, id: "b"), ChatListTests.conversation("b").record)
    try second.commit()
    #expect(file.load().all.map(\.id) == ["b", "a"])
    first.reload()
    #expect(first.conversations.all.map(\.id) == ["b", "a"])
    first.forget("a")
    try first.commit()
    #expect(file.load().all.map(\.id) == ["b"])
  }

  @Test @LoopActor func anOldRecordIsNotTaken() throws {
    let directory = try ScratchDirectory()
    let repository = ChatRepository(ChatListFile(stateDirectory: directory.path, isDemo: false))
    let key = SessionKey(owner: .everybody, id: "a")
    try repository.bind(key, ChatListTests.conversation("a").record)
    #expect(throws: RepositoryError.conflict) { try repository.bind(key, ChatListTests.conversation("a").record) }
    #expect(repository.lookup(key)?.version != nil)
  }
}
