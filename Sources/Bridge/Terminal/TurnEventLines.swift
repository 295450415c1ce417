// Tells a turn to a program: `bridged chat --json` writes a JSON object per line. The form is documented in the manual page; fields
// are added, and never change their meaning.

/// Writes the events of a turn as JSON lines, and one with all of it at its end.
@LoopActor
final class TurnEventLines: TurnViewer {
  private let output: TerminalOutput
  /// What the lines say of the conversation, when it is known.
  var conversation: @LoopActor () -> JSONObject = { JSONObject() }
  private var answer = AnswerText()
  private var startedAt = Duration.zero
  private var firstWordAt: Duration?

  init(output: TerminalOutput) { self.output = output }

  func begin() {
    answer = AnswerText()
    (startedAt, firstWordAt) = (Loop.now, nil)
  }

  func show(_ event: TurnEvent) {
    answer.take(event)
    if let (text, channel) = event.text {
      if channel == .answer, firstWordAt == nil { firstWordAt = Loop.now }
      return write(Self.name(of: channel), ["text": .string(text.text)])
    }
    switch event {
    case .tool(let report): write("tool", .object(Self.fields(of: report)))
    case .question(let report): write("question", ["text": .string(ActivityText.paragraph(report))])
    case .reconnecting(let reason): write("reconnecting", ["message": .string(reason)])
    case .answerRetracted: write("retracted")
    default: break
    }
  }

  func end(_ ending: TurnViewEnding) {
    var object = conversation()
    object["status"] = .string(
      ending.wasInterrupted ? "interrupted" : ending.error == nil ? "completed" : "failed")
    object["answer"] = .string(answer.text)
    if let error = ending.error, !ending.wasInterrupted {
      object["error"] = ["code": .string(error.code ?? error.type), "message": .string(error.message)]
    }
    object["usage"] = [
      "input_tokens": .int(ending.usage.input), "cached_input_tokens": .int(ending.usage.cachedInput),
      "output_tokens": .int(ending.usage.output), "reasoning_output_tokens": .int(ending.usage.reasoningOutput),
    ]
    object["seconds"] = Self.seconds(Loop.now - startedAt)
    object["first_word_seconds"] = firstWordAt.map { Self.seconds($0 - startedAt) } ?? .null
    write("end", .object(object))
  }

  private func write(_ type: String, _ fields: JSONValue = [:]) {
    var object = JSONObject()
    object["type"] = .string(type)
    for member in fields.objectValue?.members ?? [] { object[member.key] = member.value }
    output.line(.object(object))
  }

  private static func name(of channel: TextChannel) -> String {
    switch channel {
    case .answer: "answer"
    case .commentary: "commentary"
    case .reasoning: "reasoning"
    }
  }

  /// With three digits behind the point.
  private static func seconds(_ duration: Duration) -> JSONValue {
    let milliseconds = Int(duration.wholeMilliseconds)
    let rest = String(milliseconds % 1000)
    return .number("\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)")
  }

  private static func fields(of report: ToolReport) -> JSONObject {
    var object = JSONObject()
    object["number"] = .int(report.number)
    switch report.use {
    case .command(let text):
      object["kind"] = "command"
      object["command"] = .text(text)
    case .fileChange(let paths, let count):
      object["kind"] = "file_change"
      object["files"] = .array(paths.map { .string($0) })
      object["count"] = .int(count)
    case .webSearch(let query):
      object["kind"] = "web_search"
      object["query"] = .string(query)
    case .tool(let name, let server):
      object["kind"] = "tool"
      object["name"] = .string(name)
      object["server"] = .text(server)
    }
    switch report.progress {
    case .began: object["state"] = "began"
    case .ended(.exited(let status)):
      object["state"] = "ended"
      object["exit_code"] = .int(status)
    case .ended(.done): object["state"] = "ended"
    case .ended(.failed): object["state"] = "failed"
    case .ended(.declined): object["state"] = "declined"
    }
    return object
  }
}
