// The items of a turn that goes on elsewhere, as they are put into a thread. Pure.

/// What of a recording is injected.
struct RecordedItems {
  /// What Codex puts before the first message of a thread by itself, by how it names the kind: injected as well, it would
  /// stand there twice.
  private static let preludeKinds = [
    "generic.developer_instructions", "host_skills", "permissions", "environments", "collaboration_mode",
    "multi_agent",
  ]
  /// Codex would say of a call without output that it was aborted, as if it had not run.
  private static let unknownOutput =
    "What came of this call is not known: the program that ran it was stopped. It may have run; look before repeating it."

  private(set) var items: [JSONValue] = []

  /// `outputs` follow the items.
  init(_ recorded: [String], outputs: [Conversation.ToolOutput]) {
    for text in recorded {
      guard let item = try? JSONValue(parsing: Array(text.utf8)), !Self.isPrelude(item) else { continue }
      items.append(item)
    }
    addMissingOutputs(Set(outputs.map(\.callID)))
  }

  /// Items of a thread without those of one of its turns.
  static func without(_ turnID: String, _ items: [String]) -> [String] {
    items.filter { text in
      guard let item = try? JSONValue(parsing: Array(text.utf8)) else { return false }
      return item[metadataKey]?["turn_id"]?.stringValue != turnID
    }
  }

  private static let metadataKey = "internal_chat_message_metadata_passthrough"

  private static func isPrelude(_ item: JSONValue) -> Bool {
    let metadata = item[metadataKey]
    guard let kind = metadata?["content_item_kinds"]?.arrayValue?.first?.stringValue else { return false }
    return preludeKinds.contains { kind.hasPrefix($0) }
  }

  private mutating func addMissingOutputs(_ coming: Set<String>) {
    var known = coming
    for item in items where item["type"]?.stringValue?.hasSuffix("_call_output") == true {
      if let id = item["call_id"]?.stringValue { known.insert(id) }
    }
    for item in items {
      guard let id = item["call_id"]?.stringValue, !known.contains(id), let type = item["type"]?.stringValue,
        ["function_call", "custom_tool_call"].contains(type)
      else { continue }
      known.insert(id)
      items.append([
        "type": .string(type + "_output"), "call_id": .string(id), "output": .string(Self.unknownOutput),
      ])
    }
  }
}
