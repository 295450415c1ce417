// What a client without streaming gets of a turn's events.

import Testing

@testable import Bridge

struct GatheredAnswerTests {
  private static let done = TurnEvent.ended(.completed(TokenUsage(input: 3, output: 2)))

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  private func gathered(_ events: [TurnEvent], stops: [String] = []) -> GatheredAnswer {
    var answer = GatheredAnswer(stops: stops)
    for event in events { answer.apply(event) }
    return answer
  }

  @Test func gathersText() {
    let answer = gathered([
      .aside(EscapedText("hm")), Self.answer("a"), .checkpoint, .aside(EscapedText("!")), Self.answer("b\n"),
      Self.done,
    ])
    #expect(answer.content == "ab\n")
    #expect(answer.reasoning == "hm!")
    #expect(answer.failure == nil)
    #expect(answer.finishReason == .stop)
    #expect(answer.usage == TokenUsage(input: 3, output: 2))
  }

  @Test func commentaryIsTheAnswerWhereThereIsNoOther() {
    let events: [TurnEvent] = [
      .aside(EscapedText("Thinking.")), .commentary(EscapedText("\n\nLet me")), .commentary(EscapedText(" see.")),
      .aside(EscapedText("\n\nRunning `ls`")), .commentary(EscapedText("\n\nIt is 4\n2.")),
    ]
    let alone = gathered(events + [.answerIsCommentary(EscapedText("Let me see.\n\nIt is 4\n2.")), Self.done])
    #expect(alone.content == "Let me see.\n\nIt is 4\n2.")
    #expect(alone.reasoning == "Thinking.\n\nRunning `ls`")
    #expect(alone.failure == nil)
    let beside = gathered(events + [Self.answer("42"), Self.done])
    #expect(beside.content == "42")
    #expect(beside.reasoning == "Thinking.\n\nLet me see.\n\nRunning `ls`\n\nIt is 4\n2.")
    let first = gathered([
      .commentary(EscapedText("42")), .aside(EscapedText("\n\nSo it is.")), .answerIsCommentary(EscapedText("42")),
      Self.done,
    ])
    #expect(first.reasoning == "So it is.")
  }

  @Test func commentaryAsTheAnswerIsCutAtAStop() {
    let answer = gathered(
      [.commentary(EscapedText("a STOP b")), .answerIsCommentary(EscapedText("a STOP b")), Self.done],
      stops: ["STOP"])
    #expect(answer.content == "a ")
    #expect(answer.failure == nil)
  }

  @Test func takesBackWhatTheEngineTakesBack() {
    let answer = gathered([
      Self.answer("first "), .checkpoint, Self.answer("half"), .answerRetracted, Self.answer("whole"), Self.done,
    ])
    #expect(answer.content == "first whole")
    #expect(answer.failure == nil)
  }

  @Test func takesBackEverythingWithoutACheckpoint() {
    #expect(gathered([Self.answer("half"), .answerRetracted, Self.answer("whole"), Self.done]).content == "whole")
  }

  @Test func takesBackWhatWasHeldBack() {
    let answer = gathered(
      [Self.answer("ab ST"), .answerRetracted, Self.answer("OP cd"), Self.done], stops: ["STOP"])
    #expect(answer.content == "OP cd")
    #expect(!answer.wantsEnd)
  }

  /// Text is final at a checkpoint, also the part that could still become a stop sequence.
  @Test func keepsWhatWasHeldBackAtACheckpoint() {
    #expect(
      gathered(
        [Self.answer("ab ST"), .checkpoint, Self.answer("half"), .answerRetracted, Self.answer("!"), Self.done],
        stops: ["STOP"]
      ).content
        == "ab ST!")
    #expect(
      gathered(
        [Self.answer("ab ST"), .checkpoint, .answerRetracted, Self.answer("!"), Self.done], stops: ["STOP"]
      ).content
        == "ab ST!")
  }

  @Test func cutsAtAStop() {
    let answer = gathered(
      [
        Self.answer("one S"), Self.answer("TOP two"), Self.answer("three"),
        .ended(.interrupted(TokenUsage(input: 1))),
      ],
      stops: ["STOP"])
    #expect(answer.content == "one ")
    #expect(answer.wantsEnd)
    #expect(answer.failure == nil)
    #expect(answer.finishReason == .stop)
    #expect(answer.usage == TokenUsage(input: 1))
  }

  /// The turn was to be interrupted; that its engine has just begun to retry must not shorten the answer.
  @Test func doesNotMindARetractionAfterAStop() {
    let answer = gathered(
      [Self.answer("one STOP"), .answerRetracted, Self.answer("other"), .ended(.interrupted(TokenUsage()))],
      stops: ["STOP"])
    #expect(answer.content == "one ")
    #expect(answer.failure == nil)
  }

  @Test func aStopDecidesTheReason() {
    let failure = TurnFailure(
      name: "other", upstreamStatus: nil, message: "Incomplete response returned, reason: max_output_tokens",
      upstreamCode: nil)
    let cut = gathered([Self.answer("aSTOP"), .ended(.failed(.turnFailed(failure)))], stops: ["STOP"])
    #expect(cut.finishReason == .stop)
    let long = gathered([Self.answer("a"), .ended(.failed(.turnFailed(failure)))])
    #expect(long.finishReason == .length)
    #expect(long.failure == nil)
    #expect(long.content == "a")
  }

  @Test func tellsFailures() {
    #expect(gathered([Self.answer("a"), .ended(.failed(.crashed))]).failure == .crashed)
    #expect(gathered([.ended(.interrupted(TokenUsage()))]).failure == .turnFailed(.interrupted))
  }

  /// The same events must give the same text, with streaming or without.
  @Test func agreesWithTheStream() throws {
    var random = SeededGenerator(11)
    let renderer = ChatChunkRenderer(
      ChatObjects(identity: ChatAnswerIdentity(id: "1", created: 1, model: "m"), includesUsage: false))
    for _ in 0..<300 {
      let events = (0..<Int.random(in: 0..<12, using: &random)).map { _ -> TurnEvent in
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .checkpoint
        case 1: .aside(EscapedText("x"))
        default: Self.answer(["a", "ST", "OP", "S", "TO", "P", "\n"].randomElement(using: &random) ?? "")
        }
      }
      var streamed = StreamedAnswer(stops: ["STOP"])
      var buffer = ByteBuffer()
      for event in events + [Self.done] { streamed.apply(event, renderer, &buffer) }
      streamed.appendRest(renderer, &buffer)
      let text = String(decoding: buffer.array(), as: UTF8.self).components(separatedBy: "\n\n").dropLast()
      let content = try text.map {
        try JSONValue(parsing: String($0.dropFirst(6)))["choices"]?.arrayValue?.first?["delta"]?["content"]?
          .stringValue ?? ""
      }
      #expect(gathered(events + [Self.done], stops: ["STOP"]).content == content.joined())
    }
  }
}
