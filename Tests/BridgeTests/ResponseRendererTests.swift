// The events of a response stream, exactly what clients need (responses.md §2, §3).

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct ResponseRendererTests {
  private static let textItem = [
    "response.output_item.added", "response.content_part.added", "response.output_text.delta",
    "response.output_text.done", "response.content_part.done", "response.output_item.done",
  ]
  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }

  // MARK: Sequences

  /// Byte by byte: the type first, then the number.
  @Test func anAnswerOfTextAlone() throws {
    let body = try ResponseScript.body([.began, Self.answer("a\""), Self.answer("b\n")])
    let events = ResponseEvents(body)
    #expect(events.problems == [])
    #expect(
      events.types == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed",
      ])
    #expect(events.numbers == Array(0..<10))
    let id = "msg_abc0"
    let place = #""item_id":"\#(id)","output_index":0,"content_index":0"#
    let expected = [
      #""output_index":0,"item":{"id":"\#(id)","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
      #"\#(place),"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}"#,
      #"\#(place),"delta":"a\"","logprobs":[]}"#, #"\#(place),"delta":"b\n","logprobs":[]}"#,
      #"\#(place),"text":"a\"b\n","logprobs":[]}"#,
      #"\#(place),"part":{"type":"output_text","text":"a\"b\n","annotations":[],"logprobs":[]}}"#,
    ]
    for (index, rest) in expected.enumerated() {
      let (number, type) = (index + 2, events.types[index + 2])
      let event = "event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":\(number),\(rest)\n\n"
      #expect(body.contains(event), "\(event)")
    }
  }

  @Test func reasoningInParts() throws {
    let events = try ResponseScript.events([
      .reasoning(EscapedText("h")), .reasoning(EscapedText("m")), .reasoningPart, .reasoning(EscapedText("ah")),
    ])
    #expect(events.problems == [])
    func part(_ count: Int) -> [String] {
      let deltas = Array(repeating: "response.reasoning_summary_text.delta", count: count)
      let ends = ["response.reasoning_summary_text.done", "response.reasoning_summary_part.done"]
      return ["response.reasoning_summary_part.added"] + deltas + ends
    }
    let item: [String] = ["response.output_item.added"] + part(3) + part(2) + ["response.output_item.done"]
    #expect(Array(events.types.dropFirst(2)) == item + ["response.completed"])
    #expect(events.summaries == ["hm\n\n", "ah\n\n"])
    #expect(
      events.events[3]
        == [
          "type": "response.reasoning_summary_part.added", "sequence_number": 3, "item_id": "rs_abc0",
          "output_index": 0, "summary_index": 0, "part": ["type": "summary_text", "text": ""],
        ])
    #expect(events.items.first?["summary"]?.arrayValue?.count == 2)
  }

  @Test func calls() throws {
    let open = OpenCalls(calls: ResponseScript.calls, usage: nil)
    let events = try ResponseScript.events([Self.answer("a"), .toolCalls(open)], .ended(.toolCalls))
    #expect(events.problems == [])
    let call = [
      "response.output_item.added", "response.function_call_arguments.delta",
      "response.function_call_arguments.done", "response.output_item.done",
    ]
    let rest: [String] = Self.textItem + call + call + ["response.completed"]
    #expect(Array(events.types.dropFirst(2)) == rest)
    #expect(
      events.events[8]["item"] == [
        "id": "fc_abc1", "type": "function_call", "status": "in_progress", "call_id": "call_1", "name": "f",
        "arguments": "",
      ])
    #expect(events.events[9]["delta"] == .string(ResponseScript.calls[0].arguments))
    #expect(events.events[10]["name"] == "f")
    #expect(events.events[10]["arguments"] == .string(ResponseScript.calls[0].arguments))
    #expect(events.all("response.output_item.added").map { $0["output_index"]?.intValue } == [0, 1, 2])
    #expect(events.response?["status"] == "completed")
    #expect(events.items.last?["status"] == "completed" && events.items.last?["call_id"] == "call_2")
  }

  @Test func aCallOfAFunctionInANamespace() throws {
    let name = ToolFields.NamespacedName(namespace: "n", name: "f")
    let call = Conversation.ToolCall(id: "call_1", name: name.full, arguments: "{}")
    let events = try ResponseScript.events(
      [.toolCalls(OpenCalls(calls: [call], usage: nil))], .ended(.toolCalls),
      ResponseStyle(namespaced: [name.full: name]))
    #expect(events.problems == [])
    #expect(events.items.first?["name"] == "f" && events.items.first?["namespace"] == "n")
    #expect(events.all("response.function_call_arguments.done").first?["name"] == "f")
  }

  @Test func activityAsItems() throws {
    let style = ResponseStyle(activity: .mcp)
    let script = [
      ResponseScript.tool(1, .began), ResponseScript.tool(2, .began), ResponseScript.tool(1, .ended(.exited(2))),
      ResponseScript.tool(2, .ended(.declined)),
    ]
    let events = try ResponseScript.events(script, .ended(.complete), style)
    #expect(events.problems == [])
    let began = [
      "response.output_item.added", "response.mcp_call.in_progress", "response.mcp_call_arguments.done",
    ]
    let ended = [
      "response.mcp_call.completed", "response.output_item.done", "response.mcp_call.failed",
      "response.output_item.done", "response.completed",
    ]
    #expect(Array(events.types.dropFirst(2)) == began + began + ended)
    #expect(events.items.map { $0["output"] ?? .null } == ["Exit code 2", .null])
  }

  /// Only the switch makes it a message, and its phase tells it from the answer.
  @Test func commentaryAsAMessage() throws {
    let script: [TurnEvent] = [
      .itemBegan(.message(.commentary)), .commentary(EscapedText("I ")), .commentary(EscapedText("look.")),
      .itemEnded(.message(.commentary)), Self.answer("a"),
    ]
    let events = try ResponseScript.events(script, .ended(.complete), ResponseStyle(commentaryIsMessage: true))
    #expect(events.problems == [])
    #expect(events.items.map { $0["phase"] ?? .null } == ["commentary", .null])
    #expect(events.deltas == ["I ", "look.", "a"])
  }

  // MARK: Ends

  @Test func anAnswerWithoutAnything() throws {
    let events = try ResponseScript.events([])
    #expect(events.problems == [] && events.types.count == 3)
    #expect(events.response?["output"] == [] && events.response?["status"] == "completed")
  }

  @Test func aFailureIsTwoEvents() throws {
    let events = try ResponseScript.events([Self.answer("half")], .failed(ResponseScript.failure))
    #expect(events.problems == [])
    #expect(events.types.suffix(3) == ["response.output_item.done", "error", "response.failed"])
    let error = try #require(events.events.dropLast().last)
    #expect(
      error.without("sequence_number") == [
        "type": "error", "code": "codex_crashed", "message": "It \"broke\".\n", "param": nil,
        "error": ["type": "codex_error", "code": "codex_crashed", "message": "It \"broke\".\n", "param": nil],
      ])
    #expect(events.response?["status"] == "failed" && events.response?["usage"] == JSONValue.null)
    #expect(events.response?["error"] == ["code": "server_error", "message": "It \"broke\".\n"])
    #expect(events.items.first?["status"] == "incomplete")
    #expect(events.items.first?["content"]?.arrayValue?.first?["text"] == "half")
  }

  /// In the object there are only codes that clients know; those that are final for Codex as a client stay.
  @Test(
    arguments: [
      ("codex_crashed", 502, "codex_error", "server_error"), ("turn_timeout", 504, "codex_error", "server_error"),
      ("context_length_exceeded", 400, "invalid_request_error", "context_length_exceeded"),
      ("insufficient_quota", 429, "insufficient_quota", "insufficient_quota"),
      ("invalid_prompt", 400, "invalid_request_error", "invalid_prompt"),
      ("rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"),
      ("x", 503, "codex_error", "server_is_overloaded"), (nil, 503, "server_error", "server_error"),
    ] as [(String?, Int, String, String)])
  func aFailedResponseHasACodeThatClientsKnow(_ code: String?, _ status: Int, _ type: String, _ known: String)
    throws
  {
    let error = APIError(status: status, type: type, code: code, message: "m")
    let events = try ResponseScript.events([], .failed(error))
    #expect(events.problems == [])
    #expect(events.response?["error"]?["code"] == .string(known))
    #expect(events.all("error").first?["code"] == .string(code ?? type))
  }

  @Test func anAnswerThatWasCutByTheModelsLimit() throws {
    let events = try ResponseScript.events([Self.answer("half")], .ended(.lengthLimit))
    #expect(events.problems == [])
    #expect(events.types.last == "response.incomplete")
    #expect(events.response?["status"] == "incomplete")
    #expect(events.response?["incomplete_details"] == ["reason": "max_output_tokens"])
    #expect(events.response?["usage"]?["total_tokens"] == 18)
    #expect(events.items.first?["status"] == "incomplete")
  }

  /// There is no event of its own for it.
  @Test func anAnswerThatWasCancelled() throws {
    let cancelled = APIError(status: 499, code: "cancelled", message: "m")
    let events = try ResponseScript.events([Self.answer("half")], .failed(cancelled))
    #expect(events.problems == [])
    #expect(events.types.suffix(2) == ["response.output_item.done", "response.incomplete"])
    #expect(events.response?["status"] == "cancelled")
    #expect(events.response?["error"] == JSONValue.null)
  }

  @Test func aFailureBeforeItsAnswer() throws {
    let dialect = ResponseDialect(
      ids: ResponseIDs("resp_abc"), echo: try ResponseScript.echo(), style: ResponseStyle(), model: "m")
    var buffer = ByteBuffer()
    dialect.appendFailure(ResponseScript.failure, to: &buffer)
    let events = ResponseEvents(String(decoding: buffer.array(), as: UTF8.self))
    #expect(events.problems == [])
    #expect(events.types == ["response.created", "response.in_progress", "error", "response.failed"])
    #expect(events.id == "resp_abc")
  }

  // MARK: The object

  @Test func theObjectIsTheSameWhereverItStands() throws {
    let whole = try ResponseScript.whole(ResponseScript.richCalls)
    let events = try ResponseScript.events(ResponseScript.richCalls, .ended(.toolCalls))
    #expect(events.problems == [])
    let streamed = try #require(events.response)
    // The seconds may differ.
    #expect(streamed.without("completed_at") == whole.without("completed_at"))
    #expect(streamed.objectValue?.members.map(\.key) == whole.objectValue?.members.map(\.key))
    let created = try #require(events.events.first?["response"])
    #expect(created.objectValue?.members.map(\.key) == streamed.objectValue?.members.map(\.key))
    #expect(created["status"] == "in_progress" && created["completed_at"] == JSONValue.null)
    #expect(streamed["model"] == .string(ResponseScript.identity.model) && streamed["object"] == "response")
    #expect(streamed["created_at"] == 1_700_000_000 && streamed["completed_at"]?.intValue != nil)
    #expect(
      streamed["usage"] == [
        "input_tokens": 11, "input_tokens_details": ["cached_tokens": 4, "cache_write_tokens": 0],
        "output_tokens": 7, "output_tokens_details": ["reasoning_tokens": 2], "total_tokens": 18,
      ])
  }

  @Test func usageThatNobodyKnowsIsNothing() throws {
    let object = try JSONValue(parsing: ResponseScript.objects().response(.completed(nil), output: []).object)
    #expect(object["usage"]?["total_tokens"] == 0)
  }

  @Test(
    arguments: [
      (.queued, "queued", false), (.inProgress, "in_progress", false), (.completed(nil), "completed", true),
      (.incomplete(nil), "incomplete", true), (.failed(ResponseScript.failure), "failed", true),
      (.cancelled, "cancelled", true),
    ] as [(ResponseState, String, Bool)])
  func everyStateHasItsWord(_ state: ResponseState, _ word: String, _ isFinal: Bool) throws {
    #expect(state.isFinal == isFinal)
    let object = try JSONValue(
      parsing: ResponseScript.objects().response(state, output: [], completedAt: 5).object)
    #expect(object["status"] == .string(word))
    for name in ResponseEvents.members { #expect(object[name] != nil, "\(name)") }
    #expect(object["completed_at"] == (word == "completed" ? 5 : .null))
    #expect((object["error"]?.isNull == false) == (word == "failed"))
    #expect((object["incomplete_details"]?.isNull == false) == (word == "incomplete"))
    #expect((object["usage"]?.isNull == false) == ["completed", "incomplete"].contains(word))
    #expect(object["conversation"] == nil)
  }

  // MARK: Texts

  @Test(
    arguments: [
      "a", "\"", "\\", "\n\n", "data: [DONE]\n\n", "é😀", "\u{2028}", "\0", " ", "\r\n", "event: x", "</script>",
    ])
  func textArrivesAsItWas(_ text: String) throws {
    let script: [TurnEvent] = [.reasoning(EscapedText(text)), Self.answer(text), Self.answer(text)]
    let events = try ResponseScript.events(script)
    #expect(events.problems == [])
    #expect(events.deltas == [text, text])
    #expect(events.summaries == [text + "\n\n"])
  }

  @Test func textThatIsStillEscapedIsNotReadAgain() throws {
    let events = try ResponseScript.events([
      .answer(EscapedText(raw: "\\u00e9\\n")), .answer(EscapedText(raw: "\\/")),
    ])
    #expect(events.problems == [] && events.deltas == ["é\n", "/"])
  }

  // MARK: WebSocket

  @Test func aWebSocketTellsTheSame() throws {
    let body = try ResponseScript.body(ResponseScript.rich)
    let expected = body.components(separatedBy: "\n").filter { $0.hasPrefix("data: ") }.map {
      String($0.dropFirst(6))
    }
    let renderer = try ResponseScript.renderer(ResponseStyle(), .webSocket)
    var buffer = ByteBuffer()
    renderer.appendStart(to: &buffer)
    for event in ResponseScript.rich {
      if let (text, channel) = event.text {
        _ = renderer.append(text.raw.utf8.span, channel, to: &buffer)
      } else {
        _ = renderer.append(event, to: &buffer)
      }
    }
    renderer.appendEnd(.complete, usage: ResponseScript.usage, to: &buffer)
    let frames = try #require(ServerFrame.parse(buffer.array()[...]))
    #expect(frames.allSatisfy { $0.opcode == 1 })
    #expect(ResponseEvents(messages: frames.map(\.text)).problems == [])
    #expect(frames.dropLast().map(\.text) == expected.dropLast())
  }
}
