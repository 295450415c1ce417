// The items of a response request in all the forms in which clients send them, and how they are listed (responses.md §1).

import Testing

@testable import Bridge

struct ResponseInputTests {
  private func read(_ input: String) throws -> [ResponseInput] {
    try ResponseInput.read(FieldReader(try JSONValue(parsing: input), path: "input"))
  }

  private func items(_ items: String, _ check: [ResponseInput].Check = .nothing) throws -> [Conversation.Item] {
    try read("[\(items)]").items(checking: check)
  }

  private func refusal(_ body: () throws -> some Any) -> APIError? {
    do {
      _ = try body()
      return nil
    } catch {
      return error as? APIError
    }
  }

  private static let call = #"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#
  private static let output = #"{"type":"function_call_output","call_id":"c1","output":"42"}"#

  // MARK: Messages

  @Test(arguments: [#""hi""#, #"["hi"]"#, #"[{"role":"user","content":"hi"}]"#])
  func takesATextInEveryPlace(_ input: String) throws {
    #expect(try read(input).items(checking: .both) == [.message(.user, [.text("hi")])])
  }

  @Test(
    arguments: [
      ("system", .developer), ("developer", .developer), ("user", .user), ("assistant", .assistant),
    ] as [(String, Conversation.Role)])
  func knowsItsRoles(_ name: String, _ role: Conversation.Role) throws {
    for type in ["", #""type":"message","#, #""type":null,"#] {
      #expect(try items(#"{\#(type)"role":"\#(name)","content":"a"}"#) == [.message(role, [.text("a")])])
    }
  }

  /// Q3: what the bridge has sent comes back as it was, or with less.
  @Test(arguments: [
    #"{"id":"msg_1","type":"message","status":"completed","role":"assistant","phase":"final_answer","content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]}]}"#,
    #"{"role":"assistant","content":[{"type":"output_text","text":"a"}]}"#,
    #"{"role":"assistant","content":"a","name":"x","unknown":{}}"#,
    #"{"role":"assistant","content":[{"type":"refusal","refusal":"a"}]}"#,
    #"{"role":"assistant","content":[{"type":"text","text":"a"}]}"#,
  ])
  func takesAnEarlierAnswer(_ item: String) throws {
    #expect(try items(item) == [.message(.assistant, [.text("a")])])
  }

  @Test(
    arguments: [
      (#""a""#, [.text("a")]), ("\"\"", []), ("[]", []), ("null", []), (#"["a","b"]"#, [.text("a"), .text("b")]),
      (#"[{"type":"input_text","text":"a"}]"#, [.text("a")]),
      (
        #"[{"type":"input_image","image_url":"data:x","detail":"low"}]"#,
        [.image(url: "data:x", field: "input[0].content[0].image_url")]
      ),
      (
        #"[{"type":"input_image","image_url":{"url":"data:x"}}]"#,
        [.image(url: "data:x", field: "input[0].content[0].image_url.url")]
      ),
      (
        #"[{"type":"image_url","image_url":{"url":"http://x"}}]"#,
        [.image(url: "http://x", field: "input[0].content[0].image_url.url")]
      ),
    ] as [(String, [Conversation.Part])])
  func takesContentInAllShapes(_ content: String, _ parts: [Conversation.Part]) throws {
    #expect(try items(#"{"role":"user","content":\#(content)}"#).first?.parts == parts)
  }

  // MARK: Files

  private func part(_ part: String) throws -> Conversation.Part? {
    try items(#"{"role":"user","content":[\#(part)]}"#).first?.parts.first
  }

  /// The text is "a,b\n" with an é.
  @Test(arguments: [
    "data:text/plain;base64,w6ksYgo=", "data:text/csv;charset=utf-8;base64,w6ksYgo=",
    "DATA:Text/Plain;BASE64,w6ksYgo=",
    "data:application/json;base64,w6ksYgo=", "data:application/ld+json;base64,w6ksYgo=",
    "data:image/svg+xml;base64,w6ksYgo=", "data:application/octet-stream;base64,w6ksYgo=", "data:;base64,w6ksYgo=",
    "w6ksYgo=",
  ])
  func aTextFileIsText(_ data: String) throws {
    for part in [
      #"{"type":"input_file","filename":"a.txt","file_data":"\#(data)"}"#,
      #"{"type":"file","file":{"filename":"a.txt","file_data":"\#(data)"}}"#,
    ] {
      #expect(try self.part(part) == .text("Contents of the file a.txt:\né,b\n"))
    }
  }

  @Test func aFileMayHaveAStrangeNameOrNone() throws {
    #expect(try part(#"{"type":"input_file","file_data":"YQ=="}"#) == .text("Contents of the file file:\na"))
    #expect(
      try part(#"{"type":"input_file","filename":"a\nb","file_data":"YQ=="}"#)
        == .text("Contents of the file a\\nb:\na"))
    #expect(
      try part(#"{"type":"input_file","filename":"e","file_data":""}"#) == .text("Contents of the file e:\n"))
  }

  @Test(
    arguments: [
      (#""file_data":"data:application/pdf;base64,JVBERg==""#, "input[0].content[0]", "unsupported_file"),
      (#""file_data":"data:image/png;base64,iVBORw==""#, "input[0].content[0]", "unsupported_file"),
      (#""file_data":"data:;base64,AAEC""#, "input[0].content[0]", "unsupported_file"),
      (#""file_data":"data:text/plain;base64,/w==""#, "input[0].content[0]", "unsupported_file"),
      (#""file_id":"file_1""#, "input[0].content[0]", "unsupported_file"),
      (#""file_url":"https://x/a.txt""#, "input[0].content[0]", "unsupported_file"),
      (#""filename":"a.txt""#, "input[0].content[0]", "unsupported_file"),
      (#""file_data":null,"file_id":"f""#, "input[0].content[0]", "unsupported_file"),
      (#""file_data":"data:text/plain,hi""#, "input[0].content[0].file_data", nil),
      (#""file_data":"data:text/plain;base64,?""#, "input[0].content[0].file_data", nil),
      (#""file_data":"not base64!""#, "input[0].content[0].file_data", nil),
      (#""file_data":5"#, "input[0].content[0].file_data", nil),
      (#""filename":5,"file_data":"YQ==""#, "input[0].content[0].filename", nil),
    ] as [(String, String, String?)])
  func refusesOtherFilesByName(_ members: String, _ param: String, _ code: String?) throws {
    let error = try #require(refusal { try part(#"{"type":"input_file",\#(members)}"#) }, "accepted")
    #expect(error.status == 400 && error.param == param && error.code == code)
  }

  @Test func anImageWithoutItsBytesIsRefused() {
    let error = refusal { try part(#"{"type":"input_image","file_id":"file_1"}"#) }
    #expect(error?.param == "input[0].content[0]" && error?.code == "unsupported_file")
  }

  // MARK: Calls

  @Test(arguments: [
    #"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#,
    #"{"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"f","arguments":"{}","namespace":null}"#,
    #"{"type":"function_call","call_id":"c1","name":"f","arguments":null}"#,
    #"{"type":"function_call","call_id":"c1","name":"f"}"#,
  ])
  func takesACall(_ item: String) throws {
    let call = Conversation.ToolCall(id: "c1", name: "f", arguments: "{}")
    // As in chats, where the assistant's message carries its calls.
    #expect(try items(item) == [.message(.assistant, []), .toolCall(call)])
    let said = #"{"role":"assistant","content":"a"},"# + item
    #expect(try items(said) == [.message(.assistant, [.text("a")]), .toolCall(call)])
    let second = #",{"type":"function_call","call_id":"c2","name":"g","arguments":"1"}"#
    #expect(try items(item + second).count == 3)
  }

  /// Q4.
  @Test(
    arguments: [
      (#""42""#, [.text("42")]), (#""""#, []), ("null", []), ("[]", []),
      (#"[{"type":"input_text","text":"42"}]"#, [.text("42")]),
      (
        #"[{"type":"input_image","image_url":"data:x"}]"#,
        [.image(url: "data:x", field: "input[0].output[0].image_url")]
      ),
      (
        #"[{"type":"input_file","filename":"a","file_data":"YQ=="}]"#, [.text("Contents of the file a:\na")]
      ),
    ] as [(String, [Conversation.Part])])
  func takesAnOutputInAllShapes(_ output: String, _ parts: [Conversation.Part]) throws {
    #expect(
      try items(#"{"type":"function_call_output","call_id":"c1","output":\#(output)}"#) == [
        .toolOutput(Conversation.ToolOutput(callID: "c1", parts: parts))
      ])
  }

  @Test func everyCallHasItsOutputAndEveryOutputItsCall() throws {
    #expect(try items(Self.call + "," + Self.output, .both).count == 3)
    // In whatever order outputs come.
    let second = #"{"type":"function_call","call_id":"c2","name":"f"}"#
    let outputs = #"{"type":"function_call_output","call_id":"c2","output":""},"# + Self.output
    #expect(try items([Self.call, second, outputs].joined(separator: ","), .both).count == 5)
    let open = try #require(refusal { try items(Self.call, .both) })
    #expect(open.status == 400 && open.param == "input" && open.message.contains("No tool output found"))
    #expect(open.message.contains("c1"))
    let alone = try #require(refusal { try items(Self.output, .both) })
    #expect(alone.status == 400 && alone.param == "input" && alone.message.contains("No tool call found"))
    let before = try #require(refusal { try items(Self.output + "," + Self.call, .both) })
    #expect(before.message.contains("No tool call found"))
    // The call may have been said before.
    #expect(try items(Self.output, .calls).count == 1)
    #expect(refusal { try items(Self.call, .calls) } != nil)
    #expect(try items(Self.call, .nothing).count == 2)
  }

  // MARK: Other items

  /// Q5, Q6: Codex itself drops what it does not know.
  @Test(arguments: [
    #"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"x"}"#,
    #"{"type":"mcp_call","id":"mcp_1","server_label":"codex","name":"x","arguments":"{}","output":"y"}"#,
    #"{"type":"web_search_call","id":"ws_1","status":"completed","action":{}}"#,
    #"{"type":"compaction","id":"cmp_1","encrypted_content":"x"}"#, #"{"type":"custom_tool_call","call_id":"c"}"#,
    #"{"type":"something_new"}"#, #"{"type":""}"#,
  ])
  func dropsWhatSaysNothingToTheModel(_ item: String) throws {
    #expect(try items(item + #","hi""#, .both) == [.message(.user, [.text("hi")])])
  }

  @Test(arguments: [
    #"{"type":"item_reference","id":"msg_1"}"#, #"{"id":"msg_1"}"#, #"{"type":null,"id":"msg_1"}"#,
  ])
  func knowsReferences(_ item: String) throws {
    let request = try ResponseRequest(
      try JSONValue(parsing: #"{"input":["a",\#(item)]}"#), ResponseRequest.Context())
    #expect(request.references.map(\.id) == ["msg_1"] && request.references.map(\.path) == ["input[1]"])
    // Nothing is asked until it is known what it stands for.
    #expect(request.ask.conversation.items == [])
    var resolved = request
    try resolved.setInput([.message(Conversation.Message(role: .user, parts: [.text("a")]))])
    #expect(resolved.ask.conversation.items.count == 1)
  }

  @Test(arguments: [
    ("5", "input[0]"), ("null", "input[0]"), ("[]", "input[0]"), ("true", "input[0]"), ("{}", "input[0].role"),
    (#"{"type":5}"#, "input[0].type"), (#"{"type":"message"}"#, "input[0].role"),
    (#"{"role":5,"content":"a"}"#, "input[0].role"), (#"{"role":"robot","content":"a"}"#, "input[0].role"),
    (#"{"role":"tool","content":"a"}"#, "input[0].role"), (#"{"role":"user","content":5}"#, "input[0].content"),
    (#"{"role":"user","content":{}}"#, "input[0].content"),
    (#"{"role":"user","content":[5]}"#, "input[0].content[0]"),
    (#"{"role":"user","content":[{}]}"#, "input[0].content[0].type"),
    (#"{"role":"user","content":[{"type":"input_audio"}]}"#, "input[0].content[0].type"),
    (#"{"role":"user","content":[{"type":"input_video"}]}"#, "input[0].content[0].type"),
    (#"{"role":"user","content":[{"type":"input_text"}]}"#, "input[0].content[0].text"),
    (#"{"role":"user","content":[{"type":"input_text","text":5}]}"#, "input[0].content[0].text"),
    (#"{"role":"user","content":[{"type":"input_image"}]}"#, "input[0].content[0].image_url"),
    (#"{"role":"user","content":[{"type":"input_image","image_url":5}]}"#, "input[0].content[0].image_url"),
    (#"{"type":"function_call"}"#, "input[0].call_id"),
    (#"{"type":"function_call","call_id":5}"#, "input[0].call_id"),
    (#"{"type":"function_call","call_id":"c"}"#, "input[0].name"),
    (#"{"type":"function_call","call_id":"c","name":"f","arguments":{}}"#, "input[0].arguments"),
    (#"{"type":"function_call_output","output":"a"}"#, "input[0].call_id"),
    (#"{"type":"function_call_output","call_id":"c","output":5}"#, "input[0].output"),
    (#"{"type":"function_call_output","call_id":"c","output":{}}"#, "input[0].output"),
    (#"{"type":"function_call_output","call_id":"c","output":[{"type":"x"}]}"#, "input[0].output[0].type"),
    (#"{"type":"item_reference"}"#, "input[0].id"), (#"{"type":"item_reference","id":5}"#, "input[0].id"),
  ])
  func refusesBrokenItemsByName(_ item: String, _ param: String) throws {
    let error = try #require(refusal { try items(item) }, "accepted")
    #expect(error.status == 400 && error.type == "invalid_request_error" && error.param == param)
  }

  // MARK: Limits

  @Test func thereIsALimitToEverything() {
    let many = { (count: Int, item: String) in Array(repeating: item, count: count).joined(separator: ",") }
    #expect(refusal { try items(many(ResponseInput.maxItems, "\"a\"")) } == nil)
    #expect(refusal { try items(many(ResponseInput.maxItems + 1, "\"a\"")) }?.param == "input")
    let parts = #"{"role":"user","content":[\#(many(4096, "\"a\""))]}"#
    #expect(refusal { try items(parts + "," + parts) } == nil)
    let one = #"{"role":"user","content":["a"]}"#
    #expect(refusal { try items([parts, parts, one].joined(separator: ",")) }?.param == "input[2].content")
    let long = { (count: Int) in String(repeating: "x", count: count) }
    #expect(refusal { try items(#"{"type":"function_call","call_id":"\#(long(32768))","name":"f"}"#) } == nil)
    #expect(
      refusal { try items(#"{"type":"function_call","call_id":"\#(long(32769))","name":"f"}"#) }?.param
        == "input[0].call_id")
    #expect(refusal { try items(#"{"type":"item_reference","id":"\#(long(257))"}"#) }?.param == "input[0].id")
    #expect(refusal { try items(#"{"type":"\#(long(257))"}"#) }?.param == "input[0].type")
  }

  // MARK: As they are listed

  @Test func itemsAreListedUnderIdsOfOurs() throws {
    let given = #"""
      {"role":"system","content":"Be brief."},{"role":"user","content":["a",{"type":"input_image",
      "image_url":"data:image/png;base64,AA=="},{"type":"input_image","image_url":"https://x/y"}]},
      {"role":"assistant","content":"b"},\#(Self.call),\#(Self.output),
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_image","image_url":"data:x"}]}
      """#
    let read = try items(given)
    let objects = ResponseInput.objects(read, ResponseIDs("resp_x"), leavesImagesOut: false)
    #expect(
      objects.map(\.object) == [
        [
          "id": "msg_xin0", "type": "message", "status": "completed", "role": "developer",
          "content": [["type": "input_text", "text": "Be brief."]],
        ],
        [
          "id": "msg_xin1", "type": "message", "status": "completed", "role": "user",
          "content": [
            ["type": "input_text", "text": "a"],
            ["type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AA=="],
            ["type": "input_image", "detail": "auto", "image_url": "https://x/y"],
          ],
        ],
        [
          "id": "msg_xin2", "type": "message", "status": "completed", "role": "assistant",
          "content": [["type": "output_text", "text": "b", "annotations": [], "logprobs": []]],
        ],
        [
          "id": "fc_xin3", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f",
          "arguments": "{}",
        ],
        [
          "id": "fco_xin4", "type": "function_call_output", "status": "completed", "call_id": "c1", "output": "42",
        ],
        [
          "id": "fco_xin5", "type": "function_call_output", "status": "completed", "call_id": "c2",
          "output": [["type": "input_image", "detail": "auto", "image_url": "data:x"]],
        ],
      ])
    #expect(objects.map(\.id) == objects.compactMap { $0.object["id"]?.stringValue })
    let short = ResponseInput.objects(read, ResponseIDs("resp_x"), leavesImagesOut: true)
    let images = short[1].object["content"]?.arrayValue?.dropFirst().map { $0["image_url"] ?? "" }
    #expect(images == [.null, "https://x/y"])
  }

  /// What is listed is read again where a thread cannot go on.
  @Test func whatIsListedSaysTheSame() throws {
    let read = try items(
      #"{"role":"system","content":"Be brief."},{"role":"user","content":["a","b"]},\#(Self.call),\#(Self.output)"#
    )
    let objects = ResponseInput.objects(read, ResponseIDs("resp_x"), leavesImagesOut: false).map(\.object.jsonText)
    #expect(try items(objects.joined(separator: ",")) == read)
  }

  /// What was left out is no image, and no reason to refuse what goes on from there.
  @Test func aListedItemWhoseImageWasLeftOutIsReadAgain() throws {
    let read = try items(
      #"{"role":"user","content":["a",{"type":"input_image","image_url":"data:image/png;base64,AA=="}]}"#)
    let object = try #require(
      ResponseInput.objects(read, ResponseIDs("resp_x"), leavesImagesOut: true).first?.object.jsonText)
    #expect(try items(object) == [.message(.user, [.text("a")])])
  }
}
