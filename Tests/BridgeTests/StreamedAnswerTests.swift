// What a streaming client gets to see of a turn's events.

import Testing

@testable import Bridge

struct StreamedAnswerTests {
  private static let done = TurnEvent.ended(.completed(TokenUsage(input: 3, output: 2)))

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }
  private static func aside(_ text: String) -> TurnEvent { .reasoning(EscapedText(text)) }

  private struct Seen {
    var content = ""
    var reasoning = ""
    /// The texts of the chunks, one by one.
    var pieces: [String] = []
    var state = AnswerState()
  }

  private func seen(_ events: [TurnEvent], stops: [String] = []) throws -> Seen {
    let objects = ChatObjects(
      identity: AnswerIdentity(id: "1", created: 1, model: "m"), includesUsage: false)
    let renderer = ChatRenderer(objects, stops: stops, shown: AnswerParagraphs.Shown(tools: true))
    var seen = Seen()
    var buffer = ByteBuffer()
    for event in events { seen.state.stream(event, renderer, &buffer) }
    if seen.state.failure == nil { renderer.appendEnd(seen.state.ending, usage: seen.state.usage, to: &buffer) }
    let text = String(decoding: buffer.array(), as: UTF8.self)
    for event in text.components(separatedBy: "\n\n") where !event.isEmpty && event != "data: [DONE]" {
      let delta = try JSONValue(parsing: String(event.dropFirst(6)))["choices"]?.arrayValue?.first?["delta"]
      let content = delta?["content"]?.stringValue
      let reasoning = delta?["reasoning_content"]?.stringValue
      seen.content += content ?? ""
      seen.reasoning += reasoning ?? ""
      if let piece = content ?? reasoning { seen.pieces.append(piece) }
    }
    return seen
  }

  @Test func passesTextOn() throws {
    let seen = try seen([Self.aside("hm"), Self.answer("a"), .usage(TokenUsage()), Self.answer("b"), Self.done])
    #expect(seen.content == "ab")
    #expect(seen.reasoning == "hm")
    #expect(seen.state.failure == nil)
    #expect(seen.state.ending == .complete)
    #expect(seen.state.usage == TokenUsage(input: 3, output: 2))
    #expect(!seen.state.wantsEnd)
  }

  @Test func commentaryIsTheAnswerWhereThereIsNoOther() throws {
    let commentary = EscapedText("It is 42.")
    let seen = try seen([.commentary(commentary), .answerIsCommentary(["It is 42."]), Self.done])
    #expect(seen.reasoning == "It is 42.")
    #expect(seen.content == "It is 42.")
    #expect(seen.state.hasText)
    let cut = try self.seen(
      [.commentary(commentary), .answerIsCommentary(["It is 42."]), Self.done], stops: ["42"])
    #expect(cut.content == "It is ")
    #expect(cut.state.failure == nil)
  }

  @Test func messagesAreParagraphs() throws {
    let seen = try seen([
      .itemBegan(.message(.commentary)), .commentary(EscapedText("Let me see.")),
      .itemEnded(.message(.commentary)),
      .tool(ToolReport(number: 1, use: .command("ls"), progress: .began)), .usage(TokenUsage()),
      .itemBegan(.reasoning), Self.aside("hm"), .reasoningPart, Self.aside("ah"), .itemEnded(.reasoning),
      .itemBegan(.message(nil)), Self.answer("one"), .itemEnded(.message(nil)), .itemBegan(.message(nil)),
      Self.answer("two"), Self.answer("!"), Self.done,
    ])
    #expect(seen.pieces == ["Let me see.", "\n\nRunning `ls`", "\n\nhm", "\n\nah", "one", "\n\ntwo", "!"])
  }

  /// The blank line between two messages is text of the answer like any other.
  @Test func aBlankLineCanBeAStop() throws {
    let seen = try seen(
      [
        .itemBegan(.message(nil)), Self.answer("one"), .itemBegan(.message(nil)), Self.answer("two"),
        .ended(.interrupted(TokenUsage())),
      ],
      stops: ["\n\n"])
    #expect(seen.content == "one")
    #expect(seen.state.wantsEnd && seen.state.failure == nil)
  }

  @Test func severalMessagesOfCommentaryAreOneAnswer() throws {
    #expect(try seen([.answerIsCommentary(["It is", "42."]), Self.done]).pieces == ["It is\n\n42."])
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
    #expect(seen.state.ending == .complete)
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
    #expect(seen.state.ending == .lengthLimit)
  }

  @Test func anEmptyAnswerIsAnAnswer() throws {
    let seen = try seen([Self.done])
    #expect(seen.content == "")
    #expect(seen.state.failure == nil)
  }
}
