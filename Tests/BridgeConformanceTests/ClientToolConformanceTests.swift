// The stand-in model calls functions of a client: what the real Codex makes of it, and that the fake engine does the same.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct ClientToolConformanceTests {
  /// Where a thread's model and its app-server come from.
  enum Engine: Sendable, CaseIterable, CustomTestStringConvertible {
    case plainFamily
    case codeModeFamily
    case fake

    var testDescription: String { self == .fake ? "the fake" : model }
    var model: String { self == .codeModeFamily ? "gpt-6.1-sol" : "gpt-5.5" }
  }

  /// Runs `body` with an app-server and a directory; `model` is nil for the fake.
  @LoopActor
  private func with(
    _ engine: Engine, _ body: @LoopActor (RawAppServer, TemporaryDirectory, DemoModel?) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    if engine == .fake {
      try await RawAppServer.run(Self.fake(directory)) { try await body($0, directory, nil) }
      return
    }
    let model = try DemoModel(stateDirectory: directory.path)
    defer { model.stop() }
    try await RawAppServer.run(try Self.real(model, directory)) { try await body($0, directory, model) }
  }

  @LoopActor
  private static func fake(_ directory: TemporaryDirectory) -> ChildCommand {
    ChildCommand(
      program: FakeCodex.program, overrides: [], codexHome: directory.path, workingDirectory: directory.path,
      passedVariables: [], environment: Configuration.processEnvironment)
  }

  @LoopActor
  private static func real(_ model: DemoModel, _ directory: TemporaryDirectory) throws -> ChildCommand {
    let program = try #require(RealCodex.program, "CODEX_BIN names no Codex CLI; run Tests/run.sh")
    let settings = ["CODEX_BIN": program, "CODEX_WORKDIR": directory.path]
    let configuration = try Configuration(
      sources: [.init(.flag, settings)], environment: Configuration.processEnvironment)
    return try ChildCommand(configuration, demo: model)
  }

  // MARK: What arrives

  @Test(arguments: Engine.allCases) @LoopActor
  func aCallReachesTheClientAndItsOutputTheModel(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let answer = try await server.run(thread, #"demo: call=get_weather:{"city":"Rome"}"#)
      #expect(answer == "get_weather said: out of get_weather")
      let call = try #require(server.messages(of: "item/tool/call").first)
      #expect(call.params["tool"] == "get_weather" && call.params["namespace"] == "client")
      #expect(call.params["arguments"] == ["city": "Rome"] && call.params["threadId"]?.stringValue == thread)
      #expect(call.params["callId"]?.stringValue?.hasPrefix("call_") == true)
    }
  }

  /// Both engines tell the same of one turn, in the same order.
  @Test(arguments: Engine.allCases) @LoopActor
  func aTurnWithCallsIsToldInOneOrder(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let line = #"demo: reasoning=1 say="Let me see." call=get_weather call=add round call=add call=nobody"#
      let answer = try await server.run(thread, line)
      #expect(answer == "add said: out of add\nnobody said: unsupported call: clientnobody")
      let turn = "reasoning message function_call get_weather function_call add | output output"
      #expect(
        Self.rawItems(server)
          == "user \(turn) reasoning function_call add function_call nobody | output output reasoning message |")
      #expect(Self.toolItems(server).sorted() == ["add", "add", "get_weather"], "in no order of theirs")
      #expect(server.messages(of: "thread/tokenUsage/updated").count == 3)
      #expect(server.messages(of: "serverRequest/resolved").isEmpty, "calls of tools are not told as resolved")
    }
  }

  /// A call is known before it is asked for, an output is told after its call has ended, and tokens when all is in.
  @Test(arguments: Engine.allCases) @LoopActor
  func whatIsToldComesAfterWhatItTellsOf(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      _ = try await server.run(thread, #"demo: call=get_weather delay=20 tokens=3 call=add"#)
      let order = server.messages.map { "\($0.method) \(Self.name($0))" }
      func place(_ text: String) throws -> Int { try #require(order.firstIndex(of: text), "\(text): \(order)") }
      for tool in ["get_weather", "add"] {
        #expect(
          try place("rawResponseItem/completed function_call \(tool)") < place("item/tool/call \(tool)"))
      }
      #expect(try place("rawResponse/completed ") < place("rawResponseItem/completed output"))
      let lastOutput = try #require(order.lastIndex(of: "rawResponseItem/completed output"))
      #expect(try lastOutput < place("thread/tokenUsage/updated "))
    }
  }

  /// One at a time, each when the one before has been answered.
  @Test(arguments: Engine.allCases) @LoopActor
  func oneCallIsOpenAtATime(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      server.answerTool = { _ in nil }
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      try await server.startTurn(thread, "demo: call=get_weather call=add")
      let first = try await server.openCall()
      try #require(await eventually { server.messages(of: "rawResponse/completed").count == 1 })
      #expect(server.messages(of: "item/tool/call").count == 1)
      server.answer(first, RawAppServer.answer("one"))
      let second = try await server.openCall(1)
      #expect(second.params["tool"] != first.params["tool"])
      server.answer(second, RawAppServer.answer("two", success: false))
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      // Codex may ask for the second first; the model gets the outputs in the order of its calls.
      let isInOrder = first.params["tool"] == "get_weather"
      #expect(
        Self.lastAnswer(server)
          == (isInOrder ? "get_weather said: one\nadd said: two" : "get_weather said: two\nadd said: one"))
    }
  }

  @Test(arguments: Engine.allCases) @LoopActor
  func longOutputsAndImagesArriveWhole(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let long = String(repeating: "x", count: 300_000) + "12345678901234567890"
      server.answerTool = { params in
        guard params["tool"] == "get_weather" else { return RawAppServer.answer(long) }
        let image: JSONValue = ["type": "inputImage", "imageUrl": .string(TestImage.dataURL)]
        return ["contentItems": [["type": "inputText", "text": "look"], image, image], "success": true]
      }
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let answer = try await server.run(thread, "demo: call=get_weather call=add")
      #expect(
        answer == """
          get_weather said and showed 2 images: look
          add said 300020 characters, the last are “12345678901234567890”
          """)
    }
  }

  /// The model gets the outputs in the order of its calls, its own commands among them, whichever was done first.
  @Test(arguments: Engine.allCases, [true, false]) @LoopActor
  func ownCommandsAndCallsShareAResponse(_ engine: Engine, _ commandIsFirst: Bool) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let calls = [#"run="echo hi""#, "call=get_weather"]
      let line = "demo: " + (commandIsFirst ? calls : calls.reversed()).joined(separator: " ")
      let answer = try await server.run(thread, line)
      #expect(answer.contains("The command printed: ") && answer.contains("get_weather said: out of get_weather"))
      #expect(answer.hasPrefix("The command") == commandIsFirst)
      let done = server.messages(of: "item/completed").compactMap { $0.item?["type"]?.stringValue }
      #expect(done.contains("commandExecution") && done.contains("dynamicToolCall"))
    }
  }

  // MARK: What goes wrong

  @Test(arguments: Engine.allCases) @LoopActor
  func unreadableArgumentsReachNobody(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let answer = try await server.run(thread, "demo: call=get_weather:{broken")
      #expect(answer.hasPrefix("get_weather said: failed to parse function arguments: "))
      #expect(server.messages(of: "item/tool/call").isEmpty)
    }
  }

  @Test(arguments: Engine.allCases) @LoopActor
  func anIDThatComesTwiceIsAskedForTwice(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let answer = try await server.run(thread, "demo: call-id=call_same call=get_weather call=add")
      #expect(server.messages(of: "item/tool/call").map { $0.params["callId"] } == ["call_same", "call_same"])
      #expect(answer == "get_weather said: out of get_weather\nadd said: out of add")
    }
  }

  @Test(arguments: Engine.allCases) @LoopActor
  func anInterruptEndsOpenCalls(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      server.answerTool = { _ in nil }
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let turn = try await server.startTurn(thread, "demo: call=get_weather call=add")
      _ = try await server.openCall()
      try #require(await eventually { server.messages(of: "rawResponse/completed").count == 1 })
      try await server.call("turn/interrupt", ["threadId": .string(thread), "turnId": .string(turn)])
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      let outputs = server.messages.compactMap { $0.item?["output"]?.stringValue }.sorted()
      #expect(outputs.first?.hasPrefix("aborted by user after ") == true && outputs.count == 2)
      #expect(outputs.last == "dynamic tool call was cancelled before receiving a response")
      #expect(Self.rawItems(server) == "user function_call get_weather function_call add | output output aborted")
      #expect(Self.toolItems(server).count == 1, "the other was never asked for")
      #expect(try await server.run(thread, "demo: say=on") == "on")
    }
  }

  /// What the user says meanwhile reaches the model after the outputs, in the same call of it.
  @Test(arguments: Engine.allCases) @LoopActor
  func whatIsSaidMeanwhileFollowsTheOutputs(_ engine: Engine) async throws {
    try await with(engine) { server, directory, model in
      var requests = 0
      model?.onRequest = { _ in requests += 1 }
      server.answerTool = { _ in nil }
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let turn = try await server.startTurn(thread, "demo: call=get_weather")
      let call = try await server.openCall()
      try #require(await eventually { server.messages(of: "rawResponse/completed").count == 1 })
      let more: JSONValue = [["type": "text", "text": "demo: outputs"]]
      let steered = try await server.call(
        "turn/steer", ["threadId": .string(thread), "expectedTurnId": .string(turn), "input": more])
      #expect(steered["turnId"]?.stringValue == turn)
      server.answer(call, RawAppServer.answer("sunny"))
      try #require(await eventually { server.messages(of: "turn/completed").count == 1 })
      #expect(Self.rawItems(server) == "user function_call get_weather | output user message |")
      #expect(Self.lastAnswer(server) == "get_weather said: sunny")
      #expect(model == nil || requests == 2)
    }
  }

  /// Killed with a call open, Codex has kept what the model wrote; the output is put in, and the script goes on.
  @Test(arguments: Engine.allCases) @LoopActor
  func afterAKillTheOutputIsPutIn(_ engine: Engine) async throws {
    try await with(engine) { server, directory, model in
      server.answerTool = { _ in nil }
      let thread = try await server.startThread(model: engine.model, directory: directory.path, isEphemeral: false)
      let line = "demo: call=get_weather round call=add"
      try await server.startTurn(thread, line)
      let call = try await server.openCall()
      try #require(await eventually { server.messages(of: "rawResponse/completed").count == 1 })
      server.process.signalGroup(SIGKILL)
      _ = await server.waitForEnd()
      let command = try model.map { try Self.real($0, directory) } ?? Self.fake(directory)
      try await RawAppServer.run(command) { next in
        try await next.call(
          "thread/resume",
          ["threadId": .string(thread), "excludeTurns": true, "config": RawAppServer.configuration])
        let output: JSONValue = [
          "type": "function_call_output", "call_id": call.params["callId"] ?? .null, "output": "sunny",
        ]
        try await next.call("thread/inject_items", ["threadId": .string(thread), "items": [output]])
        #expect(try await next.run(thread, nil) == "add said: out of add")
        #expect(Self.toolItems(next) == ["add"])
        #expect(Self.rawItems(next).isEmpty, "a resumed thread has no raw events")
      }
    }
  }

  // MARK: A newcomer

  @Test(arguments: [Engine.plainFamily, .codeModeFamily]) @LoopActor
  func aMessageThatNamesAToolCallsItOnce(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let answer = try await server.run(thread, "Please get weather for me")
      #expect(server.messages(of: "item/tool/call").map { $0.params["arguments"] } == [["city": "demo"]])
      #expect(answer.contains("get_weather said: out of get_weather\n"), "\(answer)")
      #expect(try await server.run(thread, "Thank you").contains("You said: “Thank you”"))
      #expect(server.messages(of: "item/tool/call").count == 1)
    }
  }

  @Test(arguments: [Engine.plainFamily, .codeModeFamily]) @LoopActor
  func aSchemaForTheAnswerIsFollowed(_ engine: Engine) async throws {
    try await with(engine) { server, directory, _ in
      let thread = try await server.startThread(model: engine.model, directory: directory.path)
      let schema: JSONValue = [
        "type": "object", "additionalProperties": false, "required": ["city", "note"],
        "properties": ["city": ["$ref": "#/$defs/City"], "note": ["type": ["string", "null"]]],
        "$defs": ["City": ["type": "string", "enum": ["Rome", "Oslo"]]],
      ]
      let more = JSONObject([.init(key: "outputSchema", value: schema)])
      #expect(try await server.run(thread, "Which city?", more: more) == #"{"city":"Rome","note":null}"#)
    }
  }

  // MARK: What was told

  /// The raw events of turns: each item, `|` for the end of a response. What Codex says before the user is left out.
  @LoopActor
  private static func rawItems(_ server: RawAppServer) -> String {
    server.messages.filter { $0.method.hasPrefix("rawResponse") }.map { name($0) }
      .filter { $0 != "prelude" }.map { $0.isEmpty ? "|" : $0 }.joined(separator: " ")
  }

  /// The tools that were called, each as an item that starts, a question and an item that ends, with no other in between.
  @LoopActor
  private static func toolItems(_ server: RawAppServer) -> [String] {
    let told = server.messages.compactMap { message -> String? in
      if message.method == "item/tool/call" { return "call \(name(message))" }
      guard message.item?["type"] == "dynamicToolCall" else { return nil }
      return "\(message.method.dropFirst(5)) \(message.item?["tool"]?.stringValue ?? "")"
    }
    let tools = told.filter { $0.hasPrefix("call ") }.map { String($0.dropFirst(5)) }
    #expect(told == tools.flatMap { ["started \($0)", "call \($0)", "completed \($0)"] })
    return tools
  }

  @LoopActor
  private static func lastAnswer(_ server: RawAppServer) -> String? {
    server.messages.last { $0.method == "item/completed" && $0.item?["type"] == "agentMessage" }?
      .item?["text"]?.stringValue
  }

  private static func name(_ message: RawAppServer.Message) -> String {
    if message.method == "item/tool/call" { return message.params["tool"]?.stringValue ?? "" }
    guard message.method == "rawResponseItem/completed", let item = message.item else { return "" }
    let type = item["type"]?.stringValue ?? ""
    if type.hasSuffix("_output") { return "output" }
    if let name = item["name"]?.stringValue { return "\(type) \(name)" }
    guard item["role"] != nil, item["role"] != "assistant" else { return type }
    let kind = item["internal_chat_message_metadata_passthrough"]?["content_item_kinds"]?.arrayValue?.first?
      .stringValue
    return ["user.text": "user", "generic.turn_aborted": "aborted"][kind ?? ""] ?? "prelude"
  }
}
