// Running turns are found by their thread's bytes, and by nothing else.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct RunningTurnsTests {
  @LoopActor private func running(_ thread: String) -> RunningTurn {
    RunningTurn(
      turn: Turn(TurnRequest(thread: .ephemeral), requestID: "r"), thread: ThreadID(thread),
      mapper: TurnEventMapper(baseline: nil), now: .zero)
  }

  @Test @LoopActor func findsEachOfMany() {
    let threads = (0..<1000).map { "01a204ce-0000-7000-8000-\($0)" } + ["", "é"]
    let turns = RunningTurns()
    for thread in threads { turns[thread] = running(thread) }
    #expect(turns.count == threads.count)
    for thread in threads {
      let bytes = Array("\"\(thread)\"".utf8)
      #expect(turns.turn(on: bytes.span.extracting(1..<bytes.count - 1)) === turns[thread])
      #expect(turns[thread]?.thread.raw == thread)
    }
    #expect(turns["01a204ce-0000-7000-8000-"] == nil)
    #expect(turns["01a204ce-0000-7000-8000-0 "] == nil)
  }

  @Test @LoopActor func forgetsWhatWasRemoved() {
    let turns = RunningTurns()
    turns["a"] = running("a")
    turns["b"] = running("b")
    turns["a"] = nil
    #expect(turns["a"] == nil)
    #expect(turns["b"] != nil)
    turns.removeAll()
    #expect(turns.count == 0)
  }
}
