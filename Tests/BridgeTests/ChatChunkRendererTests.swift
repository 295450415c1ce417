// The chunks of a stream, byte by byte what clients need (clients.md C16–C19).

import Testing

@testable import Bridge

struct ChatChunkRendererTests {
  private static let identity = AnswerIdentity(id: "chatcmpl-1", created: 1_700_000_000, model: "m\"x\\:high")

  private func objects(usage: Bool = false) -> ChatObjects {
    ChatObjects(identity: Self.identity, includesUsage: usage)
  }

  /// The data of each event.
  private func events(usage: Bool = false, _ render: (ChatChunkRenderer, inout ByteBuffer) -> Void) throws
    -> [String]
  {
    var buffer = ByteBuffer()
    render(ChatChunkRenderer(objects(usage: usage)), &buffer)
    let text = String(decoding: buffer.array(), as: UTF8.self)
    var events = text.components(separatedBy: "\n\n")
    #expect(events.removeLast() == "", "the last event is not ended")
    return try events.map { event in
      #expect(!event.contains("\n"))
      #expect(event.hasPrefix("data: "))
      return try #require(event.hasPrefix("data: ") ? String(event.dropFirst(6)) : nil)
    }
  }

  private static let usage = TokenUsage(input: 3, output: 2)

  @Test(
    arguments: [
      "a", "\"", "\\", "\n\n", "data: [DONE]\n\n", "é😀", "\u{2028}", "\0", " ", "\r\n", "mark-", "</script>",
    ], [false, true])
  func rendersTextAsItsObjectsWould(_ text: String, _ hasUsage: Bool) throws {
    let rendered = try events(usage: hasUsage) { renderer, buffer in
      renderer.append(content: EscapedText(text).raw.utf8.span, to: &buffer)
      renderer.append(reasoning: EscapedText(text).raw.utf8.span, to: &buffer)
    }
    #expect(rendered.count == 2)
    for (chunk, name) in zip(rendered, ["content", "reasoning_content"]) {
      var object = JSONObject()
      object["id"] = .string(Self.identity.id)
      object["object"] = "chat.completion.chunk"
      object["created"] = .int(Self.identity.created)
      object["model"] = .string(Self.identity.model)
      var delta = JSONObject()
      delta[name] = .string(text)
      object["choices"] = [["index": 0, "delta": .object(delta), "logprobs": nil, "finish_reason": nil]]
      object["usage"] = hasUsage ? .null : nil
      #expect(try JSONValue(parsing: chunk) == .object(object))
    }
  }

  @Test func rendersTextThatIsStillEscaped() throws {
    let rendered = try events { $0.append(content: EscapedText(raw: "\\u00e9\\n").raw.utf8.span, to: &$1) }
    #expect(try JSONValue(parsing: rendered[0])["choices"]?.arrayValue?.first?["delta"]?["content"] == "é\n")
  }

  @Test func rendersNoEmptyText() throws {
    #expect(try events { $0.append(content: EscapedText("").raw.utf8.span, to: &$1) } == [])
    #expect(try events { $0.append(reasoning: EscapedText("").raw.utf8.span, to: &$1) } == [])
  }

  /// A whole answer, its `[DONE]` left out.
  private func answer(usage: Bool) throws -> [JSONValue] {
    let rendered = try events(usage: usage) { renderer, buffer in
      renderer.appendStart(to: &buffer)
      renderer.append(reasoning: EscapedText("hm").raw.utf8.span, to: &buffer)
      renderer.append(content: EscapedText("a").raw.utf8.span, to: &buffer)
      renderer.append(content: EscapedText("b").raw.utf8.span, to: &buffer)
      renderer.appendEnd(.stop, usage: Self.usage, to: &buffer)
    }
    #expect(rendered.last == "[DONE]")
    return try rendered.dropLast().map { try JSONValue(parsing: $0) }
  }

  private func choice(_ chunk: JSONValue) throws -> JSONValue {
    let choices = try #require(chunk["choices"]?.arrayValue)
    #expect(choices.count == 1)
    return try #require(choices.first)
  }

  @Test func saysTheRoleExactlyOnceAndFirst() throws {
    let chunks = try answer(usage: false)
    #expect(try choice(chunks[0])["delta"] == ["role": "assistant", "content": ""])
    for chunk in chunks.dropFirst() { #expect(try choice(chunk)["delta"]?["role"] == nil) }
  }

  @Test(arguments: [false, true])
  func everyChunkHasWhatClientsNeed(_ hasUsage: Bool) throws {
    let chunks = try answer(usage: hasUsage)
    for chunk in chunks {
      #expect(chunk["id"] == "chatcmpl-1")
      #expect(chunk["object"] == "chat.completion.chunk")
      #expect(chunk["created"] == 1_700_000_000)
      #expect(chunk["model"] == .string(Self.identity.model))
      for choice in try #require(chunk["choices"]?.arrayValue) {
        #expect(choice["index"] == 0)
        #expect(choice["delta"]?.objectValue != nil)
        #expect(choice["finish_reason"] != nil)
      }
    }
  }

