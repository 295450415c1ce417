// One answer of the demo model, as events of the Responses API (OpenAI API reference, "Streaming events").

/// Streams one answer of the demo model.
@LoopActor
final class DemoAnswer {
  private let input: DemoInput
  private let round: DemoRound
  private let request: Request
  private let writer: ResponseWriter
  private let responseID = RandomID.make("resp_")
  private var itemCount = 0
  private var isCut = false

  init(input: DemoInput, round: DemoRound, request: Request, writer: ResponseWriter) {
    self.input = input
    self.round = round
    self.request = request
    self.writer = writer
  }

  func run() async {
    writer.begin(status: 200, fields: EventStream.fields)
    send("response.created", ["response": ["id": .string(responseID), "status": "in_progress"]])
    if round.firstDelay > .zero { await Loop.sleep(round.firstDelay) }
    if round.reasoningDeltas > 0 { await reason() }
    if round.hasCommentary { await say(["Let ", "me ", "see. "], phase: "commentary", canBeCut: false) }
    for step in round.playedSteps where !isCut { await play(step) }
    guard !isCut else { return writer.abort() }
    end()
    writer.finish()
  }

  private func play(_ step: DemoRound.Step) async {
    switch step {
    case .friendly: await answerFriendly()
    case .tokens(let count): await say(round.tokens(count: count))
    case .say(let text): await say(DemoScript.words(text))
    case .history: await say([input.history])
    case .outputs: await say(DemoScript.words(toldOutputs))
    case .run(let command): call(shell(command), shellArguments(command))
    case .call(let name, let arguments):
      let tool = DemoTool.named(name, among: input.tools)
      // A call that has to be made is asked for by the form of the answer. Its function may not be offered then.
      if let schema = input.schema, input.wantsCallAsAnswer || !input.tools.contains(tool) {
        return await say([tool.text(arguments, inFormOf: schema)])
      }
      call(tool, arguments)
    }
  }

  /// Calls the tool that the user named; once it has answered, or where there is none, says something.
  private func answerFriendly() async {
    let outputs = input.newOutputs
    if outputs.isEmpty, let tool = DemoTool.mentioned(in: input.lastUserText, among: input.tools) {
      return call(tool, nil)
    }
    if let schema = input.schema { return await say([DemoInstance.make(schema).jsonText]) }
    await say(
      DemoScript.words(
        "Hello from the demo model behind Codex. You said: “\(input.lastUserText.prefix(500))”. "
          + (input.earlierUserTexts.last.map { "Before that you said: “\($0.prefix(500))”. " } ?? "")
          + (outputs.isEmpty ? "" : "\(toldOutputs)\n")
          + "To talk to a real model, log Codex in (`bridged doctor` shows how) and start the bridge without --demo."
      ))
  }

  private var toldOutputs: String { input.newOutputs.map(\.told).joined(separator: "\n") }

  private func reason() async {
    let id = nextItem("rs_")
    send("response.output_item.added", ["item": ["type": "reasoning", "id": .string(id), "summary": []]])
    send(
      "response.reasoning_summary_part.added",
      ["item_id": .string(id), "summary_index": 0, "part": ["type": "summary_text", "text": ""]])
    var text = ""
    for index in 0..<round.reasoningDeltas where !request.isClientGone {
      let delta = "thought\(index) "
      text += delta
      send(
        "response.reasoning_summary_text.delta",
        ["item_id": .string(id), "summary_index": 0, "delta": .string(delta)])
      await pause()
    }
    let summary: JSONValue = [["type": "summary_text", "text": .string(text)]]
    send("response.output_item.done", ["item": ["type": "reasoning", "id": .string(id), "summary": summary]])
  }

  private func say(_ tokens: [String]) async {
    await say(tokens, phase: round.phase ?? (round.hasCommentary ? "final_answer" : nil), canBeCut: true)
  }

  private func say(_ tokens: [String], phase: String?, canBeCut: Bool) async {
    let id = nextItem("msg_")
    send("response.output_item.added", ["item": message(id, text: "", phase: phase)])
    for (index, token) in tokens.enumerated() {
      guard !request.isClientGone else { return }
      if canBeCut, let cut = round.trouble.cutAfter, index >= cut {
        isCut = true
        return
      }
      send(
        "response.output_text.delta",
        ["item_id": .string(id), "output_index": 0, "content_index": 0, "delta": .string(token)])
      await pause()
      await writer.waitForRoom()
    }
    send("response.output_item.done", ["item": message(id, text: tokens.joined(), phase: phase)])
  }

  private func message(_ id: String, text: String, phase: String?) -> JSONValue {
    var item = JSONObject()
    item["type"] = "message"
    item["id"] = .string(id)
    item["role"] = "assistant"
    item["phase"] = phase.map { .string($0) }
    item["content"] = text.isEmpty ? [] : [["type": "output_text", "text": .string(text), "annotations": []]]
    return .object(item)
  }

  /// A family with code mode runs commands from a script.
  private func shell(_ command: String) -> DemoTool {
    let tools = input.tools
    let script = tools.first { $0.name == "exec" && $0.isFreeForm }
    return script ?? DemoTool.named("exec_command", among: tools)
  }

  private func shellArguments(_ command: String) -> DemoArguments {
    var arguments = JSONObject()
    arguments["cmd"] = .string(command)
    if round.escalates {
      arguments["sandbox_permissions"] = "require_escalated"
      arguments["justification"] = "The demo model was told to ask."
    }
    let value = JSONValue.object(arguments)
    guard shell(command).isFreeForm else { return .value(value) }
    return .value(.string("text(await tools.exec_command(\(value.jsonText)))"))
  }

  private func call(_ tool: DemoTool, _ arguments: DemoArguments?) {
    let item = tool.call(
      arguments, itemID: nextItem(""), callID: round.callID ?? RandomID.make("call_"))
    send("response.output_item.done", ["item": item])
  }

  private func end() {
    if let code = round.trouble.failure {
      let error: JSONValue = ["code": .string(code), "message": "The demo model was told to fail with \(code)."]
      return send("response.failed", ["response": ["id": .string(responseID), "error": error]])
    }
    if let reason = round.trouble.incomplete {
      let details: JSONValue = ["reason": .string(reason)]
      return send("response.incomplete", ["response": ["id": .string(responseID), "incomplete_details": details]])
    }
    let usage = round.usage + Array([10, 0, 5, 0].dropFirst(round.usage.count))
    send(
      "response.completed",
      [
        "response": [
          "id": .string(responseID), "status": "completed",
          "usage": [
            "input_tokens": .int(usage[0]), "input_tokens_details": ["cached_tokens": .int(usage[1])],
            "output_tokens": .int(usage[2]), "output_tokens_details": ["reasoning_tokens": .int(usage[3])],
            "total_tokens": .int(usage[0] + usage[2]),
          ],
        ]
      ])
  }

  private func nextItem(_ prefix: String) -> String {
    itemCount += 1
    return "\(prefix)\(responseID)_\(itemCount)"
  }

  private func pause() async {
    if round.delay > .zero { await Loop.sleep(round.delay) }
  }

  private func send(_ type: String, _ members: JSONValue) {
    var object = JSONObject()
    object["type"] = .string(type)
    for member in members.objectValue?.members ?? [] { object[member.key] = member.value }
    writer.write { buffer in
      buffer.append("event: \(type)\n")
      buffer.append(event: JSONValue.object(object).jsonText)
    }
  }
}
