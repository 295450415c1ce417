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
    stream.push(.reasoning(EscapedText("b")))
    stream.push(.usage(TokenUsage()))
    #expect(await stream.next() == [Self.answer("a"), .reasoning(EscapedText("b")), .usage(TokenUsage())])
    stream.push(Self.answer("c"))
    #expect(await stream.next() == [Self.answer("c")])
  }

  @Test @LoopActor func wakesAReaderOnceForALoopTurn() async {
    let stream = TurnStream()
    let done = Waiter<Void>()
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
    stream.push(.usage(TokenUsage()))
    #expect(await stream.next() == [.ended(.completed(TokenUsage()))])
  }

  // MARK: A reader

  /// Takes what it has room for.
  @LoopActor
  private final class Reader: TurnReader {
    let stream = TurnStream()
    var hasRoom = true
    private(set) var taken: [TurnEvent] = []
    private(set) var timesFellBehind = 0

    init() { stream.reader = self }

    func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
      take(.text(EscapedText(raw: String(decoding: text)), channel))
    }

    func take(_ event: TurnEvent) -> Bool {
      if hasRoom { taken.append(event) }
      return hasRoom
    }

    func fellBehind() { timesFellBehind += 1 }

    func takeEnd(_ rest: [TurnEvent]) { taken += rest }
  }

  private static let end = TurnEvent.ended(.completed(TokenUsage()))

  @Test @LoopActor func aReaderIsGivenEverythingWhereItComesIn() {
    let reader = Reader()
    let events: [TurnEvent] = [
      Self.answer("a"), .reasoning(EscapedText("b")), .usage(TokenUsage()), .answerRetracted, Self.end,
    ]
    for event in events { reader.stream.push(event) }
    #expect(reader.taken == events)
    #expect(reader.stream.gathered() == [])
  }

  @Test @LoopActor func whatAReaderDoesNotTakeGathersInOrder() {
    let reader = Reader()
    reader.stream.push(Self.answer("a"))
    reader.hasRoom = false
    reader.stream.push(Self.answer("b"))
    // With room again nothing may pass what waits.
    reader.hasRoom = true
    reader.stream.push(.usage(TokenUsage()))
    reader.stream.push(Self.answer("c"))
    #expect(reader.taken == [Self.answer("a")])
    #expect(reader.stream.gathered() == [Self.answer("b"), .usage(TokenUsage()), Self.answer("c")])
    reader.stream.push(Self.answer("d"))
    #expect(reader.taken == [Self.answer("a"), Self.answer("d")])
    reader.stream.push(Self.end)
  }

  /// What a turn holds is not held for longer because somebody reads slowly.
  @Test @LoopActor func theEndWaitsForNoRoom() {
    let reader = Reader()
    reader.hasRoom = false
    for event in [Self.answer("a"), .usage(TokenUsage()), Self.end, Self.answer("late")] {
      reader.stream.push(event)
    }
    #expect(reader.taken == [Self.answer("a"), .usage(TokenUsage()), Self.end])
    #expect(reader.stream.gathered() == [])
  }

  @Test @LoopActor func whatCameBeforeTheReaderIsItsToFetch() {
    let stream = TurnStream()
    for event in [Self.answer("early"), Self.end] { stream.push(event) }
    let reader = Reader()
    stream.reader = reader
    #expect(stream.reader == nil, "what has ended lets go of its reader")
    #expect(reader.taken == [])
    reader.stream.push(Self.end)
    #expect(stream.gathered() == [Self.answer("early"), Self.end])
  }

  /// A reader that has let something wait for longer than a turn of the loop.
  @LoopActor private func slowReader(_ first: TurnEvent = .usage(TokenUsage())) async -> Reader {
    let reader = Reader()
    reader.hasRoom = false
    reader.stream.push(first)
    await Loop.sleep(.milliseconds(2))
    return reader
  }

  @Test(arguments: [0, 1]) @LoopActor func boundsWhatWaits(_ excess: Int) async {
    let reader = await slowReader(Self.answer(bytes: 1000))
    reader.stream.push(Self.answer(bytes: TurnStream.maxPendingBytes - 1000 + excess))
    #expect(reader.timesFellBehind == excess)
    #expect(reader.stream.gathered().count == 2 - excess)
    reader.stream.push(Self.end)
  }

  @Test(arguments: [0, 1]) @LoopActor func boundsHowManyWait(_ excess: Int) async {
    let reader = await slowReader()
    for _ in 1..<TurnStream.maxPendingEvents + excess { reader.stream.push(Self.answer("x")) }
    #expect(reader.timesFellBehind == excess)
    #expect(reader.stream.gathered().count == TurnStream.maxPendingEvents)
    reader.stream.push(Self.end)
  }

  @Test @LoopActor func saysOnceThatAReaderFellBehind() async {
    let reader = await slowReader(Self.answer(bytes: 1024))
    for _ in 1..<400 { reader.stream.push(Self.answer(bytes: 1024)) }
    let lost: [TurnEvent] = [.reasoning(EscapedText("lost too")), .usage(TokenUsage()), .answerRetracted]
    for event in lost { reader.stream.push(event) }
    #expect(reader.stream.gathered().count == TurnStream.maxPendingBytes / 1024)
    // From then on only the end comes through, though there may be room again.
    reader.hasRoom = true
    reader.stream.push(Self.answer("late"))
    reader.stream.push(.usage(TokenUsage()))
    reader.stream.push(Self.end)
    #expect(reader.timesFellBehind == 1)
    #expect(reader.taken == [Self.end])
    #expect(reader.stream.gathered() == [])
  }

  /// A message without deltas comes in one piece, and one turn of the loop can bring many: nobody has been slow then.
  @Test @LoopActor func whatComesAtOnceMayBeLargerThanTheBound() {
    let reader = Reader()
    reader.hasRoom = false
    let piece = Self.answer(bytes: TurnStream.maxPendingBytes + 1)
    for event in [piece, piece, Self.end] { reader.stream.push(event) }
    #expect(reader.timesFellBehind == 0)
    #expect(reader.taken == [piece, piece, Self.end])
  }

  /// The reader mostly holds the turn, and the turn its stream: together they would stay for ever.
  @Test(arguments: [false, true]) @LoopActor func letsGoOfItsReaderAtTheEnd(_ hasRoom: Bool) {
    let stream: TurnStream
    weak var held: Reader?
    do {
      let reader = Reader()
      reader.hasRoom = hasRoom
      stream = reader.stream
      held = reader
    }
    #expect(held != nil)
    stream.push(Self.end)
    #expect(held == nil)
  }

  @Test @LoopActor func whoWaitsKeepsUpByItself() async {
    let stream = TurnStream()
    for _ in 0..<3 { stream.push(Self.answer(bytes: TurnStream.maxPendingBytes)) }
    #expect(await stream.next().count == 3)
  }
}
