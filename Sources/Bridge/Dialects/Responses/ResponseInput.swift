// Reads the `input` of a response request, and the items of conversations, in all forms that clients send (OpenAI API reference,
// "Create a model response").

/// An entry of an input.
enum ResponseInput: Sendable {
  case message(Conversation.Message)
  case call(Conversation.ToolCall)
  case output(Conversation.ToolOutput)
  /// An item that was told before, by its id. `path` is where it stands, for errors.
  case reference(String, path: String)

  /// OpenAI takes as many items in a conversation as fit; each costs the loop some microseconds on its way to a turn.
  static let maxItems = 8192
  /// The largest number of parts in all items together.
  private static let maxParts = 8192
  /// The longest id of a call. Some gateways put a signature of kilobytes into it.
  private static let maxCallIDBytes = 32 << 10
  private static let maxIDBytes = 256

  /// The entries of an input, which is a text or an array of items. Items that say nothing to the model are left out, as Codex
  /// itself does with those that it does not know.
  static func read(_ input: FieldReader) throws(APIError) -> [ResponseInput] {
    if let text = input.value.stringValue {
      return [.message(Conversation.Message(role: .user, parts: [.text(text)]))]
    }
    guard case .array = input.value else { throw input.mismatch("a string or an array of items") }
    var entries: [ResponseInput] = []
    var partsLeft = maxParts
    for item in try input.array(atMost: maxItems) {
      guard let entry = try read(item: item, &partsLeft) else { continue }
      entries.append(entry)
    }
    return entries
  }

  /// Lists of tools that stand in an input: Codex, as a client, sends its own so for some models.
  static func additionalTools(_ input: FieldReader?) throws(APIError) -> [FieldReader] {
    guard let input, case .array = input.value else { return [] }
    return try input.array(atMost: maxItems).filter { $0.value["type"] == "additional_tools" }
      .compactMap { $0.optional("tools") }
  }

  /// Nil for an item that says nothing to the model.
  private static func read(item: FieldReader, _ partsLeft: inout Int) throws(APIError) -> ResponseInput? {
    if let text = item.value.stringValue {
      return .message(Conversation.Message(role: .user, parts: [.text(text)]))
    }
    _ = try item.object()
    switch try item.optional("type")?.shortString() ?? defaultType(of: item) {
    case "message": return .message(try message(item, &partsLeft))
    case "function_call":
      return .call(
        Conversation.ToolCall(
          id: try item.required("call_id").shortString(maxBytes: maxCallIDBytes),
          name: try name(of: item),
          arguments: try item.optional("arguments")?.string() ?? "{}"))
    case "function_call_output":
      let id = try item.required("call_id").shortString(maxBytes: maxCallIDBytes)
      guard let output = item.optional("output") else {
        return .output(Conversation.ToolOutput(callID: id, parts: []))
      }
      return .output(Conversation.ToolOutput(callID: id, parts: try parts(of: output, &partsLeft)))
    case "item_reference":
      let id = try item.required("id")
      return .reference(try id.shortString(maxBytes: maxIDBytes), path: item.path)
    default: return nil
    }
  }

  /// What a function is called here.
  private static func name(of call: FieldReader) throws(APIError) -> String {
    let name = try call.required("name").shortString()
    guard let namespace = try call.optional("namespace")?.shortString(), !namespace.isEmpty else { return name }
    return ToolFields.NamespacedName(namespace: namespace, name: name).full
  }

  /// A message needs no type, and a reference is sent without one by some.
  private static func defaultType(of item: FieldReader) -> String {
    item.optional("role") == nil && item.optional("id") != nil ? "item_reference" : "message"
  }

  private static func message(
    _ item: FieldReader, _ partsLeft: inout Int
  ) throws(APIError) -> Conversation.Message {
    let roleField = try item.required("role")
    let role: Conversation.Role
    switch try roleField.shortString() {
    case "user": role = .user
    case "assistant": role = .assistant
    case "system", "developer": role = .developer
    default:
      throw .invalid(
        "Invalid value for '\(roleField.path)': expected user, assistant, system or developer.",
        param: roleField.path)
    }
    guard let content = item.optional("content") else { return Conversation.Message(role: role, parts: []) }
    return Conversation.Message(role: role, parts: try parts(of: content, &partsLeft))
  }

