// Two clients of one answer, of which one does not read.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

extension GatewayServer {
  /// Goes on with a turn that two clients are told, until the one that reads nothing is cut, and ends it. The other has all of it
  /// then. Returns how many bytes of text that was.
  func answer(_ turn: Turn, to other: TestClient, whileReadsNothing slow: TestClient) async -> Int {
    slow.pauseReading()
    let piece = String(repeating: "x", count: 16 * 1024)
    var pushed = 0
    while connectionCount == 2, pushed < 2000 {
      turn.events.push(.answer(EscapedText(piece)))
      pushed += 1
      await Loop.nextTurn()
    }
    #expect(connectionCount == 1, "much was taken for a client that reads nothing")
    #expect(!turn.isInterrupted)
    let end = "end"
    turn.answer([end])
    await other.wait(forBytes: { $0.suffix(7) == Array("\r\n0\r\n\r\n".utf8)[...] })
    return pushed * piece.utf8.count + end.utf8.count
  }
}