  @Test func finishesOnceWithAnEmptyDelta() throws {
    let chunks = try answer(usage: false)
    let last = try choice(try #require(chunks.last))
    #expect(last["finish_reason"] == "stop")
    #expect(last["delta"] == [:])
    for chunk in chunks.dropLast() { #expect(try choice(chunk)["finish_reason"] == JSONValue.null) }
  }

  @Test func tellsUsageOnceAndOnlyIfAsked() throws {
    for chunk in try answer(usage: false) { #expect(chunk["usage"] == nil) }
    let chunks = try answer(usage: true)
    for chunk in chunks.dropLast() { #expect(chunk["usage"] == JSONValue.null) }
    let last = try #require(chunks.last)
    #expect(last["choices"] == [])
    #expect(last["usage"] == Self.usage.completionUsage)
  }

  @Test(arguments: [(FinishReason.stop, "stop"), (.length, "length"), (.toolCalls, "tool_calls")])
  func namesTheReason(_ reason: FinishReason, _ name: String) throws {
    let rendered = try events { $0.appendEnd(reason, usage: Self.usage, to: &$1) }
    #expect(try choice(JSONValue(parsing: rendered[0]))["finish_reason"] == .string(name))
  }

  @Test func tellsAFailureWithoutChoices() throws {
    let error = APIError(status: 502, type: "codex_error", code: "crashed", message: "It \"broke\".\n")
    let rendered = try events { ChunkFrame.appendFailure(error, to: &$1) }
    #expect(rendered.count == 2)
    #expect(rendered[1] == "[DONE]")
    let value = try JSONValue(parsing: rendered[0])
    #expect(value["choices"] == nil)
    #expect(
      value == ["error": ["message": "It \"broke\".\n", "type": "codex_error", "param": nil, "code": "crashed"]])
  }

  @Test func countsTokens() {
    let usage = TokenUsage(input: 10, cachedInput: 4, output: 5, reasoningOutput: 2)
    #expect(
      usage.completionUsage == [
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": ["cached_tokens": 4],
        "completion_tokens_details": ["reasoning_tokens": 2],
      ])
  }

  @Test func buildsAWholeCompletion() {
    let completion = objects().completion(
      content: "hi", reasoning: "hm", calls: [], finishReason: .stop, usage: Self.usage, session: "s")
    #expect(
      completion == [
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
        "model": .string(Self.identity.model),
        "choices": [
          [
            "index": 0, "finish_reason": "stop", "logprobs": nil,
            "message": ["role": "assistant", "content": "hi", "reasoning_content": "hm", "refusal": nil],
          ]
        ],
        "usage": Self.usage.completionUsage, "session_id": "s",
      ])
  }

  private static let calls = [
    Conversation.ToolCall(id: "call_1", name: "f", arguments: "{\"a\":\"\\n\"}"),
    Conversation.ToolCall(id: "call_2", name: "g", arguments: "{}"),
  ]

  @Test func buildsACompletionThatCalls() throws {
    let completion = objects().completion(
      content: "", reasoning: "", calls: Self.calls, finishReason: .toolCalls, usage: nil, session: nil)
    #expect(completion["usage"] == nil)
    #expect(
      try choice(completion)["message"] == [
        "role": "assistant", "content": nil, "refusal": nil,
        "tool_calls": [
          ["id": "call_1", "type": "function", "function": ["name": "f", "arguments": "{\"a\":\"\\n\"}"]],
          ["id": "call_2", "type": "function", "function": ["name": "g", "arguments": "{}"]],
        ],
      ])
  }

  @Test func tellsACallOfTheOlderForm() throws {
    let objects = ChatObjects(identity: Self.identity, includesUsage: false, usesLegacyCalls: true)
    #expect(objects.finishReason(.toolCalls) == .functionCall)
    #expect(
      objects.members(of: Self.calls, isChunk: false)["function_call"] == [
        "name": "f", "arguments": "{\"a\":\"\\n\"}",
      ])
  }

  /// Each call is one chunk with its index, and everything of it once.
  @Test func streamsEachCallInOneChunk() throws {
    let renderer = ChatRenderer(objects(), stops: [], shown: AnswerParagraphs.Shown(tools: true))
    var buffer = ByteBuffer()
    #expect(renderer.append(.toolCalls(OpenCalls(calls: Self.calls, usage: nil)), to: &buffer))
    renderer.appendEnd(.toolCalls, usage: nil, to: &buffer)
    let events = String(decoding: buffer.array(), as: UTF8.self).components(separatedBy: "\n\n")
    #expect(events.count == 5 && events[3] == "data: [DONE]")
    for index in 0..<2 {
      let delta = try choice(JSONValue(parsing: String(events[index].dropFirst(6))))["delta"]
      let call = try #require(delta?["tool_calls"]?.arrayValue?.first)
      #expect(call["index"] == .int(index) && call["id"] == .string(Self.calls[index].id))
      #expect(call["function"]?["arguments"] == .string(Self.calls[index].arguments))
      #expect(delta?["content"] == nil && delta?["role"] == nil)
    }
    let end = try choice(JSONValue(parsing: String(events[2].dropFirst(6))))
    #expect(end["finish_reason"] == "tool_calls" && end["delta"] == [:])
  }

  /// C33: the content is a string even when there is nothing to say.
  @Test func buildsAnEmptyCompletion() throws {
    let completion = objects().completion(
      content: "", reasoning: "", calls: [], finishReason: .stop, usage: Self.usage, session: nil)
    #expect(completion["session_id"] == nil)
    #expect(try choice(completion)["message"] == ["role": "assistant", "content": "", "refusal": nil])
  }
}
