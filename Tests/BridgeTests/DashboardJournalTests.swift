// Running turns and recent failures, as the dashboard is told of them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct DashboardJournalTests {
  private static func failure(_ message: String, code: String? = "trouble") -> APIError {
    APIError(status: 502, type: "codex_error", code: code, message: message)
  }

  // MARK: Turns

  @Test @LoopActor
  func turnsAreToldFromTheirStartToTheirEnd() {
    let journal = DashboardJournal()
    let first = journal.began(.test("r1", session: "s", askedAt: .seconds(7)))
    let second = journal.began(.test("r2", model: "m:high"))
    #expect(journal.runningCount == 2)
    #expect(journal.running(of: .everybody, limit: 10).map(\.turn.requestID) == ["r1", "r2"])
    #expect(journal.running(of: .everybody, limit: 10).map(\.session) == ["s", nil])
    #expect(journal.running(of: .everybody, limit: 10).map(\.objects.identity.model) == ["m", "m:high"])
    #expect(journal.running(of: .everybody, limit: 10).first?.askedAt == .seconds(7))
    journal.ended(first)
    journal.ended(first)
    #expect(journal.running(of: .everybody, limit: 10).map(\.turn.requestID) == ["r2"])
    journal.ended(second)
    #expect(journal.runningCount == 0)
  }

  @Test @LoopActor
  func theOldestTurnsAreToldFirst() {
    let journal = DashboardJournal()
    for number in 0..<50 { _ = journal.began(.test("r\(number)")) }
    #expect(journal.running(of: .everybody, limit: 3).map(\.turn.requestID) == ["r0", "r1", "r2"])
    #expect(journal.runningCount == 50)
  }

  /// Callers choose their ids, so several requests may have the same one.
  @Test @LoopActor
  func stoppingARequestInterruptsAllItsTurnsAndNoOther() {
    let journal = DashboardJournal()
    let answers = ["same", "other", "same"].map { ChatAnswer.test($0) }
    let turns = answers.map(\.turn)
    let ids = answers.map(journal.began)
    #expect(journal.stop(requestID: "same", by: .everybody))
    #expect(turns.map(\.isInterrupted) == [true, false, true])
    #expect(!journal.stop(requestID: "none", by: .everybody))
    for id in ids { journal.ended(id) }
    #expect(!journal.stop(requestID: "other", by: .everybody))
    #expect(!turns[1].isInterrupted)
  }

  // MARK: Failures

  @Test @LoopActor
  func theLatestFailuresAreKept() {
    let journal = DashboardJournal()
    let before = unixTime()
    for number in 0..<30 { journal.failed(Self.failure("m\(number)"), .test("r\(number)")) }
    #expect(journal.failures(of: .everybody).map(\.message) == (10..<30).map { "m\($0)" })
    #expect(journal.failures(of: .everybody).map(\.requestID) == (10..<30).map { "r\($0)" })
    #expect(
      journal.failures(of: .everybody).allSatisfy { $0.code == "trouble" && (before...unixTime()).contains($0.at) }
    )
  }

  @Test @LoopActor
  func theFailuresOfOneKeyDoNotPushOutThoseOfAnother() {
    let journal = DashboardJournal()
    let (hers, his) = (Request.test("hers"), Request.test("his"))
    (hers.principal, his.principal) = (Principal(name: "a"), Principal(name: "b"))
    journal.failed(Self.failure("his"), his)
    for _ in 0..<30 { journal.failed(Self.failure("hers"), hers) }
    #expect(journal.failures(of: Principal(name: "b")).map(\.message) == ["his"])
    #expect(journal.failures(of: Principal(name: "a")).count == 20)
    #expect(journal.failures(of: .everybody).isEmpty)
  }

  @Test @LoopActor
  func aFailureWithoutACodeHasItsType() {
    let journal = DashboardJournal()
    journal.failed(Self.failure("m", code: nil), .test("r"))
    #expect(journal.failures(of: .everybody).map(\.code) == ["codex_error"])
  }

  @Test @LoopActor
  func aRequestWhoseClientHasLeftIsNobodysTrouble() {
    let journal = DashboardJournal()
    let request = Request.test("r")
    request.clientLeft()
    journal.failed(Self.failure("m"), request)
    #expect(journal.failures(of: .everybody).isEmpty)
  }

  @Test @LoopActor
  func aLongMessageIsCut() {
    let journal = DashboardJournal()
    journal.failed(Self.failure(String(repeating: "x", count: 100_000)), .test("r"))
    #expect(
      journal.failures(of: .everybody).first?.message == String(repeating: "x", count: 500)
        + "… (99500 more bytes)")
  }

  // MARK: Shortening

  @Test(
    arguments: [
      ("", 0, ""), ("", 5, ""), ("abc", 3, "abc"), ("abc", 2, "ab… (1 more bytes)"),
      ("abc", 0, "… (3 more bytes)"),
      // Counted in scalars, and told in bytes: one character may have millions of either.
      ("äöü", 3, "äöü"), ("äöü", 2, "äö… (2 more bytes)"), ("👩‍👩‍👧‍👦", 7, "👩‍👩‍👧‍👦"), ("👩‍👩‍👧‍👦x", 7, "👩‍👩‍👧‍👦… (1 more bytes)"),
      ("a" + String(repeating: "\u{301}", count: 1000), 2, "a\u{301}… (1998 more bytes)"),
    ])
  func textIsShortenedBetweenScalars(_ text: String, _ limit: Int, _ shown: String) {
    #expect(text.shortened(to: limit) == shown)
  }
}
