// The latest failures of each key, as the dashboard is told of them.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct FailureLogTests {
  private static func failure(_ message: String, code: String? = "trouble") -> APIError {
    APIError(status: 502, type: "codex_error", code: code, message: message)
  }

  @Test @LoopActor
  func theLatestFailuresAreKept() {
    let log = FailureLog()
    let before = unixTime()
    for number in 0..<30 { log.add(Self.failure("m\(number)"), Request.test("r\(number)")) }
    #expect(log.failures(of: .everybody).map(\.message) == (10..<30).map { "m\($0)" })
    #expect(log.failures(of: .everybody).map(\.requestID) == (10..<30).map { "r\($0)" })
    #expect(
      log.failures(of: .everybody).allSatisfy { $0.code == "trouble" && (before...unixTime()).contains($0.at) }
    )
  }

  @Test @LoopActor
  func theFailuresOfOneKeyDoNotPushOutThoseOfAnother() {
    let log = FailureLog()
    let (hers, his) = (Request.test("hers"), Request.test("his"))
    (hers.principal, his.principal) = (Principal(name: "a"), Principal(name: "b"))
    log.add(Self.failure("his"), his)
    for _ in 0..<30 { log.add(Self.failure("hers"), hers) }
    #expect(log.failures(of: Principal(name: "b")).map(\.message) == ["his"])
    #expect(log.failures(of: Principal(name: "a")).count == 20)
    #expect(log.failures(of: .everybody).isEmpty)
  }

  @Test @LoopActor
  func aFailureWithoutACodeHasItsType() {
    let log = FailureLog()
    log.add(Self.failure("m", code: nil), Request.test("r"))
    #expect(log.failures(of: .everybody).map(\.code) == ["codex_error"])
  }

  @Test @LoopActor
  func aRequestWhoseClientHasLeftIsNobodysTrouble() {
    let log = FailureLog()
    let request = Request.test("r")
    request.clientLeft()
    log.add(Self.failure("m"), request)
    #expect(log.failures(of: .everybody).isEmpty)
  }

  @Test @LoopActor
  func aLongMessageIsCut() {
    let log = FailureLog()
    log.add(Self.failure(String(repeating: "x", count: 100_000)), Request.test("r"))
    #expect(
      log.failures(of: .everybody).first?.message == String(repeating: "x", count: 500)
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
