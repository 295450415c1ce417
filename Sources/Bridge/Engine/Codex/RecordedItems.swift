// The items of a turn that goes on elsewhere, as they are put into a thread. Pure.

/// What of a recording is injected.
struct RecordedItems {
  /// What Codex puts before the first message of a thread by itself, by how it names the kind: injected as well, it would
  /// stand there twice.
  private static let preludeKinds = [
    "generic.developer_instructions", "host_skills", "permissions", "agents_md", "environments",
    "collaboration_mode", "multi_agent",
  ]
  /// Codex would say of a call without output that it was aborted, as if it had not run.
  private static let unknownOutput =
    "What came of this call is not known: the program that ran it was stopped. It may have run; look before repeating it."

  private(set) var items: [JSONValue] = []
  /// The calls whose outputs are among the items.
  private(set) var outputIDs: Set<String> = []

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
    items.filter { !belongs($0, to: turnID) }
  }

  /// Whether an item is of a turn.
  static func belongs(_ text: String, to turnID: String) -> Bool {
    guard let item = try? JSONValue(parsing: Array(text.utf8)) else { return false }
    return self.turnID(of: item) == turnID
  }

  /// A part of the items of a turn; nil if they do not have it.
  static func keep(_ part: TurnPart, of texts: [String]) -> [String]? {
    let items = texts.compactMap { try? JSONValue(parsing: Array($0.utf8)) }
    let kept: [JSONValue]? =
      switch part {
      case .withoutDocuments: items.map(itemWithoutDocuments)
      case .cut(let seen, let afterCalls): cut(items, seen: seen, afterCalls: afterCalls)
      case .upToCalls(let ids): upToCalls(ids, items)
      }
    return kept?.map(\.jsonText)
  }

  /// What was said before the client's functions were called belongs to an answer before the one that was cut.
  private static func cut(_ items: [JSONValue], seen: String, afterCalls: Bool) -> [JSONValue]? {
    var first = 0
    if afterCalls {
      guard let call = items.lastIndex(where: { $0["namespace"]?.stringValue == ToolNames.namespace }) else {
        return nil
      }
      first = call
    }
    let done = items.indices.filter { index in
      !isAbortNotice(items[index]) && (index < first || role(of: items[index]) != .assistant)
    }.map { items[$0] }
    if seen.isEmpty { return done }
    return done + [
      ["type": "message", "role": "assistant", "content": [["type": "output_text", "text": .string(seen)]]]
    ]
  }

  /// What Codex adds to a turn that was interrupted, as user or as developer.
  private static func isAbortNotice(_ item: JSONValue) -> Bool { kind(of: item) == "generic.turn_aborted" }

  /// The outputs of Codex's own calls stay with them, wherever they stand.
  private static func upToCalls(_ ids: Set<String>, _ items: [JSONValue]) -> [JSONValue]? {
    let calls = items.indices.filter { !isOutput(items[$0]) && items[$0]["call_id"] != nil }
    let wanted = calls.filter { items[$0]["call_id"]?.stringValue.map(ids.contains) ?? false }
    // Some models number their calls anew in each response: the last ones are meant.
    guard let end = wanted.last, Set(wanted.compactMap { items[$0]["call_id"]?.stringValue }) == ids else {
      return nil
    }
    let before = Set(calls.prefix { $0 <= end }.compactMap { items[$0]["call_id"]?.stringValue }).subtracting(ids)
    return items.indices.filter { index in
      guard index > end else { return true }
      return isOutput(items[index]) && items[index]["call_id"]?.stringValue.map(before.contains) ?? false
    }.map { items[$0] }
  }

  private static func isOutput(_ item: JSONValue) -> Bool {
    item["type"]?.stringValue?.hasSuffix("_call_output") == true
  }

  /// A question as the user has asked it; any other item as it is.
  private static func itemWithoutDocuments(_ item: JSONValue) -> JSONValue {
    guard case .object(var object) = item, item["role"] == "user", let parts = item["content"]?.arrayValue else {
      return item
    }
    object["content"] = .array(parts.map(withoutDocuments))
    return .object(object)
  }

  private static func withoutDocuments(_ part: JSONValue) -> JSONValue {
    guard case .object(var object) = part, let text = object["text"]?.stringValue,
      ClientRewritings.withoutRetrieval(ClientRewritings.trimmed(text)) != nil
    else { return part }
    object["text"] = .string(ClientRewritings.asked(text))
    return .object(object)
  }

  /// The turn that an item belongs to.
  static func turnID(of item: JSONValue) -> String? { item[metadataKey]?["turn_id"]?.stringValue }

  private static let metadataKey = "internal_chat_message_metadata_passthrough"

  /// What user and assistant have said among the items of a thread.
  static func messages(in texts: [String]) -> [Conversation.Item] {
    texts.compactMap { text in
      guard let item = try? JSONValue(parsing: Array(text.utf8)), item["type"] == "message",
        let role = roleOfSpeaker(item)
      else { return nil }
      let parts = (item["content"]?.arrayValue ?? []).compactMap { part -> Conversation.Part? in
        part["text"]?.stringValue.map { .text($0) } ?? part["image_url"]?.stringValue.map { .image($0) }
      }
      return parts.isEmpty ? nil : .message(role, parts)
    }
  }

  /// Whether user or assistant has said a message; nil for what Codex and the developer tell.
  static func roleOfSpeaker(_ message: JSONValue) -> Conversation.Role? {
    let isSaid = kind(of: message).map { $0 == "unknown" || $0.hasPrefix("user.") } ?? true
    return isSaid ? role(of: message) : nil
  }

  private static func role(of item: JSONValue) -> Conversation.Role? {
    switch item["role"]?.stringValue {
    case "user": .user
    case "assistant": .assistant
    default: nil
    }
  }

  private static func isPrelude(_ item: JSONValue) -> Bool {
    kind(of: item).map { kind in preludeKinds.contains { kind.hasPrefix($0) } } ?? false
  }

  /// What Codex calls the first part of a message, as `user.text`; nil where it says nothing of it.
  private static func kind(of item: JSONValue) -> String? {
    item[metadataKey]?["content_item_kinds"]?.arrayValue?.first?.stringValue
  }

  private mutating func addMissingOutputs(_ coming: Set<String>) {
    for item in items where Self.isOutput(item) {
      if let id = item["call_id"]?.stringValue { outputIDs.insert(id) }
    }
    var known = coming.union(outputIDs)
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
