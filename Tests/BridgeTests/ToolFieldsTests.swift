// What a request says of functions, in all the forms in which clients say it.

import Testing

@testable import Bridge

struct ToolFieldsTests {
  private func read(_ members: String) throws(APIError) -> ToolFields {
    guard let value = try? JSONValue(parsing: "{\(members)}") else { throw .invalid("no JSON in the test") }
    return try ToolFields(FieldReader(value))
  }

  private func refusal(_ members: String) -> APIError? {
    do throws(APIError) {
      _ = try read(members)
      return nil
    } catch {
      return error
    }
  }

  private static let nested =
    #"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}"#
  private static let flat = #"{"type":"function","name":"f","description":"d","parameters":{"type":"object"}}"#

  @Test(arguments: [nested, flat])
  func readsBothForms(_ tool: String) throws {
    let tools = try read("\"tools\":[\(tool)]").tools
    #expect(tools.functions == [Conversation.Tool(name: "f", description: "d", parameters: ["type": "object"])])
    #expect(tools.choice == .auto && tools.isParallel)
    #expect(tools.offered == tools.functions)
  }

  @Test func readsTheOlderForm() throws {
    let fields = try read(#""functions":[{"name":"f"},{"name":"g"}],"function_call":{"name":"g"}"#)
    #expect(fields.isLegacy && !fields.tools.isParallel)
    #expect(fields.tools.functions.map(\.name) == ["f", "g"])
    #expect(fields.tools.choice == .named("g"))
  }

  @Test func prefersTheNewerForm() throws {
    let fields = try read("\"tools\":[\(Self.nested)],\"functions\":[{\"name\":\"g\"}]")
    #expect(!fields.isLegacy && fields.tools.functions.map(\.name) == ["f"])
    #expect(fields.ignored == ["functions"])
  }

  @Test(arguments: [#""tools":[]"#, #""tools":null"#, #""functions":[]"#, ""])
  func nothingIsNoTools(_ members: String) throws {
    let fields = try read(members)
    #expect(fields.tools == Conversation.Tools() && !fields.isLegacy)
  }

  @Test func aSchemaMayBeLeftOut() throws {
    let schemas = try read(
      #""tools":[{"function":{"name":"a"}},{"function":{"name":"b","parameters":{"properties":{}}}},"#
        + #"{"function":{"name":"c","parameters":{"type":["object","null"]}}}]"#
    ).tools.functions.map(\.parameters)
    #expect(schemas.allSatisfy { $0["type"] == "object" })
  }

  @Test(arguments: [
    ("auto", Conversation.ToolChoice.auto), ("none", .none), ("required", .required), ("any", .required),
  ])
  func readsAChoiceByWord(_ word: String, _ choice: Conversation.ToolChoice) throws {
    #expect(try read("\"tools\":[\(Self.nested)],\"tool_choice\":\"\(word)\"").tools.choice == choice)
  }

  @Test(arguments: [#"{"type":"function","function":{"name":"f"}}"#, #"{"type":"function","name":"f"}"#])
  func readsAChoiceByName(_ choice: String) throws {
    #expect(try read("\"tools\":[\(Self.nested)],\"tool_choice\":\(choice)").tools.choice == .named("f"))
  }

  @Test func aChoiceMayAllowSome() throws {
    let tools = try read(
      #""tools":[{"function":{"name":"a"}},{"function":{"name":"b"}}],"tool_choice":{"type":"allowed_tools","#
        + #""allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"b"}}]}}"#
    ).tools
    #expect(tools.functions.map(\.name) == ["b"] && tools.choice == .required)
  }

  @Test func noneOffersNothing() throws {
    let tools = try read("\"tools\":[\(Self.nested)],\"tool_choice\":\"none\"").tools
    #expect(tools.offered.isEmpty && tools.functions.count == 1)
  }

  @Test func webSearchIsAskedForInTwoWays() throws {
    let fields = try read(#""tools":[{"type":"web_search_preview"}],"web_search_options":{}"#)
    #expect(fields.webSearchFields == ["tools[0]", "web_search_options"])
    #expect(fields.tools.functions.isEmpty)
  }

  @Test(arguments: [
    (#""tools":[{"type":"code_interpreter"}]"#, "tools[0].type"),
    (#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
    (#""tools":[{"type":"function","function":{"name":""}}]"#, "tools[0].function.name"),
    (#""tools":[{"function":{"name":"f"}},{"function":{"name":"f"}}]"#, "tools[1].function.name"),
    (#""tools":[{"function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
    (#""tools":[{"function":{"name":"f","parameters":{"type":"string"}}}]"#, "tools[0].function.parameters"),
    (#""tools":[{"function":{"name":"f","strict":1}}]"#, "tools[0].function.strict"),
    (#""tools":{}"#, "tools"), (#""functions":5"#, "functions"), (#""tools":[5]"#, "tools[0]"),
    (#""tool_choice":"required""#, "tool_choice"), (#""tool_choice":"always""#, "tool_choice"),
    (#""tool_choice":{"type":"function","name":"f"}"#, "tool_choice.name"),
    (#""function_call":{"name":"f"}"#, "function_call.name"),
    (#""parallel_tool_calls":"no""#, "parallel_tool_calls"),
  ])
  func refusesByName(_ members: String, _ param: String) throws {
    let error = try #require(refusal(members), "accepted")
    #expect(error.status == 400 && error.param == param)
  }

  /// Names, descriptions and schemas count, and the tools together.
  @Test(arguments: ["tools", "functions"])
  func theirSizeIsBounded(_ field: String) throws {
    let long = String(repeating: "x", count: 255 << 10)
    let tools = { (count: Int) in
      (0..<count).map {
        #"{"name":"f\#($0)","description":"\#(long)","parameters":{"type":"object","title":"\#(long)"}}"#
      }.joined(separator: ",")
    }
    #expect(try read("\"\(field)\":[\(tools(4))]").tools.functions.count == 4)
    #expect(refusal("\"\(field)\":[\(tools(5))]")?.param == field)
  }

  @Test func countsAreBounded() {
    let many = Array(repeating: "{}", count: ToolFields.maxTools + 1).joined(separator: ",")
    #expect(refusal("\"tools\":[\(many)]")?.param == "tools")
  }

  // MARK: Histories

  private func chat(_ messages: String) throws(APIError) -> Ask {
    guard let value = try? JSONValue(parsing: "{\"messages\":[\(messages)]}") else { throw .invalid("no JSON") }
    return try ChatRequest(value, userIsSession: false).ask
  }

  private static let asked = #"{"role":"user","content":"hi"},"#
  private static let called =
    #"{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}},"#
    + #"{"id":"2","function":{"name":"g","arguments":"{}"}}]},"#

  @Test func outputsMayComeInAnyOrder() throws {
    let ask = try chat(
      Self.asked + Self.called + #"{"role":"tool","tool_call_id":"2","content":"b"},"#
        + #"{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"a"}]}"#)
    #expect(ask.conversation.newOutputs.map(\.callID) == ["2", "1"])
    #expect(ask.said.count == 3)
  }

  @Test(arguments: [
    #"{"role":"tool","tool_call_id":"1","content":"a"}"#,
    #"{"role":"tool","tool_call_id":"1","content":"a"},{"role":"assistant","content":"x"}"#,
    #"{"role":"user","content":"go on"}"#,
  ])
  func anOutputMustNotBeMissing(_ rest: String) throws {
    do throws(APIError) {
      _ = try chat(Self.asked + Self.called + rest)
      Issue.record("accepted")
    } catch {
      #expect(error.status == 400 && error.param == "messages[1]")
    }
  }

  @Test func theOlderFormNamesFunctions() throws {
    let conversation = try chat(
      Self.asked + #"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},"#
        + #"{"role":"function","name":"f","content":"a"}"#
    ).conversation
    #expect(conversation.items[2].callID == conversation.items[3].outputID)
    #expect(conversation.newOutputs.first?.functionName == "f")
  }
}
