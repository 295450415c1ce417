// Conversations without a name: which are remembered, which are found again, and what is left of those that are forgotten.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct UnnamedConversationsTests {
  private let owner = Principal(name: "a")

  private func digest(_ text: String) -> ConversationDigest {
    let items: [Conversation.Item] = [.message(.user, [.text(text)])]
    let start = ConversationDigest(owner: owner)
    return ConversationDigest.chain(of: items, after: start).last ?? start
  }

  private func points(_ texts: String...) -> ThreadPoints {
    ThreadPoints(
      texts.map { text in
        ThreadPoint(turnID: text, before: digest(""), asked: digest(text), answered: digest("answer to \(text)"))
      })
  }

  /// Begins a conversation and returns its session.
  @LoopActor private func begin(_ number: Int, in memory: UnnamedConversations, turns: Int = 1) throws
    -> SessionKey
  {
    let key = SessionKey.unnamed(owner: owner, profile: .agent)
    let record = SessionRecord(
      current: ThreadRecord(id: ThreadID("t\(number)")), createdAt: 0, usedAt: 0, turns: turns)
    try memory.bind(key, record)
    memory.set(points("\(number)"), of: ThreadID("t\(number)"), in: key)
    return key
  }

  @Test @LoopActor func theBridgeKnowsTheNamesItGives() {
    let key = SessionKey.unnamed(owner: owner, profile: .chat)
    #expect(key.isUnnamed && key.name == nil)
    #expect(key != SessionKey.unnamed(owner: owner, profile: .chat))
    #expect(!SessionKey(owner: owner, id: "conversation_1").isUnnamed)
  }

  @Test @LoopActor func anAnswerLeadsToItsThread() throws {
    let memory = UnnamedConversations()
    let first = try begin(1, in: memory)
    _ = try begin(2, in: memory)
    let found = memory.threads(endingAt: [digest("nothing"), digest("answer to 1"), digest("answer to 2")])
    #expect(found == [FoundThread(session: first, thread: ThreadID("t1"))])
    #expect(memory.points(of: ThreadID("t1")) == points("1"))
  }

  /// Whose client has stopped the answer sends the beginning of it, which nobody has noted.
  @Test @LoopActor func aCutAnswerIsFoundByItsQuestion() throws {
    let memory = UnnamedConversations()
    let first = try begin(1, in: memory)
    var cut = points("1", "2")
    cut.changeLast { $0.answered = nil }
    memory.set(cut, of: ThreadID("t1"), in: first)
    let other = try begin(2, in: memory)
    #expect(memory.threads(endingAt: [digest("x"), digest("2")]).map(\.session) == [first])
    // The question to an answer that is known is no end.
    #expect(memory.threads(endingAt: [digest("1")]).isEmpty)
    #expect(memory.threads(endingAt: [digest("answer to 2"), digest("2")]).map(\.session) == [other])
  }

  @Test @LoopActor func whoHasNotComeBackIsForgottenFirst() throws {
    let memory = UnnamedConversations(maxCount: 2, minAge: .zero)
    var deleted: [ThreadID] = []
    memory.onForgotten = { deleted += $0 }
    let talk = try begin(1, in: memory, turns: 3)
    _ = try begin(2, in: memory)
    let newest = try begin(3, in: memory)
    memory.forgetSurplus(keeping: newest) { _ in false }
    #expect(deleted == [ThreadID("t2")])
    #expect(memory.lookup(talk) != nil)
    #expect(memory.threads(endingAt: [digest("answer to 2")]).isEmpty)
  }

  @Test @LoopActor func whatIsInUseOrYoungStays() throws {
    let memory = UnnamedConversations(maxCount: 1, minAge: .zero)
    let first = try begin(1, in: memory)
    #expect(!memory.hasRoom { $0 == first })
    #expect(memory.hasRoom { _ in false })
    let young = UnnamedConversations(maxCount: 1)
    _ = try begin(1, in: young)
    #expect(!young.hasRoom { _ in false })
  }

  @Test @LoopActor func branchesAreForgottenWithTheirConversation() throws {
    let memory = UnnamedConversations()
    var (added, deleted): ([ThreadID], [ThreadID]) = ([], [])
    memory.onAdded = { added.append($0) }
    memory.onForgotten = { deleted += $0 }
    let key = try begin(1, in: memory)
    var record = try #require(memory.lookup(key))
    record.keep(ThreadRecord(id: ThreadID("branch")))
    try memory.bind(key, record)
    #expect(added == [ThreadID("t1"), ThreadID("branch")])
    #expect(memory.forget(key))
    #expect(deleted == [ThreadID("branch"), ThreadID("t1")])
  }

  // MARK: In the database

  @LoopActor private func stored(_ body: @LoopActor (PointStore, TemporaryDirectory) async throws -> Void)
    async throws
  {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try await body(PointStore(Database(directory: directory.path)), directory)
  }

  @Test @LoopActor func pointsLast() async throws {
    try await stored { store, directory in
      let key = SessionKey.unnamed(owner: owner, profile: .agent)
      let thread = ThreadID("t1")
      var kept = points("1", "2", "3")
      kept.changeLast { $0.hasEffects = true }
      await store.set(kept, of: thread, in: key)
      kept.cut(at: 1)
      kept.append(
        ThreadPoint(turnID: nil, before: digest("b"), asked: digest("c"), isWhole: true, hasDocuments: true))
      await store.set(kept, of: thread, in: key)
      let again = PointStore(Database(directory: directory.path))
      #expect(await again.points(of: thread) == kept)
      let found = await again.threads(endingAt: [digest("answer to 2"), digest("answer to 1")])
      #expect(found == [FoundThread(session: key, thread: thread)])
      #expect(await again.threads(endingAt: [digest("c")]).map(\.thread) == [thread])
      #expect(await again.threads(endingAt: [digest("1")]).isEmpty)
      await again.forget([thread])
      #expect(await again.points(of: thread).isEmpty)
      #expect(await PointStore(Database(directory: directory.path)).points(of: thread).isEmpty)
    }
  }

  @Test @LoopActor func aNamedSessionIsNotFoundByItsHistory() async throws {
    try await stored { store, _ in
      await store.set(points("1"), of: ThreadID("t1"), in: SessionKey(owner: owner, id: "s"))
      #expect(await store.threads(endingAt: [digest("answer to 1")]).isEmpty)
    }
  }

  @Test @LoopActor func oldPointsOfALongThreadGo() {
    var points = ThreadPoints()
    for number in 0..<(ThreadPoints.maxCount + 3) {
      points.append(ThreadPoint(turnID: "\(number)", before: digest(""), asked: digest("\(number)")))
    }
    #expect(points.all.count == ThreadPoints.maxCount)
    #expect(points.dropped == 3)
    #expect(points.all.first?.turnID == "3")
  }

  @Test @LoopActor func threadsToBeDeletedAreListed() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let list = PassingThreads(Database(directory: directory.path))
    #expect(await list.all().isEmpty)
    for id in ["a", "b", "a"] { await list.add(ThreadID(id)) }
    await list.remove(ThreadID("b"))
    #expect(await PassingThreads(Database(directory: directory.path)).all() == [ThreadID("a")])
  }
}
