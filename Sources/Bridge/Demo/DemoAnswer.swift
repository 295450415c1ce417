// One answer of the demo model, as events of the Responses API (OpenAI API reference, "Streaming events").

/// Streams one answer of the demo model.
@LoopActor
final class DemoAnswer {
  private let input: DemoInput
  private let script: DemoScript
  private let request: Request
  private let writer: ResponseWriter
  private let responseID = RandomID.make("resp_")
  private var itemCount = 0
  private var isCut = false

  init(input: DemoInput, script: DemoScript, request: Request, writer: ResponseWriter) {
    self.input = input
    self.script = script
    self.request = request
    self.writer = writer
  }

  func run() async {
    writer.begin(status: 200, fields: EventStream.fields)
    send("response.created", ["response": ["id": .string(responseID), "status": "in_progress"]])
    if script.firstDelay > .zero { await Loop.sleep(script.firstDelay) }
    if script.reasoningDeltas > 0 { await reason() }
    if script.hasCommentary { await say(["Let ", "me ", "see. "], phase: "commentary") }
    switch script.answer {
    case .run(let command) where input.toolOutput == nil: callShell(command)
    case .call(let name, let arguments) where input.toolOutput == nil: callTool(name, arguments)
    default: await say(tokens, phase: script.hasCommentary ? "final_answer" : nil)
    }
    guard !isCut else { return writer.abort() }
    end()
    writer.finish()
  }

  private var tokens: [String] {
    switch script.answer {
    case .friendly:
      if let schema = input.schema { return [DemoInstance.make(schema).jsonText] }
      let said = input.lastUserText
      return DemoScript.words(
        "Hello from the demo model behind Codex. You said: “\(said.prefix(500))”. "
          + (input.earlierUserTexts.last.map { "Before that you said: “\($0.prefix(500))”. " } ?? "")
          + "Log in with `codex login` and start the bridge without --demo to talk to a real model.")
    case .tokens(let count): return script.tokens(count: count)
    case .say(let text): return DemoScript.words(text)
    case .run: return DemoScript.words("The command printed: \(input.toolOutput ?? "")")
    case .call: return DemoScript.words("The tool said: \(input.toolOutput ?? "")")
    case .history: return [input.history]
    }
  }

  private func reason() async {
    let id = nextItem("rs_")
    send("response.output_item.added", ["item": ["type": "reasoning", "id": .string(id), "summary": []]])
    send(
      "response.reasoning_summary_part.added",
      ["item_id": .string(id), "summary_index": 0, "part": ["type": "summary_text", "text": ""]])
    var text = ""
    for index in 0..<script.reasoningDeltas where !request.isClientGone {
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

  private func say(_ tokens: [String], phase: String?) async {
    let id = nextItem("msg_")
    send("response.output_item.added", ["item": message(id, text: "", phase: phase)])
    for (index, token) in tokens.enumerated() {
      guard !request.isClientGone else { return }
      if phase != "commentary", let cut = script.cutAfter, index >= cut {
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

  private func callShell(_ command: String) {
    var arguments = JSONObject()
    arguments["cmd"] = .string(command)
    if script.escalates {
      arguments["sandbox_permissions"] = "require_escalated"
      arguments["justification"] = "The demo model was told to ask."
    }
    callTool("exec_command", .object(arguments))
  }

  private func callTool(_ name: String, _ arguments: JSONValue) {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    var item = JSONObject()
    item["call_id"] = .string(RandomID.make("call_"))
    item["name"] = .string(parts.last ?? name)
    if parts.count > 1 { item["namespace"] = .string("mcp__\(parts[0])") }
    if let text = arguments.stringValue {
      item["type"] = "custom_tool_call"
      item["id"] = .string(nextItem("ct_"))
      item["input"] = .string(text)
    } else {
      item["type"] = "function_call"
      item["id"] = .string(nextItem("fc_"))
      item["arguments"] = .string(arguments.jsonText)
    }
    send("response.output_item.done", ["item": .object(item)])
  }

  private func end() {
    if let code = script.failure {
      let error: JSONValue = ["code": .string(code), "message": "The demo model was told to fail with \(code)."]
      return send("response.failed", ["response": ["id": .string(responseID), "error": error]])
    }
    if let reason = script.incomplete {
      let details: JSONValue = ["reason": .string(reason)]
      return send("response.incomplete", ["response": ["id": .string(responseID), "incomplete_details": details]])
    }
    let usage = script.usage + Array([10, 0, 5, 0].dropFirst(script.usage.count))
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
    if script.delay > .zero { await Loop.sleep(script.delay) }
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
