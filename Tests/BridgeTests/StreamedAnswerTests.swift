// What a streaming client gets to see of a turn's events.

import Testing

@testable import Bridge

struct StreamedAnswerTests {
  private static let done = TurnEvent.ended(.completed(TokenUsage(input: 3, output: 2)))

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }
  private static func aside(_ text: String) -> TurnEvent { .aside(EscapedText(text)) }

  private struct Seen {
    var content = ""
    var reasoning = ""
    var state: StreamedAnswer
  }

  private func seen(_ events: [TurnEvent], stops: [String] = []) throws -> Seen {
    let renderer = ChatChunkRenderer(
      ChatObjects(identity: ChatAnswerIdentity(id: "1", created: 1, model: "m"), includesUsage: false))
    var seen = Seen(state: StreamedAnswer(stops: stops))
    var buffer = ByteBuffer()
    for event in events { seen.state.apply(event, renderer, &buffer) }
    if seen.state.failure == nil { seen.state.appendRest(renderer, &buffer) }
    let text = String(decoding: buffer.array(), as: UTF8.self)
    for event in text.components(separatedBy: "\n\n") where !event.isEmpty {
      let delta = try JSONValue(parsing: String(event.dropFirst(6)))["choices"]?.arrayValue?.first?["delta"]
      seen.content += delta?["content"]?.stringValue ?? ""
      seen.reasoning += delta?["reasoning_content"]?.stringValue ?? ""
    }
    return seen
  }

  @Test func passesTextOn() throws {
    let seen = try seen([Self.aside("hm"), Self.answer("a"), .checkpoint, Self.answer("b"), Self.done])
    #expect(seen.content == "ab")
    #expect(seen.reasoning == "hm")
    #expect(seen.state.failure == nil)
    #expect(seen.state.finishReason == .stop)
    #expect(seen.state.usage == TokenUsage(input: 3, output: 2))
    #expect(seen.state.outcome == .completed(TokenUsage(input: 3, output: 2)))
    #expect(!seen.state.wantsEnd)
  }

  @Test func commentaryIsTheAnswerWhereThereIsNoOther() throws {
    let commentary = EscapedText("It is 42.")
    let seen = try seen([.commentary(commentary), .answerIsCommentary(commentary), Self.done])
    #expect(seen.reasoning == "It is 42.")
    #expect(seen.content == "It is 42.")
    #expect(seen.state.hasText)
    let cut = try self.seen([.commentary(commentary), .answerIsCommentary(commentary), Self.done], stops: ["42"])
    #expect(cut.content == "It is ")
    #expect(cut.state.failure == nil)
  }

  @Test func cutsAtAStop() throws {
    let seen = try seen(
      [
        Self.answer("one S"), Self.answer("TOP two"), Self.answer("three"), Self.aside("no"),
        .ended(.interrupted(TokenUsage())),
      ],
      stops: ["STOP"])
    #expect(seen.content == "one ")
    #expect(seen.reasoning == "")
    #expect(seen.state.wantsEnd)
    #expect(seen.state.failure == nil)
    #expect(seen.state.finishReason == .stop)
  }

  @Test func givesOutWhatItHeldBackAtTheEnd() throws {
    #expect(try seen([Self.answer("one ST"), Self.done], stops: ["STOP"]).content == "one ST")
  }

  /// What was sent cannot be taken back, so nothing may follow that looks like a success.
  @Test func failsWhenTheEngineTakesTextBack() throws {
    let seen = try seen([
      Self.answer("half"), .answerRetracted, Self.answer("whole"), .ended(.interrupted(TokenUsage())),
    ])
    #expect(seen.content == "half")
    #expect(seen.state.wantsEnd)
    #expect(seen.state.failure == .turnFailed(.interruptedStream))
    let late = try self.seen([Self.answer("half"), .answerRetracted, Self.answer("whole"), Self.done])
    #expect(late.content == "half")
    #expect(late.state.failure != nil)
  }

  @Test func doesNotMindARetractionAfterAStop() throws {
    let seen = try seen(
      [Self.answer("one STOP"), .answerRetracted, Self.answer("other"), .ended(.interrupted(TokenUsage()))],
      stops: ["STOP"])
    #expect(seen.content == "one ")
    #expect(seen.state.failure == nil)
  }

  @Test func tellsFailures() throws {
    #expect(try seen([Self.answer("a"), .ended(.failed(.crashed))]).state.failure == .crashed)
    #expect(
      try seen([Self.answer("a"), .ended(.interrupted(TokenUsage()))]).state.failure == .turnFailed(.interrupted))
    let timeout = EngineError.timedOut(after: .seconds(1), isSilence: true)
    #expect(try seen([.ended(.failed(timeout))]).state.failure == timeout)
  }

  @Test func anOutputLimitIsNoFailure() throws {
    let failure = TurnFailure(
      name: "other", upstreamStatus: nil, message: "Incomplete response returned, reason: max_output_tokens",
      upstreamCode: nil)
    let seen = try seen([Self.answer("a"), .ended(.failed(.turnFailed(failure)))])
    #expect(seen.state.failure == nil)
    #expect(seen.state.finishReason == .length)
  }

  @Test func anEmptyAnswerIsAnAnswer() throws {
    let seen = try seen([Self.done])
    #expect(seen.content == "")
    #expect(seen.state.failure == nil)
  }
}
