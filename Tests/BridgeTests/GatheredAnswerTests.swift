// What a client without streaming gets of a turn's events.

import Testing

@testable import Bridge

struct GatheredAnswerTests {
  private static let done = TurnEvent.ended(.completed(TokenUsage(input: 3, output: 2)))

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  private static let objects = ChatObjects(
    identity: AnswerIdentity(id: "1", created: 1, model: "m"), includesUsage: false)

  private struct Gathered {
    let content: String
    let reasoning: String
    let state: AnswerState
  }

  private func gathered(_ events: [TurnEvent], stops: [String] = []) -> Gathered {
    let whole = ChatWholeAnswer(Self.objects, stops: stops, shown: AnswerParagraphs.Shown(tools: true))
    var state = AnswerState()
    for event in events { state.gather(event, into: whole) }
    return Gathered(content: whole.content, reasoning: whole.reasoning, state: state)
  }

  @Test func gathersText() {
    let answer = gathered([
      .reasoning(EscapedText("hm")), Self.answer("a"), .usage(TokenUsage()), .reasoning(EscapedText("!")),
      Self.answer("b\n"),
      Self.done,
    ])
    #expect(answer.content == "ab\n")
    #expect(answer.reasoning == "hm!")
    #expect(answer.state.failure == nil)
    #expect(answer.state.ending == .complete)
    #expect(answer.state.usage == TokenUsage(input: 3, output: 2))
  }

  @Test func commentaryIsTheAnswerWhereThereIsNoOther() {
    let commentary = TurnItem.message(.commentary)
    let events: [TurnEvent] = [
      .itemBegan(.reasoning), .reasoning(EscapedText("Thinking.")), .itemBegan(commentary),
      .commentary(EscapedText("Let me")), .commentary(EscapedText(" see.")), .itemEnded(commentary),
      .tool(ToolReport(number: 1, use: .command("ls"), progress: .began)), .itemBegan(commentary),
      .commentary(EscapedText("It is 4\n2.")),
    ]
    let alone = gathered(events + [.answerIsCommentary(["Let me see.", "It is 4\n2."]), Self.done])
    #expect(alone.content == "Let me see.\n\nIt is 4\n2.")
    #expect(alone.reasoning == "Thinking.\n\nRunning `ls`")
    #expect(alone.state.failure == nil)
    let beside = gathered(events + [Self.answer("42"), Self.done])
    #expect(beside.content == "42")
    #expect(beside.reasoning == "Thinking.\n\nLet me see.\n\nRunning `ls`\n\nIt is 4\n2.")
    let first = gathered([
      .commentary(EscapedText("42")), .itemBegan(.reasoning), .reasoning(EscapedText("So it is.")),
      .answerIsCommentary(["42"]), Self.done,
    ])
    #expect(first.reasoning == "So it is.")
  }

  @Test func commentaryAsTheAnswerIsCutAtAStop() {
    let answer = gathered(
      [.commentary(EscapedText("a STOP b")), .answerIsCommentary(["a STOP b"]), Self.done],
      stops: ["STOP"])
    #expect(answer.content == "a ")
    #expect(answer.state.failure == nil)
  }

  @Test func takesBackWhatTheEngineTakesBack() {
    let answer = gathered([
      Self.answer("first "), .usage(TokenUsage()), Self.answer("half"), .answerRetracted, Self.answer("whole"),
      Self.done,
    ])
    #expect(answer.content == "first whole")
    #expect(answer.state.failure == nil)
  }

  /// What comes in place of what was taken back is set off from what stays as that was.
  @Test func paragraphsAreTakenBackToo() {
    let message = TurnItem.message(nil)
    let first: [TurnEvent] = [
      .itemBegan(message), Self.answer("first"), .itemEnded(message), .usage(TokenUsage()),
    ]
    let half: [TurnEvent] = [.itemBegan(message), Self.answer("half"), .answerRetracted]
    let whole: [TurnEvent] = [.itemBegan(message), Self.answer("whole"), Self.done]
    #expect(gathered(first + half + whole).content == "first\n\nwhole")
    #expect(gathered(half + whole).content == "whole")
  }

