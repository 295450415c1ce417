// Events on their way to one reader.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct TurnStreamTests {
  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  /// An answer of so many bytes.
  private static func answer(bytes count: Int) -> TurnEvent { answer(String(repeating: "x", count: count)) }

  @Test @LoopActor func handsOverWhatHasGathered() async {
    let stream = TurnStream()
    stream.push(Self.answer("a"))
    stream.push(.aside(EscapedText("b")))
    stream.push(.checkpoint)
    #expect(await stream.next() == [Self.answer("a"), .aside(EscapedText("b")), .checkpoint])
    stream.push(Self.answer("c"))
    #expect(await stream.next() == [Self.answer("c")])
  }

  @Test @LoopActor func wakesAReaderOnceForALoopTurn() async {
    let stream = TurnStream()
    let done = Wait()
    var batches: [[TurnEvent]] = []
    Loop.spawn {
      batches.append(await stream.next())
      done.finish()
    }
    await Loop.nextTurn()
    for text in ["a", "b", "c"] { stream.push(Self.answer(text)) }
    await done.value()
    #expect(batches == [["a", "b", "c"].map { Self.answer($0) }])
  }

  @Test @LoopActor func takesNothingAfterTheEnd() async {
    let stream = TurnStream()
    #expect(!stream.hasEnded)
    stream.push(.ended(.completed(TokenUsage())))
    #expect(stream.hasEnded)
    stream.push(Self.answer("late"))
    stream.push(.ended(.failed(.crashed)))
    stream.push(.checkpoint)
    #expect(await stream.next() == [.ended(.completed(TokenUsage()))])
  }

  /// A reader that has had its first events and now does something else.
  @LoopActor private func streamWithABusyReader() async -> TurnStream {
    let stream = TurnStream()
    stream.push(.checkpoint)
    _ = await stream.next()
    return stream
  }

  @Test @LoopActor func aReaderThatHasNotBegunIsNotSlow() async {
    let stream = TurnStream()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    for _ in 0..<3 { stream.push(Self.answer(bytes: TurnStream.maxPendingBytes)) }
    #expect(overflows == 0)
    #expect(await stream.next().count == 3)
  }

  @Test(arguments: [0, 1]) @LoopActor func boundsWhatWaits(_ excess: Int) async {
    let stream = await streamWithABusyReader()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    stream.push(Self.answer(bytes: 1000))
    stream.push(Self.answer(bytes: TurnStream.maxPendingBytes - 1000 + excess))
    #expect(overflows == excess)
    #expect(await stream.next().count == 2 - excess)
  }

  @Test(arguments: [0, 1]) @LoopActor func boundsHowManyWait(_ excess: Int) async {
    let stream = await streamWithABusyReader()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    for _ in 0..<TurnStream.maxPendingEvents + excess { stream.push(Self.answer("x")) }
    #expect(overflows == excess)
    #expect(await stream.next().count == TurnStream.maxPendingEvents)
  }

  @Test @LoopActor func saysOnceThatItOverflows() async {
    let stream = await streamWithABusyReader()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    for _ in 0..<400 { stream.push(Self.answer(bytes: 1024)) }
    stream.push(.aside(EscapedText("lost too")))
    stream.push(.ended(.interrupted(TokenUsage())))
    #expect(overflows == 1)
    let events = await stream.next()
    #expect(events.count == TurnStream.maxPendingBytes / 1024 + 1)
    #expect(events.last == .ended(.interrupted(TokenUsage())))
  }

  /// What is called on overflow holds the turn, and the turn its stream: together they would stay for ever.
  @Test(arguments: [false, true]) @LoopActor func letsGoOfItsReaderAtTheEnd(_ comesLate: Bool) {
    final class Reader {}
    let stream = TurnStream()
    weak var held: Reader?
    if comesLate { stream.push(.ended(.completed(TokenUsage()))) }
    do {
      let reader = Reader()
      held = reader
      stream.onOverflow = { _ = reader }
    }
    #expect((held == nil) == comesLate)
    stream.push(.ended(.completed(TokenUsage())))
    #expect(held == nil)
  }

  @Test @LoopActor func aReaderThatKeepsUpNeverOverflows() async {
    let stream = TurnStream()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    for _ in 0..<10 {
      stream.push(Self.answer(bytes: TurnStream.maxPendingBytes / 2))
      #expect(await stream.next().count == 1)
    }
    #expect(overflows == 0)
  }

  /// A message without deltas comes in one piece; nobody has been slow then.
  @Test @LoopActor func onePieceMayBeLargerThanTheBound() async {
    let stream = TurnStream()
    var overflows = 0
    stream.onOverflow = { overflows += 1 }
    let piece = Self.answer(bytes: TurnStream.maxPendingBytes + 1)
    stream.push(piece)
    stream.push(.ended(.completed(TokenUsage())))
    #expect(overflows == 0)
    #expect(await stream.next() == [piece, .ended(.completed(TokenUsage()))])
  }
}
