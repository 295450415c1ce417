// What becomes of a request that may repeat an earlier one, row by row; and what is remembered for it.

import Testing

@testable import Bridge

struct RepeatDecisionTests {
  private func decide(
    _ mark: RepeatDecision.Mark, _ underWay: [(isAttended: Bool, isJoinable: Bool)] = [],
    ended: (seconds: Int, isUnread: Bool)? = nil, hasFailure: Bool = false
  ) -> RepeatDecision {
    .decide(
      mark,
      underWay: underWay.map { RepeatDecision.UnderWay(isAttended: $0.isAttended, isJoinable: $0.isJoinable) },
      ended: ended.map { RepeatDecision.Ended(age: .seconds($0.seconds), isUnread: $0.isUnread) },
      hasFailure: hasFailure, grace: .seconds(5))
  }

  @Test func aRetryJoinsWhatRuns() {
    #expect(decide(.retry) == .run)
    #expect(decide(.retry, [(true, true)]) == .join(0))
    #expect(decide(.retry, [(true, true), (true, true)]) == .join(1))
    #expect(decide(.retry, [(false, true), (true, true)]) == .join(0))
    #expect(decide(.retry, [(true, true), (true, false)]) == .join(0))
    #expect(decide(.retry, [(true, false)]) == .run)
  }

  @Test func anUnmarkedRequestJoinsWhatNobodyReads() {
    #expect(decide(.none, [(true, true)]) == .run)
    #expect(decide(.none, [(true, true), (false, true)]) == .join(1))
    #expect(decide(.none, [(false, false)]) == .run)
  }

  @Test func anEndedAnswerIsForTheRetry() {
    #expect(decide(.retry, ended: (60, false)) == .answerAgain)
    #expect(decide(.retry, ended: (61, false)) == .run)
    #expect(decide(.none, ended: (1, false)) == .run)
    #expect(decide(.none, ended: (5, true)) == .answerAgain)
    #expect(decide(.none, ended: (6, true)) == .run)
  }

  @Test func aFailureIsForEveryRepetition() {
    #expect(decide(.none, hasFailure: true) == .failAgain)
    #expect(decide(.retry, hasFailure: true) == .failAgain)
    #expect(decide(.retry, [(true, true)], hasFailure: true) == .join(0))
  }

  @Test func whoWantsToRunRuns() {
    #expect(decide(.run, [(false, true)], ended: (1, true), hasFailure: true) == .run)
  }

  // MARK: What is remembered

  private let seeds = Fingerprint.Seeds()

  private func key(_ number: Int) -> AnswerKey {
    AnswerKey(
      body: Fingerprint(of: "\(number)".utf8.span, seeds), owner: .everybody, profile: .agent,
      dialect: "chatcmpl-",
      session: nil)
  }

  private func answer(_ bytes: Int) -> KeptAnswer {
    .whole(Response(body: [UInt8](repeating: 0, count: bytes)))
  }

  private let failure = Response(status: 502)

  @Test func failuresAreToldThreeTimesAndForAWhile() {
    var memory = AnswerMemory()
    memory.fail(failure, of: "r", for: key(1), at: .zero)
    #expect(memory.hasFailure(key(1), at: .seconds(20)) && !memory.hasFailure(key(1), at: .seconds(21)))
    #expect((1...3).map { _ in memory.failAgain(key(1))?.number } == [1, 2, 3])
    #expect(!memory.hasFailure(key(1), at: .zero) && !memory.hasFailure(key(2), at: .zero))
    memory.fail(failure, of: "r", for: key(1), at: .seconds(1))
    #expect(memory.hasFailure(key(1), at: .seconds(1)))
    memory.keep(answer(1), of: "r", isUnread: false, for: key(1), at: .seconds(2))
    #expect(!memory.hasFailure(key(1), at: .seconds(2)))
    memory.sweep(at: .seconds(40))
    #expect(!memory.isEmpty)
    memory.sweep(at: .seconds(63))
    #expect(memory.isEmpty && memory.byteCount == 0 && memory.ended(key(1), at: .seconds(63)) == nil)
  }

  @Test func theMemoryOfAnswersIsBounded() {
    var memory = AnswerMemory()
    for number in 0..<100 {
      memory.keep(answer(1 << 20), of: "r", isUnread: false, for: key(number), at: .seconds(number))
    }
    #expect(memory.byteCount <= AnswerMemory.maxBytes)
    #expect(memory.ended(key(99), at: .seconds(99)) != nil && memory.ended(key(0), at: .seconds(99)) == nil)
    memory.keep(answer(AnswerLog.maxBytes + 1), of: "r", isUnread: false, for: key(99), at: .seconds(100))
    #expect(memory.ended(key(99), at: .seconds(100)) == nil)
    for number in 0..<2 * AnswerMemory.maxCount {
      memory.keep(answer(1), of: "r", isUnread: false, for: key(number), at: .seconds(200))
      memory.fail(failure, of: "r", for: key(-number - 1), at: .seconds(200))
    }
    #expect(memory.ended(key(0), at: .seconds(200)) == nil && !memory.hasFailure(key(-1), at: .seconds(200)))
    #expect(memory.ended(key(2 * AnswerMemory.maxCount - 1), at: .seconds(200)) != nil)
    #expect(memory.hasFailure(key(-2 * AnswerMemory.maxCount), at: .seconds(200)))
    memory.sweep(at: .seconds(300))
    #expect(memory.isEmpty && memory.byteCount == 0)
  }
}
