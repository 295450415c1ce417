// Bodies of response requests: what is read, what is refused and under which name, what is ignored (responses.md §1).

import Testing

@testable import Bridge

struct ResponseRequestTests {
  private static let codex = ResponseRequest.Context(isFromCodex: true)
  private static let message = ResponseRequest.Context(isMessage: true)

  private func decode(
    _ text: String, _ context: ResponseRequest.Context = ResponseRequest.Context()
  ) throws -> ResponseRequest {
    try ResponseRequest(try JSONValue(parsing: text), context)
  }

  /// A request with one text as its input and these further members.
  private func decode(
    with members: String, _ context: ResponseRequest.Context = ResponseRequest.Context()
  ) throws -> ResponseRequest {
    try decode(#"{"input":"hi",\#(members)}"#, context)
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
    let request = try decode(#"{"input":"hi"}"#)
    #expect(request.ask.conversation.items == [.message(.user, [.text("hi")])])
    #expect(request.ask.model == nil && request.ask.effort == nil && !request.ask.isStreamed)
    #expect(request.ask.conversation.format == .text && request.ask.conversation.tools == Conversation.Tools())
    #expect(request.isStored && !request.isBackground && request.generates)
    #expect(request.previous == nil && request.conversation == nil && request.references.isEmpty)
    #expect(request.ask.keeping == .underName && request.ask.sessions.isEmpty && request.ask.ignored == [])
    #expect(!request.ask.conversation.isContinuation)
  }

  @Test func takesEverythingAtOnce() throws {
    let request = try decode(
      """
      {"model":"m:high","input":[{"role":"user","content":"hi"}],"instructions":"Be brief.","stream":true,
      "reasoning":{"effort":"low","summary":"auto","context":"all_turns"},"text":{"format":{"type":"json_object"}},
      "previous_response_id":"resp_1","store":true,"background":true,"metadata":{"a":"b"},"include":
      ["reasoning.encrypted_content"],"tools":[{"type":"function","name":"f"}],"tool_choice":"auto",
      "parallel_tool_calls":false,"stream_options":{"include_obfuscation":true},"client_metadata":{"x":1}}
      """)
    #expect(request.ask.model == "m:high" && request.ask.effort?.name == "low" && request.ask.isStreamed)
    #expect(
      request.ask.conversation.items == [
        .message(.developer, [.text("Be brief.")]), .message(.user, [.text("hi")]),
      ])
    #expect(request.ask.conversation.format == .jsonObject && request.ask.conversation.isContinuation)
    #expect(request.previous == "resp_1" && request.isStored && request.isBackground)
    #expect(request.ask.conversation.tools.functions.map(\.name) == ["f"])
    #expect(!request.ask.conversation.tools.isParallel && request.ask.ignored == [])
  }

  /// Q1: many clients send every field.
  @Test func nullMeansAbsent() throws {
    let names = [
      "model", "instructions", "previous_response_id", "conversation", "store", "background", "stream",
      "stream_options", "include", "max_output_tokens", "max_tool_calls", "metadata", "user", "tools",
      "tool_choice",
      "parallel_tool_calls", "text", "reasoning", "truncation", "temperature", "top_p", "top_logprobs", "prompt",
      "service_tier", "safety_identifier", "prompt_cache_key", "moderation", "session_id", "n", "stop",
    ]
    let plain = try decode(#"{"input":"hi"}"#)
    let nulls = try decode(with: names.map { "\"\($0)\":null" }.joined(separator: ","))
    #expect(nulls.ask == plain.ask && nulls.echo == plain.echo)
    #expect(nulls.isStored && !nulls.isBackground && nulls.previous == nil)
  }

  /// What clients send by default, and means nothing else.
  @Test(arguments: [
    #""tools":[],"include":[],"truncation":"disabled","stream":false,"store":true,"metadata":{}"#,
    #""text":{},"reasoning":{},"stream_options":{}"#, #""text":{"format":null,"verbosity":null}"#,
    #""text":{"format":{"type":"text"},"verbosity":"medium"},"parallel_tool_calls":true,"tool_choice":"auto""#,
    #""reasoning":{"effort":null,"summary":"detailed"},"prompt_cache_key":"k","client_metadata":{}"#,
    #""input_items":5,"image":{},"unknown":[]"#,
  ])
  func takesWhatMeansNothing(_ members: String) throws {
    let request = try decode(with: members)
    #expect(request.ask.ignored == [] && request.isStored)
    #expect(request.ask.conversation == Conversation(items: [.message(.user, [.text("hi")])]))
  }

  /// Q7.
  @Test func namesWhatHasNoEffect() throws {
    let names = [
      "temperature", "top_p", "max_output_tokens", "max_tool_calls", "service_tier", "safety_identifier",
      "presence_penalty", "frequency_penalty", "prompt_cache_retention", "moderation", "context_management",
      "background_options", "access_programs", "stop", "seed", "logit_bias",
    ]
    for name in names {
      let value = name == "stop" ? "[\"a\"]" : "1"
      #expect(try decode(with: "\"\(name)\":\(value)").ask.ignored == [name])
    }
    let request = try decode(
      with: #""truncation":"auto","text":{"verbosity":"low"},"top_logprobs":0,"user":"u""#,
      ResponseRequest.Context(userIsSession: false))
    #expect(Set(request.ask.ignored) == ["truncation", "text.verbosity", "top_logprobs", "user"])
  }

  // MARK: Wrong types

  @Test(arguments: [
    ("\"model\":5", "model"), ("\"stream\":\"true\"", "stream"), ("\"stream_options\":5", "stream_options"),
    ("\"store\":\"yes\"", "store"), ("\"store\":1", "store"), ("\"background\":\"no\"", "background"),
    ("\"store\":false,\"background\":true", "background"),
    ("\"previous_response_id\":5", "previous_response_id"),
    ("\"previous_response_id\":{}", "previous_response_id"),
    ("\"conversation\":5", "conversation"), ("\"conversation\":[]", "conversation"),
    ("\"conversation\":{}", "conversation.id"), ("\"conversation\":{\"id\":5}", "conversation.id"),
    ("\"conversation\":\"conv_1\",\"previous_response_id\":\"resp_1\"", "previous_response_id"),
    ("\"instructions\":5", "instructions"), ("\"instructions\":[]", "instructions"),
    ("\"reasoning\":\"high\"", "reasoning"), ("\"reasoning\":{\"effort\":3}", "reasoning.effort"),
    ("\"text\":\"json\"", "text"), ("\"text\":[]", "text"), ("\"text\":{\"format\":\"json\"}", "text.format"),
    ("\"text\":{\"format\":{}}", "text.format.type"), ("\"text\":{\"format\":{\"type\":1}}", "text.format.type"),
    ("\"text\":{\"format\":{\"type\":\"xml\"}}", "text.format.type"),
    ("\"text\":{\"format\":{\"type\":\"json_schema\"}}", "text.format.schema"),
    ("\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":\"{}\"}}", "text.format.schema"),
    ("\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":null}}", "text.format.schema"),
    ("\"metadata\":5", "metadata"), ("\"metadata\":\"x\"", "metadata"),
    ("\"reasoning\":{\"summary\":\"long\"}", "reasoning.summary"),
    ("\"reasoning\":{\"generate_summary\":5}", "reasoning.generate_summary"),
    ("\"prompt\":{\"id\":\"p\"}", "prompt"), ("\"prompt\":\"p\"", "prompt"),
    ("\"top_logprobs\":1", "top_logprobs"),
    ("\"top_logprobs\":\"1\"", "top_logprobs"), ("\"include\":\"x\"", "include"),
    ("\"include\":[5]", "include[0]"),
    ("\"include\":[\"a\",\"message.output_text.logprobs\"]", "include[1]"), ("\"n\":2", "n"),
    ("\"tools\":{}", "tools"), ("\"tools\":[5]", "tools[0]"), ("\"tools\":[{\"type\":5}]", "tools[0].type"),
    ("\"tools\":[{\"type\":\"function\"}]", "tools[0].name"),
    ("\"tools\":[{\"type\":\"function\",\"function\":{}}]", "tools[0].function.name"),
    ("\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"function\",\"name\":\"f\"}]", "tools[1].name"),
    (
      "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"string\"}}]",
      "tools[0].parameters"
    ),
    ("\"tool_choice\":\"required\"", "tool_choice"), ("\"tool_choice\":\"sometimes\"", "tool_choice"),
    ("\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}", "tool_choice.name"),
    ("\"parallel_tool_calls\":1", "parallel_tool_calls"), ("\"session_id\":5", "session_id"),
    ("\"user\":{}", "user"), ("\"stop\":5", "stop"),
  ])
  func refusesByName(_ members: String, _ param: String) throws {
    let error = try #require(refusal { try decode(with: members) }, "accepted")
    #expect(error.status == 400 && error.type == "invalid_request_error")
    #expect(error.param == param)
    #expect(!error.message.isEmpty)
  }

  @Test func saysWhyWithACode() throws {
    let both = refusal { try decode(with: #""conversation":"c","previous_response_id":"r""#) }
    #expect(both?.code == "mutually_exclusive_parameters")
    #expect(refusal { try decode("{}") }?.code == "missing_required_parameter")
  }

  @Test(arguments: ["[]", "\"hi\"", "5", "null", "true"])
  func refusesBodiesThatAreNoObject(_ body: String) throws {
    #expect(try #require(refusal { try decode(body) }).status == 400)
  }

  @Test(arguments: [
    ("{}", "input"), ("{\"input\":null}", "input"), ("{\"input\":[]}", "input"), ("{\"input\":5}", "input"),
    ("{\"input\":{}}", "input"), ("{\"input\":true}", "input"),
    // Nothing of it is said to the model.
    ("{\"input\":[{\"type\":\"reasoning\",\"summary\":[]}]}", "input"),
  ])
  func somethingMustBeAsked(_ body: String, _ param: String) throws {
    let error = try #require(refusal { try decode(body) }, "accepted")
    #expect(error.status == 400 && error.param == param)
  }

  @Test(arguments: [#""previous_response_id":"resp_1""#, #""conversation":"conv_1""#])
  func whoGoesOnNeedsNoInput(_ members: String) throws {
    for input in ["", #","input":[]"#, #","input":null"#] {
      let request = try decode("{\(members)\(input)}")
      #expect(request.ask.conversation.items == [] && request.ask.conversation.isContinuation)
    }
  }

  // MARK: What is kept

  @Test func whatIsKeptAndWhatItGoesOnFrom() throws {
    let passing = try decode(with: #""store":false"#)
    #expect(!passing.isStored && passing.ask.keeping == .none && passing.echoed["store"] == false)
    #expect(try decode(with: #""previous_response_id":"resp_1""#).previous == "resp_1")
    #expect(try decode(with: #""conversation":"conv_1""#).conversation == "conv_1")
    let object = try decode(with: #""conversation":{"id":"conv_1"}"#)
    #expect(object.conversation == "conv_1" && object.echoed["conversation"] == ["id": "conv_1"])
    let long = String(repeating: "x", count: 513)
    for field in ["previous_response_id", "conversation"] {
      #expect(refusal { try decode(with: "\"\(field)\":\"\(long)\"") }?.param == field)
    }
  }

  // MARK: What is told of the request

  @Test func theEchoTellsWhatWasAsked() throws {
    let echo = try decode(
      with: """
        "instructions":"Be brief.","previous_response_id":"resp_1","max_output_tokens":5,"max_tool_calls":2,
        "metadata":{"a":"b"},"tools":[{"type":"function","function":{"name":"f","strict":true}},
        {"type":"web_search","filters":{}}],"tool_choice":{"type":"function","function":{"name":"f"}},
        "parallel_tool_calls":false,"text":{"format":{"type":"json_object"},"verbosity":"low"},
        "reasoning":{"effort":"low"},"background":true,"truncation":"auto","service_tier":"flex","temperature":0.3,
        "top_p":0.5,"prompt_cache_key":"k","safety_identifier":"s","user":"u"
        """
    ).echoed
    #expect(echo["instructions"] == "Be brief." && echo["previous_response_id"] == "resp_1")
    #expect(echo["max_output_tokens"] == 5 && echo["max_tool_calls"] == 2 && echo["metadata"] == ["a": "b"])
    #expect(
      echo["tools"] == [
        [
          "type": "function", "name": "f", "description": "", "strict": true,
          "parameters": ["type": "object", "properties": [:]],
        ],
        ["type": "web_search", "filters": [:]],
      ])
    #expect(echo["tool_choice"] == ["type": "function", "name": "f"] && echo["parallel_tool_calls"] == false)
    #expect(echo["text"] == ["format": ["type": "json_object"], "verbosity": "low"])
    #expect(echo["reasoning"] == ["effort": "low", "summary": nil] && echo["background"] == true)
    // What had no effect is told as it is.
    #expect(echo["truncation"] == "disabled" && echo["service_tier"] == "default")
    #expect(echo["temperature"]?.doubleValue == 1 && echo["top_p"]?.doubleValue == 1)
    #expect(echo["prompt_cache_key"] == "k" && echo["safety_identifier"] == "s" && echo["user"] == "u")
  }

  @Test func theEchoOfTheLeastIsWhole() throws {
    let echo = try decode(#"{"input":"hi"}"#).echoed
    #expect(echo["tools"] == [] && echo["tool_choice"] == "auto" && echo["parallel_tool_calls"] == true)
    #expect(echo["metadata"] == [:] && echo["text"] == ["format": ["type": "text"], "verbosity": "medium"])
    #expect(echo["store"] == true && echo["background"] == false && echo["conversation"] == nil)
    #expect(echo["instructions"] == JSONValue.null && echo["reasoning"] == ["effort": nil, "summary": nil])
  }

  // MARK: Formats

  @Test(arguments: [
    #"{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string"}}}}"#,
    #"{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"string"}}},"strict":null}"#,
  ])
  func takesASchema(_ format: String) throws {
    let request = try decode(with: "\"text\":{\"format\":\(format)}")
    guard case .jsonSchema(let schema) = request.ask.conversation.format else {
      Issue.record("no schema")
      return
    }
    #expect(schema["properties"]?["a"] == ["type": "string"])
  }

  // MARK: Tools

  /// The one of chats is taken here too.
  @Test(arguments: [
    #"{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":null}"#,
    #"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}"#,
  ])
  func takesBothFormsOfAFunction(_ tool: String) throws {
    let request = try decode(with: "\"tools\":[\(tool)]")
    #expect(
      request.ask.conversation.tools.functions == [
        Conversation.Tool(name: "f", description: "d", parameters: ["type": "object"])
      ])
    #expect(!request.ask.toolSet.isEmpty && request.ask.said.count == 1)
  }

  /// Codex, as a client, sends them; each function has its namespace before its name here, and in no object.
  @Test func takesFunctionsInANamespace() throws {
    let request = try decode(
      with:
        #""tools":[{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f"}]}]"#)
    #expect(request.ask.conversation.tools.functions.map(\.name) == ["n__f"])
    #expect(request.namespaced["n__f"] == ToolFields.NamespacedName(namespace: "n", name: "f"))
    #expect(request.echoed["tools"]?.arrayValue?.map { $0["name"] ?? .null } == ["n"])
    for (tools, param) in [
      (#"{"type":"namespace","tools":[]}"#, "tools[0].name"),
      (#"{"type":"namespace","name":"n"}"#, "tools[0].tools"),
      (#"{"type":"namespace","name":"n","tools":[{"type":"custom"}]}"#, "tools[0].tools[0].type"),
    ] {
      #expect(refusal { try decode(with: "\"tools\":[\(tools)]") }?.param == param)
    }
    let call = #"[{"type":"function_call","call_id":"c","namespace":"n","name":"f"}]"#
    let items = try ResponseInput.read(FieldReader(try JSONValue(parsing: call), path: "input"))
    guard case .call(let read)? = items.first else {
      Issue.record("no call")
      return
    }
    #expect(read.name == "n__f")
  }

  private static let others = [
    "mcp", "file_search", "code_interpreter", "image_generation", "computer", "computer_use_preview", "shell",
    "local_shell", "apply_patch", "custom", "tool_search",
  ]

  @Test(arguments: others)
  func refusesToolsThatNobodyRuns(_ type: String) throws {
    let tools = #""tools":[{"type":"function","name":"f"},{"type":"\#(type)","name":"x"}]"#
    let error = try #require(refusal { try decode(with: tools) }, "accepted")
    #expect(error.status == 400 && error.param == "tools[1].type" && error.code == "unsupported_tool")
    // Another Codex offers its own to every model.
    let request = try decode(with: tools, Self.codex)
    #expect(request.ask.conversation.tools.functions.map(\.name) == ["f"])
    #expect(request.ask.ignored == ["tools[1]"])
    #expect(request.echoed["tools"]?.arrayValue?.count == 1)
  }

  @Test(arguments: ["web_search", "web_search_preview", "web_search_2025_08_26", "web_search_preview_2025_03_11"])
  func webSearchIsAskedFor(_ type: String) throws {
    let request = try decode(with: #""tools":[{"type":"\#(type)","search_context_size":"low"}]"#)
    #expect(request.ask.webSearchFields == ["tools[0]"] && request.ask.conversation.tools.functions.isEmpty)
    #expect(request.echoed["tools"]?.arrayValue?.first?["type"] == .string(type))
  }

  @Test(
    arguments: [
      (#""auto""#, .auto), (#""none""#, .none), (#""required""#, .required),
      (#"{"type":"function","name":"f"}"#, .named("f")),
      (#"{"type":"function","function":{"name":"f"}}"#, .named("f")),
      (#"{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}"#, .required),
    ] as [(String, Conversation.ToolChoice)])
  func takesEveryChoice(_ choice: String, _ expected: Conversation.ToolChoice) throws {
    let tools =
      #""tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}],"tool_choice":\#(choice)"#
    #expect(try decode(with: tools).ask.conversation.tools.choice == expected)
  }

  // MARK: Messages of a WebSocket

  @Test func aMessageHasAType() throws {
    let request = try decode(#"{"type":"response.create","input":"hi","stream":false}"#, Self.message)
    #expect(request.ask.isStreamed && request.generates)
    #expect(try !decode(#"{"type":"response.create","input":"hi","generate":false}"#, Self.message).generates)
    for (body, param) in [
      (#"{"input":"hi"}"#, "type"), (#"{"type":"session.update","input":"hi"}"#, "type"),
      (#"{"type":5,"input":"hi"}"#, "type"),
      (#"{"type":"response.create","input":"hi","generate":1}"#, "generate"),
    ] {
      #expect(refusal { try decode(body, Self.message) }?.param == param)
    }
    // Over HTTP both are members like any other.
    #expect(try decode(#"{"type":"x","input":"hi","generate":false}"#).generates)
  }

  @Test func whatWasSaidOnTheSocketComesBefore() throws {
    var request = try decode(
      #"{"type":"response.create","input":"two","instructions":"Be brief.","previous_response_id":"resp_1"}"#,
      Self.message)
    request.follow([.message(.user, [.text("one")]), .message(.assistant, [.text("1")])])
    #expect(
      request.ask.conversation.items == [
        .message(.developer, [.text("Be brief.")]), .message(.user, [.text("one")]),
        .message(.assistant, [.text("1")]), .message(.user, [.text("two")]),
      ])
    #expect(!request.ask.conversation.isContinuation)
  }

  // MARK: Conversations

  @Test func itemsOfAConversationComeBefore() throws {
    let objects = [#"{"type":"message","role":"user","content":"one"}"#, "no JSON", #"{"type":"reasoning"}"#]
    var request = try decode(with: #""conversation":"conv_1""#)
    try request.join("conv_1", objects, isWhole: false)
    #expect(request.ask.sessions == [Ask.SessionName(id: "conv_1", field: "conversation")])
    #expect(request.ask.conversation.items.map { $0.parts } == [[.text("one")], [.text("hi")]])
    #expect(request.ask.conversation.isContinuation && !request.ask.startsAnew)
    var whole = try decode(with: #""conversation":"conv_1""#)
    try whole.join("conv_1", objects, isWhole: true)
    #expect(!whole.ask.conversation.isContinuation && whole.ask.startsAnew)
    var empty = try decode(with: #""conversation":"conv_1""#)
    try empty.join("conv_1", [], isWhole: false)
    #expect(empty.ask.conversation.items.count == 1 && empty.ask.conversation.isContinuation)
  }
}
