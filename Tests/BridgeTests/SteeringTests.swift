// Turns that are told more while they run: how far that has come, and what belongs to which answer.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct SteeringTests {
  private enum Fact {
    case ask, reply(isTaken: Bool), keep
  }

  /// What each fact gives, and where it leads.
  private func states(_ facts: [Fact]) -> [String] {
    var steering = Steering.none
    return facts.map { fact in
      let result =
        switch fact {
        case .ask: "\(steering.ask()) "
        case .reply(let isTaken): "\(steering.reply(isTaken: isTaken)) "
        case .keep: Self.keep(&steering)
        }
      return "\(result)\(steering)"
    }
  }

  private static func keep(_ steering: inout Steering) -> String {
    steering.keep()
    return ""
  }

  @Test func oneMessageAtATime() {
    #expect(
      states([.ask, .ask, .reply(isTaken: false), .ask, .reply(isTaken: true), .ask]) == [
        "true asked", "false asked", "false none", "true asked", "true handedOver", "false handedOver",
      ])
  }

  @Test func aReplyWithoutAQuestionIsNone() {
    #expect(states([.reply(isTaken: true), .reply(isTaken: false)]) == ["false none", "false none"])
  }

  @Test func anAnswerThatHasEndedKeepsItsTurn() {
    #expect(states([.ask, .reply(isTaken: true), .keep]) == ["true asked", "true handedOver", "none"])
  }

  // MARK: Events

  @LoopActor private final class Reader: TurnReader {
    private(set) var events: [TurnEvent] = []
    var hasRoom = true

    func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
      take(.text(EscapedText(raw: String(decoding: text)), channel))
    }

    func take(_ event: TurnEvent) -> Bool {
      if hasRoom { events.append(event) }
      return hasRoom
    }

    func takeEnd(_ rest: [TurnEvent]) { events += rest }
    func fellBehind() {}
  }

  private func text(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  @Test(.onLoop) @LoopActor func whatComesAfterIsForTheNextReader() {
    let (stream, first, second) = (TurnStream(), Reader(), Reader())
    let end = TurnOutcome.completed(TokenUsage(input: 1, output: 1))
    stream.reader = first
    stream.push(text("a"))
    first.hasRoom = false
    stream.push(text("b"))
    #expect(stream.handOver(after: end))
    stream.push(text("c"))
    #expect(first.events == [text("a"), text("b"), .ended(end)])
    #expect(!stream.hasEnded)
    #expect(!stream.handOver(after: end), "nobody reads")
    stream.reader = second
    #expect(stream.gathered() == [text("c")])
    stream.push(text("d"))
    stream.push(.ended(end))
    #expect(second.events == [text("d"), .ended(end)])
    #expect(!stream.handOver(after: end), "it is over")
  }

  /// Such an answer ends by itself, and its client goes on with the turn.
  @Test(.onLoop) @LoopActor func anAnswerThatEndsWithCallsIsNotHandedOver() {
    let (stream, reader) = (TurnStream(), Reader())
    stream.reader = reader
    reader.hasRoom = false
    stream.push(.toolCalls(OpenCalls(calls: [], usage: nil)))
    #expect(!stream.handOver(after: .completed(TokenUsage())))
    #expect(reader.events == [])
  }

  @Test func theUsageIsDividedBetweenTheAnswers() {
    var mapper = TurnEventMapper(baseline: TokenUsage(input: 100, output: 10))
    let usage = { (input: Int, output: Int) -> JSONValue in
      ["tokenUsage": ["total": ["inputTokens": .int(input), "outputTokens": .int(output)]]]
    }
    _ = mapper.map(Notification.tokenUsage, usage(150, 20))
    let told = mapper.handOver()
    #expect(told.usage == TokenUsage(input: 50, output: 10))
    #expect(told.events == [])
    _ = mapper.map(Notification.tokenUsage, usage(220, 25))
    #expect(mapper.turnUsage == TokenUsage(input: 70, output: 5))
  }

  /// What was told in an answer is not the beginning of the next.
  @Test func theNextAnswerBeginsAnew() {
    var script = TurnScript()
    script.started("1", phase: "commentary")
    script.delta("1", "I look.")
    script.completed("1", "I look.", phase: "commentary")
    script.started("2", phase: "commentary")
    script.delta("2", "And")
    let told = script.mapper.handOver().events
    #expect(told == [.itemEnded(.message(.commentary)), .answerIsCommentary(["I look."])])
    script.events = []
    script.started("3")
    script.delta("3", "both")
    #expect(script.events == [.itemBegan(.message(nil)), text("both")])
    #expect(script.mapper.commentaryWithoutAnswer == [])
  }
}