  @Test func takesBackEverythingWithoutACheckpoint() {
    #expect(gathered([Self.answer("half"), .answerRetracted, Self.answer("whole"), Self.done]).content == "whole")
  }

  @Test func takesBackWhatWasHeldBack() {
    let answer = gathered(
      [Self.answer("ab ST"), .answerRetracted, Self.answer("OP cd"), Self.done], stops: ["STOP"])
    #expect(answer.content == "OP cd")
    #expect(!answer.state.wantsEnd)
  }

  /// Text is final at a checkpoint, also the part that could still become a stop sequence.
  @Test func keepsWhatWasHeldBackAtACheckpoint() {
    #expect(
      gathered(
        [
          Self.answer("ab ST"), .usage(TokenUsage()), Self.answer("half"), .answerRetracted, Self.answer("!"),
          Self.done,
        ],
        stops: ["STOP"]
      ).content
        == "ab ST!")
    #expect(
      gathered(
        [Self.answer("ab ST"), .usage(TokenUsage()), .answerRetracted, Self.answer("!"), Self.done],
        stops: ["STOP"]
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
    #expect(answer.state.wantsEnd)
    #expect(answer.state.failure == nil)
    #expect(answer.state.ending == .complete)
    #expect(answer.state.usage == TokenUsage(input: 1))
  }

  /// The turn was to be interrupted; that its engine has just begun to retry must not shorten the answer.
  @Test func doesNotMindARetractionAfterAStop() {
    let answer = gathered(
      [Self.answer("one STOP"), .answerRetracted, Self.answer("other"), .ended(.interrupted(TokenUsage()))],
      stops: ["STOP"])
    #expect(answer.content == "one ")
    #expect(answer.state.failure == nil)
  }

  @Test func aStopDecidesTheReason() {
    let failure = TurnFailure(
      name: "other", upstreamStatus: nil, message: "Incomplete response returned, reason: max_output_tokens",
      upstreamCode: nil)
    let cut = gathered([Self.answer("aSTOP"), .ended(.failed(.turnFailed(failure)))], stops: ["STOP"])
    #expect(cut.state.ending == .complete)
    let long = gathered([Self.answer("a"), .ended(.failed(.turnFailed(failure)))])
    #expect(long.state.ending == .lengthLimit)
    #expect(long.state.failure == nil)
    #expect(long.content == "a")
  }

  @Test func tellsFailures() {
    #expect(gathered([Self.answer("a"), .ended(.failed(.crashed))]).state.failure == .crashed)
    #expect(gathered([.ended(.interrupted(TokenUsage()))]).state.failure == .turnFailed(.interrupted))
  }

  /// The same events must give the same text, with streaming or without.
  @Test func agreesWithTheStream() throws {
    var random = SeededGenerator(11)
    for _ in 0..<300 {
      let events = (0..<Int.random(in: 0..<12, using: &random)).map { _ -> TurnEvent in
        switch Int.random(in: 0..<7, using: &random) {
        case 0: .usage(TokenUsage())
        case 1: .reasoning(EscapedText("x"))
        case 2: .itemBegan(.message(nil))
        default: Self.answer(["a", "ST", "OP", "S", "TO", "P", "\n"].randomElement(using: &random) ?? "")
        }
      }
      var state = AnswerState()
      let renderer = ChatRenderer(Self.objects, stops: ["STOP"], shown: AnswerParagraphs.Shown(tools: true))
      var buffer = ByteBuffer()
      for event in events + [Self.done] { state.stream(event, renderer, &buffer) }
      renderer.appendEnd(state.ending, usage: state.usage, to: &buffer)
      let text = String(decoding: buffer.array(), as: UTF8.self).components(separatedBy: "\n\n").dropLast(2)
      let content = try text.map {
        try JSONValue(parsing: String($0.dropFirst(6)))["choices"]?.arrayValue?.first?["delta"]?["content"]?
          .stringValue ?? ""
      }
      #expect(gathered(events + [Self.done], stops: ["STOP"]).content == content.joined())
    }
  }
}
