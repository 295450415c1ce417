// What an answer has told, as a script of events: what a reader is told that comes later, and what was seen of it.

import Testing

@testable import Bridge

struct AnswerLogTests {
  private static let shown = AnswerParagraphs.Shown(tools: true)
  private static let objects = ChatObjects(
    identity: AnswerIdentity(id: "1", created: 1, model: "m"), includesUsage: false)

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  private func log(_ events: [TurnEvent]) -> AnswerLog {
    var log = AnswerLog()
    for event in events { log.append(event) }
    return log
  }

  /// What follows a place, text as the events that it is.
  private func rest(_ log: AnswerLog, from place: inout AnswerLog.Cursor) -> [TurnEvent] {
    var events: [TurnEvent] = []
    while let step = log.step(from: &place) {
      switch step {
      case .event(let event): events.append(event)
      case .text(let channel, let range):
        events.append(.text(EscapedText(raw: log.withText(range) { String(decoding: $0) }), channel))
      }
    }
    return events
  }

  private func all(_ log: AnswerLog) -> [TurnEvent] {
    var place = AnswerLog.Cursor.start
    return rest(log, from: &place)
  }

  @Test func textOfOneChannelIsOneRun() {
    let log = log([
      .began, .reasoning(EscapedText("h")), .reasoning(EscapedText("m")), Self.answer("a\n"), Self.answer("b"),
      .usage(TokenUsage()), Self.answer("c"),
    ])
    #expect(
      all(log) == [
        .began, .reasoning(EscapedText("hm")), Self.answer("a\nb"), .usage(TokenUsage()), Self.answer("c"),
      ])
    #expect(log.isWhole && !log.isOverfull)
  }

  /// A reader that is told each event as it comes, and one that comes at any time, are told the same.
  @Test func whoComesLaterIsToldTheSame() {
    let events: [TurnEvent] = [
      .itemBegan(.reasoning), .reasoning(EscapedText("x")), .itemEnded(.reasoning), Self.answer("one "),
      Self.answer("two"), .reasoningPart, Self.answer("three"), .commentary(EscapedText("four")),
      .ended(.completed(TokenUsage())),
    ]
    for turn in 0...events.count {
      var log = log(Array(events.prefix(turn)))
      var place = AnswerLog.Cursor.start
      var told = rest(log, from: &place)
      #expect(place == log.end)
      for event in events.dropFirst(turn) {
        log.append(event)
        told += rest(log, from: &place)
      }
      var again = AnswerLog()
      for event in told { again.append(event) }
      #expect(all(again) == all(log))
    }
  }

  /// For readers whose events are numbered.
  @Test func piecesStayAsTheyCameWhereThatIsWanted() {
    let long = Self.answer(String(repeating: "x", count: AnswerLog.maxRunBytes))
    let events: [TurnEvent] = [
      .began, .reasoning(EscapedText("h")), .reasoning(EscapedText("m")), Self.answer("a\n"), Self.answer("b"),
      long,
      Self.answer("c"), .reasoning(EscapedText("x")), .usage(TokenUsage()), Self.answer("d"), Self.answer("e"),
    ]
    for turn in 0...events.count {
      var log = AnswerLog(keepsPieces: true)
      var place = AnswerLog.Cursor.start
      for event in events.prefix(turn) { log.append(event) }
      var told = rest(log, from: &place)
      #expect(place == log.end)
      for event in events.dropFirst(turn) {
        log.append(event)
        told += rest(log, from: &place)
      }
      #expect(told == events && all(log) == events)
    }
  }

  @Test func piecesOfALogThatIsNotWholeAreRuns() {
    var log = AnswerLog(keepsPieces: true)
    for piece in ["a", "b"] { log.append(Self.answer(piece)) }
    log.drop(before: .start)
    for piece in ["c", "d"] { log.append(Self.answer(piece)) }
    #expect(all(log).map(\.byteCount).reduce(0, +) == 4 && !log.isWhole)
    #expect(all(log).count < 4)
  }

  @Test func aLongRunIsToldInPieces() {
    let piece = String(repeating: "x", count: 1000)
    let log = log((0..<100).map { _ in Self.answer(piece) })
    let told = all(log)
    #expect(told.count > 5)
    #expect(told.allSatisfy { $0.byteCount < AnswerLog.maxRunBytes + piece.utf8.count })
    #expect(told.reduce(0) { $0 + $1.byteCount } == 100 * 1000)
  }

  @Test func whatAllHaveGotIsDroppedOfALongAnswer() {
    let piece = Self.answer(String(repeating: "x", count: 100_000))
    var log = AnswerLog()
    var place = AnswerLog.Cursor.start
    for _ in 0..<40 { log.append(piece) }
    _ = rest(log, from: &place)
    while !log.isOverfull { log.append(piece) }
    #expect(log.byteCount > AnswerLog.maxBytes)
    log.drop(before: place)
    #expect(!log.isWhole && !log.isOverfull)
    #expect(log.byteCount <= AnswerLog.maxBytes + 200_000 - 40 * 100_000)
    log.append(.usage(TokenUsage()))
    log.append(Self.answer("end"))
    #expect(log.isOverfull)
    let told = rest(log, from: &place)
    #expect(told.suffix(2) == [.usage(TokenUsage()), Self.answer("end")])
    log.drop(before: place)
    log.append(Self.answer("!"))
    #expect(rest(log, from: &place) == [Self.answer("!")])
    #expect(log.seen(in: ChatWholeAnswer(Self.objects, stops: [], shown: Self.shown)) == nil)
  }

  // MARK: What was seen

  private func seen(_ events: [TurnEvent], stops: [String] = []) -> [Conversation.Item]? {
    log(events).seen(in: ChatWholeAnswer(Self.objects, stops: stops, shown: Self.shown))
  }

  private func says(_ text: String) -> Conversation.Item { .message(.assistant, [.text(text)]) }

  @Test func theClientHasSeenTheContentAndTheCalls() {
    let call = Conversation.ToolCall(id: "c", name: "f", arguments: "{}")
    let open = OpenCalls(calls: [call], usage: nil)
    #expect(
      seen([
        .itemBegan(.message(nil)), Self.answer("one"), .itemEnded(.message(nil)), .reasoning(EscapedText("hm")),
        .itemBegan(.message(nil)), Self.answer("tw"), Self.answer("o"), .ended(.completed(TokenUsage())),
      ]) == [says("one\n\ntwo")])
    #expect(seen([.toolCalls(open)]) == [.message(.assistant, []), .toolCall(call)])
    #expect(seen([Self.answer("a"), .toolCalls(open)]) == [says("a"), .toolCall(call)])
    #expect(seen([Self.answer("one S"), Self.answer("TOP two")], stops: ["STOP"]) == [says("one ")])
    #expect(seen([.commentary(EscapedText("42")), .answerIsCommentary(["42"])]) == [says("42")])
  }

  /// Nothing that was streamed is taken back, and nothing follows it.
  @Test func whatIsTakenBackWasSeen() {
    #expect(seen([Self.answer("half"), .answerRetracted, Self.answer("whole")]) == [says("half")])
  }
}
