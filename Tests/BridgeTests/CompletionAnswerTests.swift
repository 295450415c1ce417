// What a client that has a text completed gets of a turn's events, as a stream and whole.

import Testing

@testable import Bridge

struct CompletionAnswerTests {
  private static let identity = AnswerIdentity(id: "cmpl-1", created: 1_700_000_000, model: "m\"x\\:high")
  private static let usage = TokenUsage(input: 3, output: 2)
  private static let done = TurnEvent.ended(.completed(usage))

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  private struct Streamed {
    /// The chunks before `[DONE]`.
    var chunks: [JSONValue] = []
    var state = AnswerState()

    var choices: [JSONValue] { chunks.compactMap { $0["choices"]?.arrayValue?.first } }
    var pieces: [String] { choices.compactMap { $0["text"]?.stringValue }.filter { !$0.isEmpty } }
    var text: String { pieces.joined() }
  }

  private func streamed(_ events: [TurnEvent], stops: [String] = [], usage: Bool = false) throws -> Streamed {
    let renderer = CompletionDialect(includesUsage: usage).renderer(Self.identity, stops: stops)
    var streamed = Streamed()
    var buffer = ByteBuffer()
    renderer.appendStart(to: &buffer)
    for event in events { streamed.state.stream(event, renderer, &buffer) }
    renderer.appendEnd(streamed.state.ending, usage: streamed.state.usage, to: &buffer)
    var parts = String(decoding: buffer.array(), as: UTF8.self).components(separatedBy: "\n\n")
    #expect(parts.removeLast().isEmpty)
    #expect(parts.removeLast() == "data: [DONE]")
    for part in parts {
      #expect(part.hasPrefix("data: ") && !part.contains("\n"))
      streamed.chunks.append(try JSONValue(parsing: String(part.dropFirst(6))))
    }
    return streamed
  }

  private func gathered(_ events: [TurnEvent], stops: [String] = []) -> (object: JSONValue, state: AnswerState) {
    let whole = CompletionDialect(includesUsage: false).wholeRenderer(Self.identity, stops: stops)
    var state = AnswerState()
    for event in events { state.gather(event, into: whole) }
    return (Self.object(whole, state.ending, usage: state.usage, session: nil), state)
  }

  private static func object(
    _ whole: any WholeAnswerRenderer, _ ending: AnswerEnding, usage: TokenUsage?, session: String?
  ) -> JSONValue {
    (try? JSONValue(parsing: String(decoding: whole.body(ending, usage: usage, session: session), as: UTF8.self)))
      ?? .null
  }

  private func text(_ object: JSONValue) -> String? {
    object["choices"]?.arrayValue?.first?["text"]?.stringValue
  }

  // MARK: Their form

  @Test(arguments: [false, true])
  func everyChunkIsACompletion(_ hasUsage: Bool) throws {
    let odd = "a \"\\\n\u{1}é😀\u{2028}"
    let chunks = try streamed([Self.answer(odd), Self.answer("b"), Self.done], usage: hasUsage).chunks
    var expected: [JSONValue] = [
      ["text": .string(odd), "index": 0, "logprobs": nil, "finish_reason": nil],
      ["text": "b", "index": 0, "logprobs": nil, "finish_reason": nil],
      ["text": "", "index": 0, "logprobs": nil, "finish_reason": "stop"],
    ].map { [$0] }
    if hasUsage { expected.append([]) }
    #expect(chunks.count == expected.count)
    for (index, choices) in expected.enumerated() {
      var chunk = JSONObject()
      chunk["id"] = "cmpl-1"
      chunk["object"] = "text_completion"
      chunk["created"] = 1_700_000_000
      chunk["model"] = .string(Self.identity.model)
      chunk["choices"] = choices
      if hasUsage { chunk["usage"] = index == 3 ? Self.usage.completionUsage : .null }
      #expect(chunks[index] == .object(chunk))
    }
  }

