// Response streams that are told again: from any event on, by the log of a stream, and made of the object that is kept.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ResponseReplayTests {
  private static let ends: [ResponseScript.End] = [
    .ended(.complete), .ended(.lengthLimit), .failed(ResponseScript.failure),
    .failed(APIError(status: 499, code: "cancelled", message: "m")),
  ]
  private static let styles = [
    ResponseStyle(), ResponseStyle(activity: .none), ResponseStyle(activity: .mcp, commentaryIsMessage: true),
  ]

  /// The events of a body as texts. The seconds in it may differ from one rendering to the next.
  private func texts(_ body: String) -> [String] {
    body.components(separatedBy: "\n\n").dropLast().map { event in
      guard let start = event.components(separatedBy: #""completed_at":"#).dropFirst().first else { return event }
      return event.components(separatedBy: #""completed_at":"#)[0] + String(start.drop { $0.isNumber })
    }
  }

  // MARK: From an event on

  /// Whoever resumes gets the same bytes as whoever has stayed.
  @Test(arguments: ends.indices, styles.indices)
  func theRestIsTheSameWhateverWasSeen(_ end: Int, _ style: Int) throws {
    let (end, style) = (Self.ends[end], Self.styles[style])
    let all = texts(try ResponseScript.body(ResponseScript.rich, end, style))
    for seen in all.indices {
      let rest = try ResponseScript.body(ResponseScript.rich, end, style, after: seen)
      #expect(texts(rest) == Array(all.dropFirst(seen + 1)))
    }
    #expect(texts(try ResponseScript.body(ResponseScript.rich, end, style, after: all.count + 5)) == [])
  }

  @Test func theRestOfAStreamIsReadAsOne() throws {
    let rest = ResponseEvents(try ResponseScript.body(ResponseScript.rich, after: 4), after: 4)
    #expect(rest.problems == [] && rest.numbers.first == 5)
  }

  // MARK: From the log

  /// Renders what a log tells from a place on, as a reader that comes later does.
  private func render(
    _ log: AnswerLog, from place: inout AnswerLog.Cursor, _ renderer: ResponseRenderer, to buffer: inout ByteBuffer
  ) {
    while let step = log.step(from: &place) {
      switch step {
      case .text(let channel, let range): log.withText(range) { _ = renderer.append($0, channel, to: &buffer) }
      case .event(let event): _ = renderer.append(event, to: &buffer)
      }
    }
  }

  /// A reader that comes when so many events have been told, and is told the others as they come.
  @Test(arguments: styles.indices)
  func whoeverComesLaterIsToldTheSameEvents(_ style: Int) throws {
    let all = texts(try ResponseScript.body(ResponseScript.rich, .ended(.complete), Self.styles[style]))
    for joined in 0...ResponseScript.rich.count {
      var log = AnswerLog(keepsPieces: true)
      let renderer = try ResponseScript.renderer(Self.styles[style])
      var place = AnswerLog.Cursor.start
      var buffer = ByteBuffer()
      renderer.appendStart(to: &buffer)
      for (number, event) in ResponseScript.rich.enumerated() {
        if number >= joined { render(log, from: &place, renderer, to: &buffer) }
        log.append(event)
      }
      render(log, from: &place, renderer, to: &buffer)
      renderer.appendEnd(.complete, usage: ResponseScript.usage, to: &buffer)
      #expect(texts(String(decoding: buffer.array(), as: UTF8.self)) == all)
      #expect(log.isWhole)
    }
  }

  // MARK: From the object

  private func replay(_ object: JSONValue, after lastSeen: Int? = nil) -> String {
    var buffer = ByteBuffer()
    ResponseReplay(object).append(after: lastSeen, to: &buffer)
    return String(decoding: buffer.array(), as: UTF8.self)
  }

  private static let states: [ResponseState] = [
    .completed(ResponseScript.usage), .incomplete(ResponseScript.usage), .failed(ResponseScript.failure),
    .cancelled,
  ]

  @Test(arguments: states.indices, styles.indices)
  func anObjectIsToldAsAStream(_ state: Int, _ style: Int) throws {
    let (state, style) = (Self.states[state], Self.styles[style])
    let script = state == Self.states[0] ? ResponseScript.richCalls : ResponseScript.rich
    let object = try ResponseScript.whole(script, state, style)
    let events = ResponseEvents(replay(object))
    #expect(events.problems == [])
    #expect(events.response == object)
    #expect(.array(events.items) == object["output"])
    let parts = events.items.flatMap { ($0["content"] ?? $0["summary"])?.arrayValue ?? [] }
    #expect(
      events.all("response.output_text.delta").count + events.all("response.reasoning_summary_text.delta").count
        == parts.count)
    let streamed = try ResponseScript.events(script, .ended(.complete), style)
    #expect(events.items.map { $0["id"] } == streamed.items.map { $0["id"] })
    #expect(Set(events.types).isSuperset(of: Set(streamed.types).subtracting(["response.completed"])))
  }

  @Test(arguments: states.indices)
  func theRestOfAnObjectIsTheSameWhateverWasSeen(_ state: Int) throws {
    let object = try ResponseScript.whole(ResponseScript.rich, Self.states[state])
    let all = texts(replay(object))
    for seen in all.indices.dropLast() {
      #expect(texts(replay(object, after: seen)) == Array(all.dropFirst(seen + 1)))
    }
    // The stream that it has seen may have had more events: it still has to learn that there is an end.
    for seen in [all.count - 1, all.count, all.count + 1000, Int.max] {
      #expect(texts(replay(object, after: seen)) == all.suffix(1))
    }
  }

  @Test func anObjectWithoutOutputIsToldToo() throws {
    let events = ResponseEvents(replay(try ResponseScript.whole([])))
    #expect(events.problems == [])
    #expect(events.types == ["response.created", "response.in_progress", "response.completed"])
    #expect(events.events[0]["response"]?["status"] == "in_progress")
    #expect(events.events[0]["response"]?["usage"] == JSONValue.null)
  }

  /// The file may be of another version, or damaged.
  @Test(arguments: ["{}", "[]", "5", #"{"output":5}"#, #"{"output":[5,{},{"type":"message"},{"content":[{}]}]}"#])
  func whatIsNoResponseIsToldAllTheSame(_ text: String) throws {
    let events = ResponseEvents(replay(try JSONValue(parsing: text)))
    #expect(events.types.last == "response.completed")
    #expect(events.numbers == Array(0..<events.events.count))
  }

  // MARK: What is remembered

  private func items(_ events: [TurnEvent], _ style: ResponseStyle = ResponseStyle()) throws -> [Conversation.Item]
  {
    let whole = ResponseWholeAnswer(try ResponseScript.objects(), style)
    for event in events {
      if let (text, channel) = event.text { _ = whole.take(text, channel) } else { _ = whole.take(event) }
    }
    return whole.items
  }

  /// A client may put all messages together before it sends them back.
  @Test func theClientHasSeenOneMessageAndTheCalls() throws {
    for style in Self.styles {
      #expect(
        try items(ResponseScript.richCalls, style) == [
          .message(.assistant, [.text("one\n\"two\"é😀\n\nthree")]), .toolCall(ResponseScript.calls[0]),
          .toolCall(ResponseScript.calls[1]),
        ])
    }
    #expect(try items([.reasoning(EscapedText("hm"))]) == [.message(.assistant, [])])
  }

  @Test func aWholeAnswerTakesBackWhatTheEngineTakesBack() throws {
    let object = try ResponseScript.whole([
      .itemBegan(.message(nil)), .answer(EscapedText("half")), .itemEnded(.message(nil)),
      .reasoning(EscapedText("hm")), .answerRetracted, .answer(EscapedText("whole")),
    ])
    let output = object["output"]?.arrayValue ?? []
    #expect(output.map { $0["type"] ?? .null } == ["reasoning", "message"])
    #expect(output.last?["content"]?.arrayValue?.first?["text"] == "whole")
  }

  @Test func commentaryThatBecomesTheAnswerIsToldOnceInAWholeOne() throws {
    let object = try ResponseScript.whole([.commentary(EscapedText("42")), .answerIsCommentary(["42"])])
    #expect(object["output"]?.jsonText.components(separatedBy: "42").count == 2)
  }
}
