// The answers under way, as the dashboard is told of them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct AnswerRegistryTests {
  @Test @LoopActor
  func turnsAreToldFromTheirStartToTheirEnd() {
    let registry = AnswerRegistry()
    let first = registry.add(.test("r1", session: "s", askedAt: .seconds(7)))
    let second = registry.add(.test("r2", model: "m:high"))
    #expect(registry.count == 2)
    #expect(registry.answers(to: .everybody, limit: 10).map(\.turn.requestID) == ["r1", "r2"])
    #expect(registry.answers(to: .everybody, limit: 10).map(\.session) == ["s", nil])
    #expect(registry.answers(to: .everybody, limit: 10).map(\.identity.model) == ["m", "m:high"])
    #expect(registry.answers(to: .everybody, limit: 10).first?.askedAt == .seconds(7))
    registry.remove(first)
    registry.remove(first)
    #expect(registry.answers(to: .everybody, limit: 10).map(\.turn.requestID) == ["r2"])
    registry.remove(second)
    #expect(registry.count == 0)
  }

  @Test @LoopActor
  func theOldestTurnsAreToldFirst() {
    let registry = AnswerRegistry()
    for number in 0..<50 { _ = registry.add(.test("r\(number)")) }
    #expect(registry.answers(to: .everybody, limit: 3).map(\.turn.requestID) == ["r0", "r1", "r2"])
    #expect(registry.count == 50)
  }

  /// Callers choose their ids, so several requests may have the same one.
  @Test @LoopActor
  func stoppingARequestInterruptsAllItsTurnsAndNoOther() {
    let registry = AnswerRegistry()
    let answers = ["same", "other", "same"].map { Answer.test($0) }
    let turns = answers.map(\.turn)
    let ids = answers.map(registry.add)
    #expect(registry.stop(requestID: "same", by: .everybody))
    #expect(turns.map(\.isInterrupted) == [true, false, true])
    #expect(!registry.stop(requestID: "none", by: .everybody))
    for id in ids { registry.remove(id) }
    #expect(!registry.stop(requestID: "other", by: .everybody))
    #expect(!turns[1].isInterrupted)
  }
}