  private static func parts(
    of content: FieldReader, _ partsLeft: inout Int
  ) throws(APIError) -> [Conversation.Part] {
    if let text = content.value.stringValue { return text.isEmpty ? [] : [.text(text)] }
    guard case .array = content.value else { throw content.mismatch("a string or an array of parts") }
    let entries = try content.array()
    partsLeft -= entries.count
    guard partsLeft >= 0 else {
      throw .invalid(
        "'\(content.path)' is too long: the items have more than \(maxParts) parts.", param: content.path)
    }
    var parts: [Conversation.Part] = []
    for entry in entries { parts.append(try ContentPart.read(entry)) }
    return parts
  }
}

extension [ResponseInput] {
  /// What calls and outputs have to have among the items.
  enum Check: Sendable {
    /// Each call its output, and each output its call: nothing comes before the items.
    case both
    /// Each call its output.
    case calls
    /// What follows the items may have the outputs.
    case nothing
  }

  /// The items of a conversation. An answer that only calls functions has an empty message before its calls, as in chat.
  func items(checking check: Check) throws(APIError) -> [Conversation.Item] {
    var items: [Conversation.Item] = []
    items.reserveCapacity(count)
    var open: [String] = []
    var called: Set<String> = []
    var answered: Set<String> = []
    for entry in self {
      switch entry {
      case .message(let message): items.append(.message(message))
      case .call(let call):
        if items.last?.callID == nil, items.last?.message(of: .assistant) == nil {
          items.append(.message(.assistant, []))
        }
        items.append(.toolCall(call))
        open.append(call.id)
        called.insert(call.id)
      case .output(let output):
        guard check != .both || called.contains(output.callID) else { throw .outputWithoutCall(output.callID) }
        answered.insert(output.callID)
        items.append(.toolOutput(output))
      case .reference: break
      }
    }
    if check != .nothing, let id = open.first(where: { !answered.contains($0) }) {
      throw .missingOutput(of: id, field: "input")
    }
    return items
  }
}

extension ResponseInput {
  /// Items of an input as objects with ids, as they are listed. `leavesImagesOut`: those that stand in the request, which may have
  /// megabytes.
  static func objects(
    _ items: [Conversation.Item], _ ids: ResponseIDs, leavesImagesOut: Bool
  ) -> [(id: String, object: JSONValue)] {
    var objects: [(id: String, object: JSONValue)] = []
    for item in items {
      let number = objects.count
      switch item {
      case .message(let message):
        // The empty message before calls is none of the client's.
        if message.role == .assistant, message.parts.isEmpty { continue }
        let id = ids.input("msg_", number)
        objects.append((id, object(message, id, leavesImagesOut: leavesImagesOut)))
      case .toolCall(let call):
        let id = ids.input("fc_", number)
        objects.append((id, ResponseItem(id: id, content: .call(call, nil), status: .completed).object))
      case .toolOutput(let output):
        let id = ids.input("fco_", number)
        let parts = JSONValue.array(output.parts.map { part($0, "input_text", leavesImagesOut) })
        objects.append(
          (
            id,
            [
              "id": .string(id), "type": "function_call_output", "status": "completed",
              "call_id": .string(output.callID),
              "output": output.parts.contains(where: \.isImage) ? parts : .string(output.text),
            ]
          ))
      case .reasoning: break
      }
    }
    return objects
  }

  private static func object(
    _ message: Conversation.Message, _ id: String, leavesImagesOut: Bool
  ) -> JSONValue {
    let (role, type): (JSONValue, JSONValue) =
      switch message.role {
      case .developer: ("developer", "input_text")
      case .user: ("user", "input_text")
      case .assistant: ("assistant", "output_text")
      }
    return [
      "id": .string(id), "type": "message", "status": "completed", "role": role,
      "content": .array(message.parts.map { part($0, type, leavesImagesOut) }),
    ]
  }

  private static func part(_ part: Conversation.Part, _ type: JSONValue, _ leavesImagesOut: Bool) -> JSONValue {
    switch part {
    case .text(let text):
      var object: JSONObject = JSONObject()
      object["type"] = type
      object["text"] = .string(text)
      if type == "output_text" { (object["annotations"], object["logprobs"]) = ([], []) }
      return .object(object)
    case .image(let url, _):
      let isLeftOut = leavesImagesOut && url.utf8.span.hasPrefix(inAnyCase: "data:")
      return ["type": "input_image", "detail": "auto", "image_url": isLeftOut ? .null : .string(url)]
    }
  }
}
