import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct LoadedThreadsTests {
  private func full(_ count: Int) -> LoadedThreads {
    var threads = LoadedThreads(capacity: 4)
    for number in 0..<count { threads.insert(ThreadID("t\(number)"), .test) }
    return threads
  }

  @Test func letsTheLongestIdleGoFirst() {
    var threads = full(6)
    threads.touch(ThreadID("t0"))
    #expect(threads.evict { _ in false } == [ThreadID("t1"), ThreadID("t2")])
    #expect(threads.contains(ThreadID("t0")))
    #expect(threads.evict { _ in false } == [])
  }

  @Test func waitsUntilThereAreClearlyTooMany() {
    var threads = full(5)
    #expect(threads.evict { _ in false } == [])
  }

  /// A thread whose turn is just being started is in use, although no turn runs on it yet.
  @Test func keepsWhatIsHeldOrBusy() {
    var threads = full(6)
    threads.hold(ThreadID("t0"))
    threads.hold(ThreadID("t0"))
    threads.releaseHold(ThreadID("t0"))
    #expect(threads.evict { $0 == ThreadID("t1") } == [ThreadID("t2"), ThreadID("t3")])
    #expect(threads.contains(ThreadID("t0")))
  }

  /// A thread that was loaded again does not tell its items any more.
  @Test func knowsWhichThreadsTellTheirItems() {
    var threads = LoadedThreads(capacity: 4)
    threads.insert(ThreadID("made"), .test, tellsItems: true)
    threads.insert(ThreadID("resumed"), .test)
    #expect(threads.tellsItems(ThreadID("made")) && !threads.tellsItems(ThreadID("resumed")))
    threads.remove(ThreadID("made"))
    threads.insert(ThreadID("made"), .test)
    #expect(!threads.tellsItems(ThreadID("made")))
  }

  @Test func keepsTheUsageOfAThreadThatIsBeingResumed() {
    var threads = LoadedThreads(capacity: 4)
    let thread = ThreadID("t")
    threads.setUsage(TokenUsage(input: 1), of: thread)
    #expect(threads.usage(of: thread) == nil)
    threads.expect(thread)
    threads.setUsage(TokenUsage(input: 2), of: thread)
    threads.insert(thread, .test)
    #expect(threads.usage(of: thread) == TokenUsage(input: 2))
  }

  @Test func aLoadedThreadKeepsItsRights() {
    var threads = LoadedThreads(capacity: 4)
    let thread = ThreadID("t")
    var other = TurnProfile.test
    other.webSearch = true
    #expect(threads.allows(other, on: thread))
    threads.insert(thread, .test)
    #expect(threads.allows(.test, on: thread))
    #expect(!threads.allows(other, on: thread))
    threads.remove(thread)
    #expect(threads.allows(other, on: thread))
    threads.insert(thread, other)
    threads.removeAll()
    #expect(threads.allows(.test, on: thread))
  }

  /// A busy engine may tell of a turn before it answers the call that started it.
  @Test @LoopActor func messagesBeforeTheAnswerAreKept() {
    let turn = Turn(TurnRequest(thread: .ephemeral), requestID: "r")
    let running = RunningTurn(
      turn: turn, thread: ThreadID("t"), mapper: TurnEventMapper(baseline: nil), now: .zero)
    let line: [UInt8] = [1, 2, 3]
    let isKept = running.keepForLater(line.span)
    #expect(isKept)
    #expect(running.started("u") == [line])
    let isKeptLater = running.keepForLater(line.span)
    #expect(!isKeptLater)
    #expect(running.started("u") == [])
  }

  /// An answer with a hole must not pass for one.
  @Test func anEndThatContradictsWhatWasSentTakesItBack() {
    var mapper = TurnEventMapper(baseline: nil)
    let item = { (text: String) -> JSONValue in
      ["item": ["type": "agentMessage", "id": "m", "text": .string(text), "phase": nil]]
    }
    _ = mapper.map(Notification.itemStarted, item(""))
    _ = mapper.delta("two ".utf8.span, hasEscapes: false, of: mapper.message("m".utf8.span))
    let events = mapper.map(Notification.itemCompleted, item("one two "))
    let message = TurnItem.message(nil)
    #expect(
      events == [
        .answerRetracted, .itemBegan(message), .answer(EscapedText("one two ")), .itemEnded(message),
      ])
  }
}
