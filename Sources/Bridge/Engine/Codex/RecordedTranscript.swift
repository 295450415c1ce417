// A conversation read out of Codex's record of a thread: of the items in its file, or of the turns that it tells. Pure.

extension Transcript {
  // MARK: The items of a file

  /// What the items of a thread's file tell (`Rollout`).
  init(recorded texts: [String]) {
    let items = texts.compactMap { try? JSONValue(parsing: Array($0.utf8)) }
    var outputs: [String: JSONValue] = [:]
    for item in items where item["type"]?.stringValue?.hasSuffix("_call_output") == true {
      if let id = item["call_id"]?.stringValue { outputs[id] = item["output"] }
    }
    var ownCalls: Set<String> = []
    self.items = items.compactMap { item in
      guard let content = Self.content(item, outputs, &ownCalls) else { return nil }
      return Item(
        turnID: RecordedItems.turnID(of: item), content: content, isCommentary: item["phase"] == "commentary")
    }
    isWhole = true
  }

  /// `clientCalls` are the calls so far that were the client's: only their outputs are told.
  private static func content(
    _ item: JSONValue, _ outputs: [String: JSONValue], _ clientCalls: inout Set<String>
  ) -> Content? {
    switch item["type"]?.stringValue {
    case "message": return message(item)
    case "function_call", "custom_tool_call":
      let id = item["call_id"]?.stringValue ?? ""
      guard item["namespace"]?.stringValue == ToolNames.namespace else {
        return command(item).map { .command($0, status(outputs[id])) }
      }
      clientCalls.insert(id)
      return .toolCall(
        Conversation.ToolCall(
          id: id, name: item["name"]?.stringValue ?? "", arguments: item["arguments"]?.stringValue ?? "{}"))
    case "local_shell_call":
      guard let words = item["action"]?["command"] else { return nil }
      return shown(words).map { .command($0, status(outputs[item["call_id"]?.stringValue ?? ""])) }
    case "function_call_output":
      guard let id = item["call_id"]?.stringValue, clientCalls.contains(id) else { return nil }
      return .toolOutput(callID: id, parts(item["output"]))
    default: return nil
    }
  }

  private static func message(_ item: JSONValue) -> Content? {
    guard let role = RecordedItems.roleOfSpeaker(item) else { return nil }
    let parts = parts(item["content"])
    return parts.isEmpty ? nil : .message(role, parts)
  }

  private static func parts(_ content: JSONValue?) -> [Part] {
    if let text = content?.stringValue { return [.text(text)] }
    return (content?.arrayValue ?? []).compactMap { part in
      part["text"]?.stringValue.map { .text($0) } ?? part["image_url"]?.stringValue.map { Part(imageURL: $0) }
    }
  }

  /// The command that a call of one of Codex's own tools runs; nil for other tools.
  private static func command(_ item: JSONValue) -> String? {
    // In the code mode of some models a call is a script.
    if item["type"] == "custom_tool_call" { return item["name"] == "exec" ? item["input"]?.stringValue : nil }
    guard let name = item["name"]?.stringValue, ["exec_command", "shell", "shell_command"].contains(name),
      let text = item["arguments"]?.stringValue, let arguments = try? JSONValue(parsing: text)
    else { return nil }
    return (arguments["cmd"] ?? arguments["command"]).flatMap(shown)
  }

  /// A command as one text: models write it as a text or as its words.
  private static func shown(_ command: JSONValue) -> String? {
    command.stringValue ?? command.arrayValue.map { $0.compactMap(\.stringValue).joined(separator: " ") }
  }

  private static func status(_ output: JSONValue?) -> CommandStatus {
    guard let output else { return .unfinished }
    let text = parts(output).lazy.compactMap { if case .text(let text) = $0 { text } else { nil } }.first ?? ""
    // How a command has ended stands in one of the first lines of what the model is told.
    let head = text.beginning(ofBytes: maxStatusBytes)
    for line in head.split(separator: "\n") {
      guard let words = exitWords.first(where: { line.hasPrefix($0) }) else { continue }
      return Int(line.dropFirst(words.count).trimmingSpaces()) == 0 ? .completed : .failed
    }
    if head.hasPrefix(notStartedWords) { return head.contains(rejectedWords) ? .declined : .failed }
    return head.contains(runningWords) ? .unfinished : .completed
  }

  private static let maxStatusBytes = 300
  private static let exitWords = ["Process exited with code ", "Exit code: "]
  private static let notStartedWords = "exec_command failed: "
  private static let rejectedWords = "rejected by user"
  private static let runningWords = "Process running with session ID"

  // MARK: The turns that Codex tells

  /// What a result of `thread/read` tells: only what ran on the thread itself.
  init(turns result: JSONValue) {
    let turns = result["thread"]?["turns"]?.arrayValue ?? []
    items = turns.flatMap { turn in
      (turn["items"]?.arrayValue ?? []).compactMap { item in
        Self.told(item).map {
          Item(turnID: turn["id"]?.stringValue, content: $0, isCommentary: item["phase"] == "commentary")
        }
      }
    }
    isWhole = false
  }

  private static func told(_ item: JSONValue) -> Content? {
    switch item["type"]?.stringValue {
    case "userMessage":
      let parts = (item["content"]?.arrayValue ?? []).compactMap { part in
        part["text"]?.stringValue.map { Part.text($0) } ?? part["url"]?.stringValue.map { Part(imageURL: $0) }
      }
      return parts.isEmpty ? nil : .message(.user, parts)
    case "agentMessage":
      guard let text = item["text"]?.stringValue, !text.isEmpty else { return nil }
      return .message(.assistant, [.text(text)])
    case "commandExecution":
      guard let command = item["command"]?.stringValue else { return nil }
      return .command(command, CommandStatus(rawValue: item["status"]?.stringValue ?? "") ?? .unfinished)
    default: return nil
    }
  }
}