  @Test func theWholeAnswerIsOneObject() {
    let whole = CompletionWholeAnswer(Self.identity, stops: [])
    #expect(whole.items == [.message(.assistant, [])])
    _ = whole.take(EscapedText("hi"), .answer)
    #expect(whole.items == [.message(.assistant, [.text("hi")])])
    #expect(
      Self.object(whole, .complete, usage: Self.usage, session: "s") == [
        "id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000,
        "model": .string(Self.identity.model),
        "choices": [["text": "hi", "index": 0, "logprobs": nil, "finish_reason": "stop"]],
        "usage": Self.usage.completionUsage, "session_id": "s",
      ])
  }

  @Test(arguments: [(AnswerEnding.complete, "stop"), (.lengthLimit, "length"), (.toolCalls, "stop")])
  func namesTheReason(_ ending: AnswerEnding, _ reason: String) {
    #expect(ending.choice(text: "a")["finish_reason"] == .string(reason))
  }

  @Test func anEmptyAnswerIsAnAnswer() throws {
    let streamed = try streamed([Self.done])
    #expect(streamed.choices.count == 1 && streamed.choices[0]["finish_reason"] == "stop")
    #expect(text(gathered([Self.done]).object) == "")
  }

  @Test func tellsAFailureWithoutChoices() throws {
    let error = APIError(status: 502, type: "codex_error", code: "crashed", message: "It broke.")
    let dialect = CompletionDialect(includesUsage: true)
    var (alone, after) = (ByteBuffer(), ByteBuffer())
    dialect.appendFailure(error, to: &alone)
    dialect.renderer(Self.identity, stops: []).appendFailure(error, to: &after)
    let text = String(decoding: alone.array(), as: UTF8.self)
    #expect(text == "data: \(error.body.jsonText)\n\ndata: [DONE]\n\n")
    #expect(String(decoding: after.array(), as: UTF8.self) == text)
  }

  // MARK: Their text

  @Test func onlyTheAnswerIsTold() throws {
    let events: [TurnEvent] = [
      .reconnecting("no network"), .itemBegan(.reasoning), .reasoning(EscapedText("hm")),
      .itemBegan(.message(.commentary)), .commentary(EscapedText("Let me see.")),
      .tool(ToolReport(number: 1, use: .command("ls"), progress: .began)), .usage(TokenUsage()), .notKept,
      .itemBegan(.message(nil)), Self.answer("one"), .itemEnded(.message(nil)), .itemBegan(.reasoning),
      .reasoning(EscapedText("ah")), .itemBegan(.message(nil)), Self.answer("two"), Self.answer("!"), Self.done,
    ]
    #expect(try streamed(events).pieces == ["one", "\n\ntwo", "!"])
    let (object, state) = gathered(events)
    #expect(text(object) == "one\n\ntwo!")
    #expect(object["usage"] == state.usage?.completionUsage)
  }

  @Test func commentaryIsTheAnswerWhereThereIsNoOther() throws {
    let events: [TurnEvent] = [
      .commentary(EscapedText("It is")), .answerIsCommentary(["It is", "42."]), Self.done,
    ]
    #expect(try streamed(events).pieces == ["It is\n\n42."])
    #expect(text(gathered(events).object) == "It is\n\n42.")
    #expect(try streamed(events, stops: ["42"]).text == "It is\n\n")
    #expect(text(gathered(events, stops: ["42"]).object) == "It is\n\n")
  }

  @Test(arguments: [(["STOP"], "one "), (["\n\n"], "one STOP two"), (["TOP"], "one S"), (["x", ""], nil)])
  func endsBeforeAStop(_ stops: [String], _ expected: String?) throws {
    let events: [TurnEvent] = [
      .itemBegan(.message(nil)), Self.answer("one S"), Self.answer("TOP two"), .itemBegan(.message(nil)),
      Self.answer("three"), .ended(.interrupted(TokenUsage(input: 1))),
    ]
    let streamed = try streamed(events, stops: stops)
    let whole = gathered(events, stops: stops)
    #expect(streamed.text == expected ?? "one STOP two\n\nthree")
    #expect(text(whole.object) == streamed.text)
    for state in [streamed.state, whole.state] {
      #expect(state.wantsEnd == (expected != nil))
      #expect((state.failure == nil) == (expected != nil))
    }
  }

  @Test func givesOutWhatItHeldBackAtTheEnd() throws {
    #expect(try streamed([Self.answer("one ST"), Self.done], stops: ["STOP"]).text == "one ST")
  }

  /// What was sent cannot be taken back; what is gathered can.
  @Test func theEngineMayTakeTextBack() throws {
    let events: [TurnEvent] = [
      Self.answer("first "), .usage(TokenUsage()), Self.answer("half"), .answerRetracted, Self.answer("whole"),
      Self.done,
    ]
    #expect(text(gathered(events).object) == "first whole")
    let streamed = try streamed(events)
    #expect(streamed.text == "first half")
    #expect(streamed.state.failure == .turnFailed(.interruptedStream))
  }
}
