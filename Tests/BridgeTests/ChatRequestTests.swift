// Bodies of chat requests: what is read, what is refused and under which name, what is ignored.

import Testing

@testable import Bridge

struct ChatRequestTests {
  private func decode(_ text: String, userIsSession: Bool = true) throws -> ChatRequest {
    try ChatRequest(try JSONValue(parsing: text), userIsSession: userIsSession)
  }

  /// A request with one user message and these further members.
  private func decode(with members: String, userIsSession: Bool = true) throws -> ChatRequest {
    try decode(#"{"messages":[{"role":"user","content":"hi"}],\#(members)}"#, userIsSession: userIsSession)
  }

  /// A request with these messages.
  private func decode(messages: String) throws -> [Conversation.Item] {
    try decode("{\"messages\":[\(messages)]}").ask.conversation.items
  }

  private func refusal(_ decode: () throws -> some Any) -> APIError? {
    do {
      _ = try decode()
      return nil
    } catch {
      return error as? APIError
    }
  }

  // MARK: Plain requests

  @Test func takesTheLeastThereIs() throws {
    let chat = try decode(#"{"messages":[{"role":"user","content":"hi"}]}"#)
    #expect(chat.ask.conversation.items == [.message(.user, [.text("hi")])])
    #expect(chat.ask.model == nil)
    #expect(chat.ask.effort == nil)
    #expect(!chat.ask.isStreamed)
    #expect(!chat.includesUsage)
    #expect(chat.ask.conversation.format == .text)
    #expect(chat.ask.stops == [])
    #expect(chat.ask.sessions.isEmpty)
    #expect(chat.ask.ignored == [])
  }

  @Test func takesEverythingAtOnce() throws {
    let chat = try decode(
      with: """
        "model":"m:high","stream":true,"stream_options":{"include_usage":true,"x":1},"stop":["a","b"],
        "reasoning_effort":"low","response_format":{"type":"json_object"},"session_id":"s","n":1,"tools":[],
        "modalities":["text"],"logprobs":false
        """)
    #expect(chat.ask.model == "m:high")
    #expect(chat.ask.isStreamed)
    #expect(chat.includesUsage)
    #expect(chat.ask.stops == ["a", "b"])
    #expect(chat.ask.effort?.name == "low")
    #expect(chat.ask.conversation.format == .jsonObject)
    #expect(chat.ask.sessions.first?.id == "s")
  }

  @Test func nullMeansAbsent() throws {
    let names = [
      "model", "stream", "stream_options", "stop", "reasoning_effort", "model_reasoning_effort", "reasoning",
      "response_format", "output_schema", "outputSchema", "session_id", "conversation_id", "thread_id", "user",
      "n", "tools",
      "functions", "tool_choice", "modalities", "audio", "logprobs", "temperature", "max_tokens",
    ]
    let plain = try decode(#"{"messages":[{"role":"user","content":"hi"}]}"#)
    #expect(try decode(with: names.map { "\"\($0)\":null" }.joined(separator: ",")) == plain)
  }

  // MARK: Wrong types

  @Test(arguments: [
    ("\"model\":5", "model"), ("\"model\":[\"m\"]", "model"), ("\"stream\":\"true\"", "stream"),
    ("\"stream\":1", "stream"),
    ("\"stream_options\":true", "stream_options"), ("\"stream_options\":[]", "stream_options"),
    ("\"stream_options\":{\"include_usage\":\"yes\"}", "stream_options.include_usage"),
    ("\"reasoning_effort\":3", "reasoning_effort"), ("\"model_reasoning_effort\":{}", "model_reasoning_effort"),
    ("\"reasoning\":\"high\"", "reasoning"), ("\"reasoning\":{\"effort\":3}", "reasoning.effort"),
    ("\"response_format\":\"json_object\"", "response_format"), ("\"response_format\":{}", "response_format.type"),
    ("\"response_format\":{\"type\":1}", "response_format.type"),
    ("\"response_format\":{\"type\":\"xml\"}", "response_format.type"),
    ("\"response_format\":{\"type\":\"json_schema\"}", "response_format.json_schema"),
    ("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":[]}", "response_format.json_schema"),
    (
      "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\"}}",
      "response_format.json_schema.schema"
    ),
    (
      "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":\"{}\"}}",
      "response_format.json_schema.schema"
    ),
    ("\"output_schema\":\"{}\"", "output_schema"), ("\"outputSchema\":[]", "outputSchema"), ("\"stop\":5", "stop"),
    ("\"stop\":{}", "stop"), ("\"stop\":[\"a\",5]", "stop[1]"),
    ("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop"),
    ("\"session_id\":5", "session_id"), ("\"conversation_id\":[]", "conversation_id"),
    ("\"thread_id\":true", "thread_id"),
    ("\"user\":{}", "user"), ("\"n\":2", "n"), ("\"n\":0", "n"), ("\"n\":-1", "n"), ("\"n\":\"1\"", "n"),
    ("\"n\":1.5", "n"),
    ("\"n\":true", "n"), ("\"logprobs\":true", "logprobs"), ("\"modalities\":\"text\"", "modalities"),
    ("\"modalities\":[\"text\",\"audio\"]", "modalities"), ("\"audio\":{\"voice\":\"x\"}", "audio"),
    ("\"tools\":{}", "tools"), ("\"tools\":[{\"type\":\"function\"}]", "tools[0].name"),
    ("\"functions\":[{}]", "functions[0].name"), ("\"parallel_tool_calls\":1", "parallel_tool_calls"),
  ])
  func refusesByName(_ members: String, _ param: String) throws {
    let error = try #require(refusal { try decode(with: members) }, "accepted")
    #expect(error.status == 400)
    #expect(error.type == "invalid_request_error")
    #expect(error.param == param || error.param?.hasPrefix(param + "[") == true)
    #expect(!error.message.isEmpty)
  }

  @Test(arguments: [
    ("{}", "messages"), ("{\"messages\":null}", "messages"), ("{\"messages\":[]}", "messages"),
    ("{\"messages\":\"hi\"}", "messages"), ("{\"messages\":{}}", "messages"),
    ("{\"messages\":[\"hi\"]}", "messages[0]"),
    ("{\"messages\":[null]}", "messages[0]"), ("{\"messages\":[{}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":null,\"content\":\"a\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":5,\"content\":\"a\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":\"robot\",\"content\":\"a\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":\"User\",\"content\":\"a\"}]}", "messages[0].role"),
    ("{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":5}]}", "messages[0].content"),
    ("{\"messages\":[{\"role\":\"user\",\"content\":{}}]}", "messages[0].content"),
    ("{\"messages\":[{\"role\":\"assistant\",\"content\":true}]}", "messages[0].content"),
    (
      "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"x\",\"content\":\"a\"}]}",
      "messages[1].role"
    ),
    ("{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}", "messages[0].tool_call_id"),
    ("{\"messages\":[{\"role\":\"tool\",\"content\":\"a\",\"tool_call_id\":5}]}", "messages[0].tool_call_id"),
    ("{\"messages\":[{\"role\":\"function\",\"content\":\"a\"}]}", "messages[0].name"),
    ("{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}", "messages[0].tool_calls"),
    ("{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}", "messages[0].tool_calls[0].function"),
    (
      "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{}}]}]}",
      "messages[0].tool_calls[0].function.name"
    ),
    (
      "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}]}",
      "messages[0].tool_calls[0].id"
    ),
    (
      "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]}]}",
      "messages[0].tool_calls[0].function.arguments"
    ),
    ("{\"messages\":[{\"role\":\"assistant\",\"function_call\":{}}]}", "messages[0].function_call.name"),
  ])
  func refusesBrokenMessagesByName(_ body: String, _ param: String) throws {
    let error = try #require(refusal { try decode(body) }, "accepted")
    #expect(error.status == 400)
    #expect(error.type == "invalid_request_error")
    #expect(error.param == param)
  }

  @Test(arguments: [
    ("5", "messages[0].content[0]"), ("null", "messages[0].content[0]"), ("[]", "messages[0].content[0]"),
    ("{}", "messages[0].content[0].type"), ("{\"type\":5}", "messages[0].content[0].type"),
    ("{\"type\":\"video\"}", "messages[0].content[0].type"),
    (
      "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"\",\"format\":\"wav\"}}",
      "messages[0].content[0].type"
    ),
    ("{\"type\":\"file\",\"file\":{\"file_id\":\"x\"}}", "messages[0].content[0]"),
    ("{\"type\":\"text\"}", "messages[0].content[0].text"),
    ("{\"type\":\"text\",\"text\":5}", "messages[0].content[0].text"),
    ("{\"type\":\"refusal\"}", "messages[0].content[0].refusal"),
    ("{\"type\":\"image_url\"}", "messages[0].content[0].image_url"),
    ("{\"type\":\"image_url\",\"image_url\":5}", "messages[0].content[0].image_url"),
    ("{\"type\":\"image_url\",\"image_url\":{}}", "messages[0].content[0].image_url.url"),
    ("{\"type\":\"image_url\",\"image_url\":{\"url\":[]}}", "messages[0].content[0].image_url.url"),
    ("{\"type\":\"input_image\",\"file_id\":\"f\"}", "messages[0].content[0]"),
    ("{\"type\":\"local_image\"}", "messages[0].content[0].path"),
    ("{\"type\":\"local_image\",\"path\":5}", "messages[0].content[0].path"),
  ])
  func refusesBrokenPartsByName(_ part: String, _ param: String) throws {
    let error = try #require(
      refusal { try decode(messages: "{\"role\":\"user\",\"content\":[\(part)]}") }, "accepted")
    #expect(error.status == 400)
    #expect(error.param == param)
  }

