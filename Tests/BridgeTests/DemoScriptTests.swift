// What the demo model is told to do, and what it makes of the tools that a request offers.

import Testing

@testable import Bridge

struct DemoScriptTests {
  private func rounds(_ line: String) -> [[DemoRound.Step]] { DemoScript(message: line).rounds.map(\.steps) }

  // MARK: The line

  @Test func aMessageWithoutAScriptIsAnsweredFriendly() {
    for message in ["", "hello", "a demo: say=x"] {
      #expect(rounds(message) == [[.friendly]])
      #expect(DemoScript(message: message).round(1) == .friendly, "what a tool gave is told in its words")
    }
  }

  @Test func theLastScriptOfAMessageCounts() {
    #expect(rounds("demo: say=a\n  demo: tokens=2 \nbye") == [[.tokens(2)]])
  }

  @Test func anEmptyScriptSaysOK() {
    let round = DemoScript(message: "demo:").round(0)
    #expect(round.steps.isEmpty && round.playedSteps == [.say("ok")] && round.delay == .zero)
  }

  @Test(
    arguments: [
      ("say=a call=b", [.say("a call=b")]),
      ("run=echo \"a\" 'b'", [.run("echo \"a\" 'b'")]),
      (#"say="a \"b\" c" tokens=1"#, [.say("a \"b\" c"), .tokens(1)]),
      (#"run="sleep 1" call=f"#, [.run("sleep 1"), .call(name: "f", arguments: nil)]),
      (#"say="no end"#, [.say("\"no end")]),
    ] as [(String, [DemoRound.Step])])
  func textTakesTheRestOfTheLineUnlessItIsAJSONString(_ words: String, _ steps: [DemoRound.Step]) {
    #expect(rounds("demo: \(words)") == [steps])
  }

  @Test(
    arguments: [
      ("f", nil), ("f:{}", .value([:])),
      (#"f:{"a":"} ] \" x","b":[1,{}]}"#, .value(["a": "} ] \" x", "b": [1, [:]]])),
      (#"f:"free text""#, .value("free text")), ("f:[1, 2]", .value([1, 2])),
      ("f:{broken", .unreadable("{broken")), (#"f:{"a":}"#, .unreadable(#"{"a":}"#)),
      ("f:nothing", .unreadable("nothing")),
    ] as [(String, DemoArguments?)])
  func argumentsAreJSONOrSentAsTheyAre(_ call: String, _ arguments: DemoArguments?) {
    #expect(rounds("demo: call=\(call) tokens=1") == [[.call(name: "f", arguments: arguments), .tokens(1)]])
  }

  @Test func stepsKeepTheirOrder() {
    let line = #"demo: say="Wait. " call=a run="ls" call=client/b:{"x":1} history outputs"#
    #expect(
      rounds(line) == [
        [
          .say("Wait. "), .call(name: "a", arguments: nil), .run("ls"),
          .call(name: "client/b", arguments: .value(["x": 1])), .history, .outputs,
        ]
      ])
  }

  // MARK: Rounds

  @Test func eachRoundHasItsSteps() {
    let script = DemoScript(message: "demo: call=a call=b round call=c round tokens=3")
    #expect(script.round(0).steps == [.call(name: "a", arguments: nil), .call(name: "b", arguments: nil)])
    #expect(script.round(1).steps == [.call(name: "c", arguments: nil)])
    #expect(script.round(2).steps == [.tokens(3)])
  }

  @Test(arguments: ["demo: call=a", "demo: call=a round", "demo: run=ls"])
  func afterTheLastCallItTellsWhatCameBack(_ line: String) {
    #expect(DemoScript(message: line).round(1).steps == [.outputs])
    #expect(DemoScript(message: line).round(7).steps == [.outputs])
  }

  @Test func aRoundKeepsThePaceButNotTheTrouble() {
    let script = DemoScript(
      message: "demo: delay=5 first=7 reasoning=2 id=x cut=1 status=500 fail=f once call=a round delay=6")
    let (first, second) = (script.round(0), script.round(1))
    #expect(first.delay == .milliseconds(5) && second.delay == .milliseconds(6))
    #expect(second.firstDelay == .milliseconds(7) && second.reasoningDeltas == 2 && second.id == "x")
    #expect(first.trouble.cutAfter == 1 && first.trouble.status == 500 && first.trouble.failure == "f")
    #expect(first.trouble.isOnce && second.trouble == DemoRound.Trouble())
    #expect(script.round(2).delay == .milliseconds(6), "the closing round goes on like the last")
  }

  @Test func hugeNumbersAreBounded() {
    let round = DemoScript(message: "demo: tokens=99999999 reasoning=99999999 delay=-5 first=x").round(0)
    #expect(round.steps == [.tokens(1_000_000)] && round.reasoningDeltas == 10_000)
    #expect(round.delay == .zero && round.firstDelay == .zero)
  }
}

struct DemoToolTests {
  private static let weather: JSONValue = [
    "type": "object", "properties": ["city": ["type": "string"], "unit": ["type": "string"]], "required": ["city"],
  ]
  private static let client: JSONValue = [
    "type": "namespace", "name": "client",
    "tools": [
      ["type": "function", "name": "get_weather", "parameters": weather],
      ["type": "function", "name": "get", "parameters": ["type": "object"]],
      ["type": "function", "name": "exec_command", "parameters": ["type": "object"]],
    ],
  ]
  /// The two ways in which a family of models is offered tools.
  private static let plain: JSONValue = [
    "tools": [["type": "function", "name": "exec_command"], ["type": "custom", "name": "apply_patch"], client],
    "input": [],
  ]
  private static let codeMode: JSONValue = [
    "input": [
      [
        "type": "additional_tools",
        "tools": [
          ["type": "namespace", "name": "functions", "tools": [["type": "custom", "name": "exec"]]],
          ["type": "namespace", "name": "clock", "tools": [["type": "function", "name": "sleep"]]], client,
        ],
      ]
    ]
  ]

  private func named(_ name: String, in body: JSONValue) -> (name: String, namespace: String?, isFreeForm: Bool) {
    let tool = DemoTool.named(name, among: DemoTool.offered(in: body))
    return (tool.name, tool.namespace, tool.isFreeForm)
  }

  @Test func bothFamiliesOfferTheClientsTools() {
    for body in [Self.plain, Self.codeMode] {
      #expect(named("get_weather", in: body) == ("get_weather", "client", false))
      #expect(named("client/get_weather", in: body) == ("get_weather", "client", false))
    }
  }

  @Test func codexsOwnToolsComeFirstAndWithoutANamespace() {
    #expect(named("exec_command", in: Self.plain) == ("exec_command", nil, false))
    #expect(named("client/exec_command", in: Self.plain) == ("exec_command", "client", false))
    #expect(named("exec_command", in: Self.codeMode) == ("exec_command", "client", false))
    #expect(named("apply_patch", in: Self.plain) == ("apply_patch", nil, true))
    #expect(named("exec", in: Self.codeMode) == ("exec", nil, true))
  }

  @Test func aToolThatNobodyOffersIsCalledAllTheSame() {
    #expect(named("nobody", in: Self.plain) == ("nobody", "client", false))
    #expect(named("nobody", in: ["tools": []]) == ("nobody", nil, false))
    #expect(named("notes/write", in: Self.plain) == ("write", "mcp__notes", false))
  }

  @Test(
    arguments: [
      ("get_weather", "get_weather"), ("Get weather, please!", "get_weather"),
      ("call get-weather now", "get_weather"),
      ("the get weatherman", "get"), ("forget weather", nil), ("hello", nil), ("", nil),
    ] as [(String, String?)])
  func aMessageMayNameATool(_ message: String, _ name: String?) {
    #expect(DemoTool.mentioned(in: message, among: DemoTool.offered(in: Self.plain))?.name == name)
  }

  @Test func onlyTheClientsToolsAreFoundInAMessage() {
    #expect(DemoTool.mentioned(in: "apply patch", among: DemoTool.offered(in: Self.plain)) == nil)
  }

  @Test func aCallCarriesItsNamespaceAndItsArguments() {
    let tool = DemoTool.named("get_weather", among: DemoTool.offered(in: Self.plain))
    func arguments(_ given: DemoArguments?) -> JSONValue? {
      let call = tool.call(given, itemID: "1", callID: "call_1")
      #expect(call["type"] == "function_call" && call["id"] == "fc_1" && call["call_id"] == "call_1")
      #expect(call["name"] == "get_weather" && call["namespace"] == "client")
      return call["arguments"]
    }
    #expect(arguments(nil) == #"{"city":"demo"}"#)
    #expect(arguments(.value(["city": "Rome"])) == #"{"city":"Rome"}"#)
    #expect(arguments(.unreadable("{city")) == "{city")
  }

  @Test func freeTextIsACallOfAnotherKind() {
    let tool = DemoTool.named("apply_patch", among: DemoTool.offered(in: Self.plain))
    let call = tool.call(.value("*** Begin"), itemID: "1", callID: "c")
    #expect(call["type"] == "custom_tool_call" && call["input"] == "*** Begin" && call["namespace"] == nil)
  }
}

struct DemoInputTests {
  private static let user: JSONValue = [
    "type": "message", "role": "user", "content": [["type": "input_text", "text": "go"]],
  ]
  private static let aborted: JSONValue = [
    "type": "message", "role": "user", "content": "<turn_aborted>\nby the user",
  ]
  private static let said: JSONValue = ["type": "message", "role": "assistant", "content": []]
  private static let reasoning: JSONValue = ["type": "reasoning", "id": "r"]

  private static func call(_ id: String, _ name: String) -> JSONValue {
    ["type": "function_call", "call_id": .string(id), "name": .string(name), "arguments": "{}"]
  }

  private static func output(_ id: String, _ output: JSONValue) -> JSONValue {
    ["type": "function_call_output", "call_id": .string(id), "output": output]
  }

  private func input(_ items: [JSONValue]) -> DemoInput { DemoInput(["input": .array(items)]) }

  @Test func roundsAreCountedByWhatCameBack() {
    let first = [Self.call("1", "a"), Self.call("2", "b"), Self.output("1", "x"), Self.output("2", "y")]
    let second = [Self.reasoning, Self.said, Self.call("3", "c"), Self.output("3", "z")]
    #expect(input([Self.user]).finishedRounds == 0)
    #expect(input([Self.user] + first).finishedRounds == 1)
    #expect(input([Self.user] + first + second).finishedRounds == 2)
    #expect(input([Self.user] + first + second + [Self.said, Self.user]).finishedRounds == 0)
    #expect(input([]).finishedRounds == 0)
  }

  @Test func aNoteOfAnInterruptIsNoMessageOfTheUser() {
    let items = [Self.user, Self.call("1", "a"), Self.output("1", "x"), Self.aborted]
    #expect(input(items).lastUserText == "go")
    #expect(input(items).finishedRounds == 1)
  }

  @Test func outputsAreNewUntilTheModelHasWritten() {
    let calls = [Self.user, Self.call("1", "a"), Self.call("2", "b")]
    let outputs = [Self.output("1", "x"), Self.output("2", "y")]
    #expect(input(calls + outputs).newOutputs.map(\.told) == ["a said: x", "b said: y"])
    #expect(input(calls + outputs + [Self.user]).newOutputs.count == 2, "text beside the outputs")
    #expect(input(calls + outputs + [Self.said, Self.user]).newOutputs.isEmpty)
  }

  @Test func callsWithOneIDHaveAnOutputEach() {
    let items = [Self.call("1", "a"), Self.call("1", "b"), Self.output("1", "x"), Self.output("1", "y")]
    #expect(input(items).newOutputs.map(\.told) == ["a said: x", "b said: y"])
  }

  @Test func longOutputsAreToldByTheirLengthAndTheirEnd() {
    let long = String(repeating: "é", count: 300_000) + "12345678901234567890"
    let items = [Self.call("1", "a"), Self.output("1", .string(long))]
    #expect(
      input(items).newOutputs.map(\.told) == ["a said 300020 characters, the last are “12345678901234567890”"])
  }

  @Test func imagesAreCounted() {
    let image: JSONValue = ["type": "input_image", "image_url": "data:image/png;base64,AA=="]
    let text: JSONValue = ["type": "input_text", "text": "look"]
    let items = [
      Self.call("1", "a"), Self.call("2", "b"), Self.output("1", [text, image, image]), Self.output("2", [image]),
    ]
    #expect(
      input(items).newOutputs.map(\.told) == ["a said and showed 2 images: look", "b said and showed 1 image: "])
  }

  @Test func theOutputOfACommandIsToldWhole() {
    let long = String(repeating: "x", count: 5000)
    let items = [Self.call("1", "exec_command"), Self.output("1", .string(long))]
    #expect(input(items).newOutputs.map(\.told) == ["The command printed: \(long)"])
  }

  // MARK: Calls that have to be made

  @Test func aCallIsWrittenInTheFormThatIsAskedFor() {
    let tool = DemoTool.named("add", among: [])
    let one: JSONValue = ["type": "object", "properties": ["a": ["type": "integer"]], "required": ["a"]]
    let several: JSONValue = ["type": "object", "properties": ["call": one]]
    #expect(tool.text(.value(["a": 1]), inFormOf: one) == #"{"a":1}"#)
    #expect(tool.text(.value(["a": 1]), inFormOf: several) == #"{"call":{"name":"add","arguments":{"a":1}}}"#)
    #expect(tool.text(.unreadable("{"), inFormOf: several) == "{")
    #expect(tool.text(nil, inFormOf: one) == #"{"a":1}"#)
  }
}
