// What a request does to a session's thread.

import Testing

@testable import Bridge

struct ContinuationTests {
  private func thread(_ id: String, _ model: String?, answers: Int? = nil) -> ThreadRecord {
    ThreadRecord(id: ThreadID(id), model: model, answers: answers)
  }

  private func record(_ current: ThreadRecord, _ others: [ThreadRecord] = []) -> SessionRecord {
    SessionRecord(
      current: current, others: others, prompt: SessionPrompt("Be brief."), createdAt: 1, usedAt: 1, turns: 1)
  }

  private func decide(
    _ record: SessionRecord?, _ model: String? = "a", answers: Int = 0, knows: Bool = true
  ) -> Continuation { .decide(record, model: model, answerCount: answers, knowsSession: knows) }

  @Test func aSessionThatNobodyKnowsBegins() {
    #expect(decide(nil) == .first)
    #expect(decide(nil, knows: false) == .first)
  }

  @Test func theThreadOfTheModelGoesOn() {
    let current = thread("t1", "a", answers: 1)
    #expect(decide(record(current)) == .next(current, prompt: SessionPrompt("Be brief.")))
    // How many answers a client sends says nothing of the thread that was used last.
    #expect(decide(record(current), answers: 9) == .next(current, prompt: SessionPrompt("Be brief.")))
    let unknown = thread("t1", nil)
    #expect(decide(record(unknown)) == .next(unknown, prompt: SessionPrompt("Be brief.")))
  }

  @Test func anotherModelBeginsANewThreadAfterTheOneUsedLast() {
    let current = thread("t1", "a")
    #expect(decide(record(current), "b") == .modelChanged(from: current))
  }

  @Test func theThreadOfAModelGoesOnWhereItHasMissedNothing() {
    let other = thread("t2", "b", answers: 1)
    let record = record(thread("t1", "a"), [other])
    #expect(decide(record, "b", answers: 2) == .next(other, prompt: SessionPrompt("Be brief.")))
    #expect(decide(record, "b", answers: 3) == .modelChanged(from: thread("t1", "a")))
    // A client that sends only what is new tells nothing of the rest.
    #expect(decide(record, "b") == .next(other, prompt: SessionPrompt("Be brief.")))
  }

  @Test func whatOthersBeganMeanwhileIsNotWhatWasAskedFor() {
    #expect(decide(record(thread("t1", "a")), "b", knows: false) == .first)
  }
}