  @Test(arguments: ["[]", "\"hi\"", "5", "null", "true"])
  func refusesBodiesThatAreNoObject(_ body: String) throws {
    #expect(try #require(refusal { try decode(body) }).status == 400)
  }

  // MARK: Messages

  @Test(
    arguments: [
      ("system", .developer), ("developer", .developer), ("user", .user), ("assistant", .assistant),
    ] as [(String, Conversation.Role)])
  func knowsItsRoles(_ name: String, _ role: Conversation.Role) throws {
    let items = try decode(messages: "{\"role\":\"\(name)\",\"content\":\"a\"}")
    #expect(items == [.message(role, [.text("a")])])
  }

  @Test func knowsToolResults() throws {
    let items = try decode(
      messages: """
        {"role":"tool","tool_call_id":"c1","content":"42"},{"role":"function","name":"f","content":"43"}
        """)
    #expect(
      items == [
        .toolOutput(Conversation.ToolOutput(callID: "c1", parts: [.text("42")])),
        .toolOutput(Conversation.ToolOutput(callID: "f", functionName: "f", parts: [.text("43")])),
      ])
  }

  @Test(
    arguments: [
      ("\"a\"", [.text("a")]), ("\"\"", []), ("[]", []), ("[\"a\",\"b\"]", [.text("a"), .text("b")]),
      ("[{\"type\":\"text\",\"text\":\"a\"}]", [.text("a")]),
      ("[{\"type\":\"input_text\",\"text\":\"a\"}]", [.text("a")]),
      ("[{\"type\":\"output_text\",\"text\":\"a\"}]", [.text("a")]),
      ("[{\"type\":\"refusal\",\"refusal\":\"no\"}]", [.text("no")]),
      (
        "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\",\"detail\":\"low\"}},{\"type\":\"text\",\"text\":\"b\"}]",
        [.text("a"), .image(url: "data:x", field: "messages[0].content[1].image_url.url"), .text("b")]
      ),
      (
        "[{\"type\":\"image_url\",\"image_url\":\"data:x\"}]",
        [.image(url: "data:x", field: "messages[0].content[0].image_url")]
      ),
      (
        "[{\"type\":\"input_image\",\"image_url\":\"data:x\"}]",
        [.image(url: "data:x", field: "messages[0].content[0].image_url")]
      ),
      (
        "[{\"type\":\"local_image\",\"path\":\"/a b.png\"}]",
        [.image(url: "file:/a b.png", field: "messages[0].content[0].path")]
      ),
    ] as [(String, [Conversation.Part])])
  func takesContentInAllShapes(_ content: String, _ parts: [Conversation.Part]) throws {
    let message = try #require(try decode(messages: "{\"role\":\"user\",\"content\":\(content)}").first)
    #expect(message.parts == parts)
  }

  @Test(arguments: [
    #""role":"system""#, #""role":"developer""#, #""role":"user""#, #""role":"assistant""#,
    #""role":"tool","tool_call_id":"c""#, #""role":"function","name":"f""#,
  ])
  func takesNullAsNoContent(_ members: String) throws {
    let messages = try decode(messages: #"{\#(members),"content":null},{"role":"user","content":"hi"}"#)
    #expect(messages.map(\.parts) == [[], [.text("hi")]])
  }

  @Test func somethingMustBeAsked() throws {
    let messages = #"{"role":"system","content":"Be brief."},{"role":"user","content":null}"#
    let error = try #require(refusal { try decode(messages: messages) }, "accepted")
    #expect(error.status == 400)
    #expect(error.param == "messages")
  }

  @Test(arguments: ["", ",\"content\":null", ",\"content\":\"\"", ",\"content\":[]"])
  func anAssistantThatCalledToolsNeedsNoContent(_ content: String) throws {
    let items = try decode(
      messages: """
        {"role":"assistant"\(content),"tool_calls":[
          {"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},
          {"id":"c2","type":"function","function":{"name":"g"}}]},
        {"role":"tool","tool_call_id":"c1","content":"a"},{"role":"tool","tool_call_id":"c2","content":"b"}
        """)
    #expect(
      Array(items.prefix(3)) == [
        .message(.assistant, []),
        .toolCall(Conversation.ToolCall(id: "c1", name: "f", arguments: "{\"a\":1}")),
        .toolCall(Conversation.ToolCall(id: "c2", name: "g", arguments: "{}")),
      ])
  }

  @Test func knowsTheOldFunctionCall() throws {
    let items = try decode(
      messages: #"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},"#
        + #"{"role":"function","name":"f","content":"a"}"#)
    #expect(items[1] == .toolCall(Conversation.ToolCall(id: "messages[0]:f", name: "f", arguments: "{}")))
  }

  @Test func ignoresUnknownMembersOfMessages() throws {
    let message = try #require(
      try decode(
        messages: #"{"role":"user","name":"Bob","content":"a","audio":null,"reasoning_content":"x","extra":[1]}"#
      ).first)
    #expect(message == .message(.user, [.text("a")]))
  }

  // MARK: Effort, format, stop

  @Test(
    arguments: [
      (
        "\"reasoning_effort\":\"a\",\"model_reasoning_effort\":\"b\",\"reasoning\":{\"effort\":\"c\"}",
        "a in reasoning_effort"
      ),
      ("\"model_reasoning_effort\":\"b\",\"reasoning\":{\"effort\":\"c\"}", "b in model_reasoning_effort"),
      ("\"reasoning\":{\"effort\":\"c\"}", "c in reasoning.effort"),
      ("\"reasoning\":{}", nil), ("\"reasoning\":{\"summary\":\"auto\"}", nil), ("\"reasoning_effort\":\"\"", nil),
      ("\"reasoning_effort\":null,\"reasoning\":{\"effort\":\"c\"}", "c in reasoning.effort"),
    ] as [(String, String?)])
  func findsTheEffort(_ members: String, _ effort: String?) throws {
    #expect(try decode(with: members).ask.effort.map { "\($0.name) in \($0.field)" } == effort)
  }

  @Test(
    arguments: [
      ("\"response_format\":{\"type\":\"text\"}", .text),
      ("\"response_format\":{\"type\":\"json_object\"}", .jsonObject),
      (
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"b\":1,\"a\":2}}}",
        .jsonSchema(["b": 1, "a": 2])
      ),
      ("\"output_schema\":{\"type\":\"object\"}", .jsonSchema(["type": "object"])),
      ("\"outputSchema\":{\"type\":\"object\"}", .jsonSchema(["type": "object"])),
    ] as [(String, Conversation.Format)])
  func findsTheFormat(_ members: String, _ format: Conversation.Format) throws {
    #expect(try decode(with: members).ask.conversation.format == format)
  }

  /// Models read the properties of a schema in their order.
  @Test func keepsASchemaAsItIs() throws {
    let schema = #"{"z":1.0,"a":{"y":1e3,"b":[]}}"#
    guard case .jsonSchema(let value) = try decode(with: "\"output_schema\":\(schema)").ask.conversation.format
    else {
      Issue.record("no schema")
      return
    }
    #expect(value.jsonText == schema)
  }

  @Test(arguments: [
    ("\"stop\":\"a\"", ["a"]), ("\"stop\":\"\"", []), ("\"stop\":[]", []), ("\"stop\":[\"a\",\"\"]", ["a"]),
    ("\"stop\":[\"a\",\"b\",\"c\",\"d\"]", ["a", "b", "c", "d"]),
  ])
  func findsStops(_ members: String, _ stops: [String]) throws {
    #expect(try decode(with: members).ask.stops == stops)
  }

  // MARK: Sessions

  @Test(arguments: [
    ("\"session_id\":\"a\",\"conversation_id\":\"b\",\"thread_id\":\"c\",\"user\":\"d\"", "a"),
    ("\"conversation_id\":\"b\",\"thread_id\":\"c\",\"user\":\"d\"", "b"),
    ("\"thread_id\":\"c\",\"user\":\"d\"", "c"),
    ("\"user\":\"d\"", "d"), ("\"session_id\":null,\"user\":\"d\"", "d"),
    ("\"session_id\":\"ünï / :\"", "ünï / :"),
  ])
  func findsTheSession(_ members: String, _ id: String) throws {
    #expect(try decode(with: members).ask.sessions.first?.id == id)
  }

  @Test func aUserIsNoSessionIfTheSettingSaysSo() throws {
    let chat = try decode(with: "\"user\":\"d\"", userIsSession: false)
    #expect(chat.ask.sessions.isEmpty)
    #expect(chat.ask.ignored == ["user"])
    #expect(
      try decode(with: "\"thread_id\":\"c\",\"user\":\"d\"", userIsSession: false).ask.sessions.first?.id == "c")
  }

  @Test(arguments: [1, 255, 256, 257])
  func limitsSessionIDs(_ length: Int) throws {
    let id = String(repeating: "x", count: length)
    let error = refusal { try decode(with: "\"session_id\":\"\(id)\"") }
    #expect((error == nil) == (length <= 256))
    if let error { #expect(error.param == "session_id") }
  }

  @Test func countsTheBytesOfSessionIDs() {
    #expect(refusal { try decode(with: "\"session_id\":\"\(String(repeating: "é", count: 129))\"") } != nil)
  }

  @Test(arguments: ["a\\nb", "\\u0000", "a\\rSet-Cookie: x", "\\u0085", "\\u007f", "\\u001b[2J"])
  func refusesControlCharactersInSessionIDs(_ id: String) throws {
    let error = try #require(refusal { try decode(with: "\"conversation_id\":\"\(id)\"") })
    #expect(error.param == "conversation_id")
  }

  // MARK: Ignored parameters

  @Test func namesWhatItIgnores() throws {
    let chat = try decode(
      with: """
        "temperature":0.7,"top_p":1,"max_tokens":5,"max_completion_tokens":5,"seed":1,"presence_penalty":0,
        "frequency_penalty":0,"logit_bias":{},"top_logprobs":0,"store":false,"metadata":{},"service_tier":"auto",
        "verbosity":"low","prediction":{},"prompt_cache_key":"k","safety_identifier":"i","parallel_tool_calls":true
        """)
    #expect(
      Set(chat.ask.ignored) == [
        "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty",
        "frequency_penalty",
        "logit_bias", "top_logprobs", "store", "metadata", "service_tier", "verbosity", "prediction",
        "safety_identifier",
      ])
    #expect(Set(chat.ask.ignored).count == chat.ask.ignored.count)
  }

  @Test func neverFailsForUnknownFields() throws {
    let plain = try decode(#"{"messages":[{"role":"user","content":"hi"}]}"#)
    #expect(
      try decode(with: #""chat_id":{"a":[1]},"options":5,"":null,"messages2":[],"keep_alive":"5m""#) == plain)
  }

  @Test(arguments: [
    "\"tools\":[]", "\"functions\":[]", "\"tool_choice\":\"auto\"", "\"tool_choice\":\"none\"",
    "\"function_call\":\"auto\"", "\"n\":1", "\"n\":1.0", "\"logprobs\":false", "\"modalities\":[]",
    "\"modalities\":[\"text\"]",
  ])
  func letsHarmlessOnesPass(_ members: String) {
    #expect(throws: Never.self) { try decode(with: members) }
  }

  // MARK: Too much

  /// One character to Swift, and two bytes for each of its marks.
  private static let endless = "a" + String(repeating: "\u{301}", count: 200_000)

  @Test func longNamesAreRefusedByTheirBytes() {
    let long = JSONValue.string(Self.endless).jsonText
    for (member, param) in [
      (#""model":\#(long)"#, "model"), (#""reasoning_effort":\#(long)"#, "reasoning_effort"),
      (#""reasoning":{"effort":\#(long)}"#, "reasoning.effort"),
      (#""response_format":{"type":\#(long)}"#, "response_format.type"),
      (#""modalities":[\#(long)]"#, "modalities[0]"), (#""stop":\#(long)"#, "stop"),
      (#""stop":["a",\#(long)]"#, "stop[1]"),
      (#""session_id":\#(long)"#, "session_id"),
      (
        #""response_format":{"type":"json_schema","json_schema":{"schema":{"a":\#(long)}}}"#,
        "response_format.json_schema.schema"
      ),
    ] {
      let error = refusal { try decode(with: member) }
      #expect(error?.status == 400)
      #expect(error?.param == param)
      #expect((error?.message.utf8.count ?? .max) < 500)
    }
    for (message, param) in [
      (#"{"role":\#(long),"content":"x"}"#, "messages[0].role"),
      (#"{"role":"user","content":[{"type":\#(long)}]}"#, "messages[0].content[0].type"),
      (#"{"role":"user","content":[{"type":"local_image","path":\#(long)}]}"#, "messages[0].content[0].path"),
    ] {
      let error = refusal { try decode(messages: message) }
      #expect(error?.status == 400)
      #expect(error?.param == param)
    }
  }

  @Test func countsAreBounded() {
    let many = { (element: String, count: Int) in Array(repeating: element, count: count).joined(separator: ",") }
    let message = #"{"role":"user","content":"x"}"#
    #expect(throws: Never.self) { try decode(messages: many(message, ChatRequest.maxMessages)) }
    #expect(refusal { try decode(messages: many(message, ChatRequest.maxMessages + 1)) }?.param == "messages")
    let parts = { (count: Int) in #"{"role":"user","content":[\#(many("\"x\"", count))]}"# }
    #expect(throws: Never.self) { try decode(messages: parts(ChatRequest.maxParts)) }
    #expect(refusal { try decode(messages: parts(ChatRequest.maxParts + 1)) }?.param == "messages[0].content")
    // Those of all messages count together, and tool calls with them.
    let half = parts(ChatRequest.maxParts / 2 + 1)
    #expect(refusal { try decode(messages: half + "," + half) }?.param == "messages[1].content")
    let call = #"{"id":"c","function":{"name":"f"}}"#
    let calls = #"{"role":"assistant","tool_calls":[\#(many(call, ChatRequest.maxParts))]}"#
    #expect(refusal { try decode(messages: message + "," + calls) }?.param == "messages[1].tool_calls")
    for member in ["tools", "functions"] {
      #expect(refusal { try decode(with: "\"\(member)\":[\(many("{}", 3000))]") }?.param == member)
    }
    #expect(refusal { try decode(with: "\"modalities\":[\(many("\"text\"", 100))]") }?.param == "modalities")
    #expect(refusal { try decode(with: "\"stop\":[\(many("\"\"", 100_000))]") }?.param == "stop")
  }

  @Test func largeRequestsAreKnown() throws {
    let message = #"{"role":"user","content":"x"}"#
    #expect(try !decode(#"{"messages":[\#(message)]}"#).ask.isLarge)
    let many = Array(repeating: message, count: 1000).joined(separator: ",")
    #expect(try decode(#"{"messages":[\#(many)]}"#).ask.isLarge)
    let long = String(repeating: "x", count: 200_000)
    #expect(try decode(#"{"messages":[{"role":"user","content":"\#(long)"}]}"#).ask.isLarge)
  }
}
