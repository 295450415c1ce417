// Calls of the client's functions as scripts of facts and actions.

import Testing

@testable import Bridge

struct ClientCallsTests {
  private static let tools = Conversation.Tools(
    functions: ["f", "g"].map { Conversation.Tool(name: $0, parameters: [:]) })

  private static func item(_ id: String, _ name: String = "f") -> JSONValue {
    [
      "type": "function_call", "namespace": "client", "call_id": .string(id), "name": .string(name),
      "arguments": "{ }",
    ]
  }

  private static func request(_ id: String, _ name: String = "f") -> JSONValue {
    ["callId": .string(id), "tool": .string(name), "arguments": ["a": 1]]
  }

  private static func call(_ id: String, _ name: String = "f", arguments: String = "{ }") -> Conversation.ToolCall
  {
    Conversation.ToolCall(id: id, name: name, arguments: arguments)
  }

  private static func output(_ id: String) -> Conversation.ToolOutput {
    Conversation.ToolOutput(callID: id, parts: [.text("out \(id)")])
  }

  private static func reply(
    _ ids: String..., offered: [String] = ["f", "g"], isParallel: Bool = true
  ) -> ToolReply {
    ToolReply(outputs: ids.map(output), offered: offered, isParallel: isParallel)
  }

  @Test func handsOutAllCallsOfAResponseAtOnce() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    // Codex may ask for the first before the second is known.
    #expect(calls.asked(10, Self.request("1")) == [])
    calls.called(Self.item("2", "g"))
    #expect(calls.responded() == [.handOut([Self.call("1"), Self.call("2", "g")])])
    #expect(calls.returned(Self.reply("2", "1")) == [.answer(request: 10, Self.output("1"))])
    #expect(calls.asked(11, Self.request("2", "g")) == [.answer(request: 11, Self.output("2"))])
  }

  @Test func aCommandOfCodexMayRunBeforeItAsks() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    #expect(calls.responded() == [.handOut([Self.call("1")])])
    #expect(calls.returned(Self.reply("1")) == [])
    #expect(calls.asked(10, Self.request("1")) == [.answer(request: 10, Self.output("1"))])
  }

  @Test func handsOutOneByOneWhereNoItemsAreTold() {
    var calls = ClientCalls(Self.tools)
    #expect(calls.asked(10, Self.request("1")) == [.handOut([Self.call("1", arguments: #"{"a":1}"#)])])
    #expect(calls.returned(Self.reply("1")) == [.answer(request: 10, Self.output("1"))])
    #expect(calls.asked(11, Self.request("2")) == [.handOut([Self.call("2", arguments: #"{"a":1}"#)])])
  }

  @Test func handsOutOneByOneForWhomWantsThat() {
    var tools = Self.tools
    tools.isParallel = false
    var calls = ClientCalls(tools)
    calls.responding()
    calls.called(Self.item("1"))
    calls.called(Self.item("2"))
    #expect(calls.responded() == [])
    #expect(calls.asked(10, Self.request("2")) == [.handOut([Self.call("2")])])
    let reply = Self.reply("2", isParallel: false)
    #expect(calls.returned(reply) == [.answer(request: 10, Self.output("2"))])
    #expect(calls.asked(11, Self.request("1")) == [.handOut([Self.call("1")])])
  }

  @Test func whatIsNotOfferedIsRefused() {
    var tools = Self.tools
    tools.choice = .none
    var calls = ClientCalls(tools)
    calls.responding()
    calls.called(Self.item("1"))
    #expect(calls.responded() == [])
    #expect(calls.asked(10, Self.request("1")) == [.refuse(request: 10, name: "f")])
    #expect(calls.asked(11, [:]) == [.refuse(request: 11, name: "")])
  }

  @Test func fewerMayBeOfferedLater() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    _ = calls.responded()
    _ = calls.returned(Self.reply("1", offered: ["f"]))
    calls.responding()
    calls.called(Self.item("2", "g"))
    #expect(calls.responded() == [])
    #expect(calls.asked(12, Self.request("2", "g")) == [.refuse(request: 12, name: "g")])
  }

  @Test func whatTheClientDidNotReturnIsRefused() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    calls.called(Self.item("2"))
    #expect(calls.asked(10, Self.request("2")) == [])
    _ = calls.responded()
    #expect(calls.returned(Self.reply("1")) == [.refuse(request: 10, name: "f")])
    #expect(calls.asked(11, Self.request("1")) == [.answer(request: 11, Self.output("1"))])
  }

  @Test func anIdThatComesTwiceIsOneCall() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    calls.called(Self.item("1", "g"))
    #expect(calls.responded() == [.handOut([Self.call("1")])])
  }

  /// Thousands of calls are found by their ids.
  @Test func aResponseMayHaveManyCalls() {
    let ids = (0..<20_000).map { "call_\($0)" }
    var calls = ClientCalls(Self.tools)
    calls.responding()
    for id in ids + ids.reversed() { calls.called(Self.item(id)) }
    #expect(calls.responded() == [.handOut(ids.map { Self.call($0) })])
    let reply = ToolReply(outputs: ids.reversed().map(Self.output), offered: ["f"])
    #expect(calls.returned(reply) == [])
    for id in ids {
      #expect(calls.asked(.string(id), Self.request(id)) == [.answer(request: .string(id), Self.output(id))])
    }
  }

  /// Some models number their calls anew in each response.
  @Test func anIdOfAnEarlierRoundIsAnotherCall() {
    var calls = ClientCalls(Self.tools)
    for round in 0..<2 {
      calls.responding()
      calls.called(Self.item("0"))
      #expect(calls.asked(.int(round), Self.request("0")) == [], "round \(round)")
      #expect(calls.responded() == [.handOut([Self.call("0")])])
      #expect(calls.returned(Self.reply("0")) == [.answer(request: .int(round), Self.output("0"))])
    }
  }

  /// Codex tells nothing of a response that breaks while it waits for an output.
  @Test func aResponseThatStandsStillHandsOutWhatIsKnown() {
    var calls = ClientCalls(Self.tools)
    calls.responding()
    calls.called(Self.item("1"))
    #expect(calls.responseIsSilent() == [])
    #expect(calls.asked(10, Self.request("1")) == [])
    #expect(calls.responseIsSilent() == [.handOut([Self.call("1")])])
    #expect(calls.responseIsSilent() == [])
    // It was only slow.
    calls.called(Self.item("2"))
    #expect(calls.responded() == [])
    #expect(
      calls.returned(Self.reply("1")) == [.answer(request: 10, Self.output("1")), .handOut([Self.call("2")])])
  }

  // MARK: Names

  @Test(arguments: ["get_weather", "a", String(repeating: "a", count: 128), "A-1"])
  func namesThatCodexTakesStay(_ name: String) { #expect(ToolNames.alias(of: name) == name) }

  @Test(arguments: ["", "get weather", "天気", "a.b", "a/b", String(repeating: "a", count: 129)])
  func otherNamesAreMappedAndMappedBack(_ name: String) {
    let alias = ToolNames.alias(of: name)
    #expect(alias.utf8.count <= 128 && ToolNames.alias(of: alias) == alias)
    #expect(ToolNames([name, "x"]).original(alias) == name)
    #expect(ToolNames.alias(of: name + "!") != alias)
  }

  // MARK: Tool sets

  @Test func aThreadHasWhatItWasMadeWith() {
    let tool = { (name: String, text: String) in
      Conversation.Tool(name: name, description: text, parameters: ["type": "object"])
    }
    let set = ToolSet([tool("f", "a"), tool("g", "b")])
    #expect(set.includes(ToolSet([tool("g", "b"), tool("f", "a")])))
    #expect(set.includes(ToolSet([tool("f", "a")])) && set.includes(ToolSet([])))
    #expect(!set.includes(ToolSet([tool("f", "changed")])) && !set.includes(ToolSet([tool("h", "a")])))
    let many = (0..<300).map { tool("f\($0)", "") }
    #expect(
      ToolSet(many).includes(ToolSet(many.reversed()))
        && !ToolSet(many).includes(ToolSet(Array(many.dropLast()))))
    #expect(ToolSet(text: set.text) == set)
  }

  // MARK: Recordings

  @Test func aRecordingLeavesOutWhatCodexAdds() throws {
    let prelude =
      #"{"type":"message","role":"developer","internal_chat_message_metadata_passthrough":{"content_item_kinds":["permissions.x"]}}"#
    let rules =
      #"{"type":"message","role":"user","internal_chat_message_metadata_passthrough":{"content_item_kinds":["agents_md.x"]}}"#
    let user =
      #"{"type":"message","role":"user","internal_chat_message_metadata_passthrough":{"content_item_kinds":["user.text"]}}"#
    let items = RecordedItems([prelude, rules, user, "no JSON"], outputs: []).items
    #expect(items == [try JSONValue(parsing: user)])
  }

  @Test func aCallWithoutOutputMayHaveRun() {
    let call = { (id: String, type: String) in #"{"type":"\#(type)","call_id":"\#(id)","name":"x"}"# }
    let items = RecordedItems(
      [
        call("1", "function_call"), #"{"type":"function_call_output","call_id":"1","output":"o"}"#,
        call("2", "custom_tool_call"), call("3", "function_call"),
      ], outputs: [Self.output("3")]
    ).items
    #expect(items.count == 5)
    #expect(items.last?["type"] == "custom_tool_call_output" && items.last?["call_id"] == "2")
  }

  @Test func aLongRecordingIsGivenUp() {
    var recording = TurnRecording()
    let item = String(repeating: "x", count: TurnRecording.maxBytes / 2)
    recording.add(item)
    recording.add(item)
    #expect(recording.isWhole && recording.items.count == 2)
    recording.add("x")
    recording.add("y")
    #expect(!recording.isWhole && recording.items.isEmpty)
  }
}
