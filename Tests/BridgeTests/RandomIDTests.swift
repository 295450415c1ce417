// Ids of ours, and ids of callers that may be echoed.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct RandomIDTests {
  @Test(arguments: ["a", "req-1", "A_b.C:9", String(repeating: "x", count: 128)])
  func echoesSaneIDs(_ id: String) { #expect(RandomID.isValid(id)) }

  @Test(arguments: [
    "", " ", ".", "..", "a b", "a\r\nSet-Cookie: b", "a\nb", "a\tb", "a\0", "a\"b", "a;b", "a,b", "a/b", "a%0d",
    "é", "<x>",
    "{}",
    String(repeating: "x", count: 129),
  ])
  func echoesNothingElse(_ id: String) { #expect(!RandomID.isValid(id)) }

  @LoopActor
  @Test func makesSaneIDsThatDiffer() {
    let ids = (0..<1000).map { _ in RandomID.make("req-") }
    #expect(ids.allSatisfy { RandomID.isValid($0) && $0.hasPrefix("req-") && $0.count == 28 })
    #expect(Set(ids).count == ids.count)
  }
}
