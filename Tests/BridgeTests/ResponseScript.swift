// Turns as tests of responses tell them, and what their clients read.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

/// Renders turns as responses, the way `AnswerStream` and `AnswerGatherer` do.
enum ResponseScript {
  static let identity = AnswerIdentity(id: "resp_abc", created: 1_700_000_000, model: "m\"x:high")
  static let usage = TokenUsage(input: 11, cachedInput: 4, output: 7, reasoningOutput: 2)
  static let calls = [
    Conversation.ToolCall(id: "call_1", name: "f", arguments: #"{"a":"\n"}"#),
    Conversation.ToolCall(id: "call_2", name: "g", arguments: "{}"),
  ]
  static let failure = APIError(
    status: 502, type: "codex_error", code: "codex_crashed", message: "It \"broke\".\n")

  /// How a response ends.
  enum End {
    case ended(AnswerEnding)
    case failed(APIError)
  }

  /// A turn with all that there is: reasoning in parts, commentary, activity before and during messages, two messages, calls.
  static let rich: [TurnEvent] =
    [
      .began, .itemBegan(.reasoning), .reasoning(EscapedText("h")), .reasoning(EscapedText("m")), .reasoningPart,
      .reasoning(EscapedText("ah")), .itemEnded(.reasoning), .itemBegan(.message(.commentary)),
      .commentary(EscapedText("I look.")), .itemEnded(.message(.commentary)), tool(1, .began),
      tool(1, .ended(.exited(0))), .usage(TokenUsage()), .itemBegan(.message(nil)), .answer(EscapedText("one\n")),
      .answer(EscapedText("\"two\"")), tool(2, .began), .answer(EscapedText("é😀")), tool(2, .ended(.failed)),
      .itemEnded(.message(nil)), .itemBegan(.message(nil)), .answer(EscapedText("three")),
      .itemEnded(.message(nil)),
    ]

  static func tool(_ number: Int, _ progress: ToolReport.Progress) -> TurnEvent {
    .tool(ToolReport(number: number, use: .command("ls"), progress: progress))
  }

  static let richCalls = rich + [.toolCalls(OpenCalls(calls: calls, usage: usage))]

  /// What the objects tell of a request.
  static func echo(_ members: String = "") throws -> [UInt8] {
    try ResponseRequest(try JSONValue(parsing: #"{"input":"hi"\#(members)}"#), ResponseRequest.Context()).echo
  }

  static func objects(_ members: String = "") throws -> ResponseObjects {
    ResponseObjects(ids: ResponseIDs(identity.id), identity: identity, echo: try echo(members))
  }

  static func renderer(
    _ style: ResponseStyle = ResponseStyle(), after lastSeen: Int? = nil,
    _ framing: ResponseEventWriter.Framing = .serverSentEvents
  ) throws -> ResponseRenderer {
    ResponseRenderer(try objects(), style, ResponseEventWriter(framing, after: lastSeen))
  }

  /// Streams a whole answer. Returns the body.
  static func body(
    _ events: [TurnEvent], _ end: End = .ended(.complete), _ style: ResponseStyle = ResponseStyle(),
    after lastSeen: Int? = nil
  ) throws -> String {
    let renderer = try renderer(style, after: lastSeen)
    var buffer = ByteBuffer()
    renderer.appendStart(to: &buffer)
    for event in events {
      if let (text, channel) = event.text {
        #expect(renderer.append(text.raw.utf8.span, channel, to: &buffer))
      } else {
        #expect(renderer.append(event, to: &buffer))
      }
    }
    switch end {
    case .ended(let ending): renderer.appendEnd(ending, usage: usage, to: &buffer)
    case .failed(let error): renderer.appendFailure(error, to: &buffer)
    }
    return String(decoding: buffer.array(), as: UTF8.self)
  }

  static func events(
    _ events: [TurnEvent], _ end: End = .ended(.complete), _ style: ResponseStyle = ResponseStyle()
  ) throws -> ResponseEvents { ResponseEvents(try body(events, end, style)) }

  /// The object of an answer that is sent whole.
  static func whole(
    _ events: [TurnEvent], _ state: ResponseState = .completed(usage), _ style: ResponseStyle = ResponseStyle()
  ) throws -> JSONValue {
    let whole = ResponseWholeAnswer(try objects(), style)
    for event in events {
      if let (text, channel) = event.text { _ = whole.take(text, channel) } else { _ = whole.take(event) }
    }
    return try JSONValue(parsing: whole.kept(state).object)
  }
}

extension ResponseRequest {
  /// What every object of the response tells of it.
  var echoed: JSONObject {
    let text = [UInt8(ascii: "{")] + echo.dropFirst() + [UInt8(ascii: "}")]
    return (try? JSONValue(parsing: text))?.objectValue ?? JSONObject()
  }
}

extension JSONValue {
  /// The object without a member.
  func without(_ key: String) -> JSONValue {
    guard var object = objectValue else { return self }
    object[key] = nil
    return .object(object)
  }
}
