// Reads the `messages` of a chat request: their roles, and their contents in all forms that clients send.

extension ChatRequest {
  /// OpenAI takes 2048 messages. Each costs the loop some microseconds on its way to a turn.
  static let maxMessages = 4096
  /// The largest number of parts and tool calls in all messages together. Each costs the loop time, too.
  static let maxParts = 8192
  /// The longest id of a tool call. Some gateways put a signature of kilobytes into it.
  private static let maxCallIDBytes = 32 << 10

  private enum Role: String {
    case system
    case developer
    case user
    case assistant
    case tool
    case function
  }

  /// A message that was read. It becomes one item, and one more for each tool call of the assistant.
  private struct Message {
    let role: Role
    let parts: [Conversation.Part]
    var toolCalls: [Conversation.ToolCall] = []
    /// The call that a message of role `tool` answers; for role `function`, whose calls have no ids, the function's name.
    var toolCallID = ""
    /// Of role `function`.
    var functionName: String?

    var partCount: Int { parts.count + toolCalls.count }

    func append(to items: inout [Conversation.Item]) {
      switch role {
      case .system, .developer: items.append(.message(.developer, parts))
      case .user: items.append(.message(.user, parts))
      case .assistant:
        items.append(.message(.assistant, parts))
        for call in toolCalls { items.append(.toolCall(call)) }
      case .tool, .function:
        items.append(
          .toolOutput(Conversation.ToolOutput(callID: toolCallID, functionName: functionName, parts: parts)))
      }
    }
  }

  static func items(_ reader: FieldReader) throws(APIError) -> [Conversation.Item] {
    let list = try reader.required("messages").array(atMost: maxMessages)
    guard !list.isEmpty else {
      throw .invalid("'messages' must contain at least one message.", param: "messages")
    }
    var result: [Conversation.Item] = []
    result.reserveCapacity(list.count)
    var parts = 0
    var emptyQuestions = EmptyQuestions()
    var openCalls = OpenCalls()
    for entry in list {
      var message = try message(entry, maxParts: maxParts - parts)
      try openCalls.take(&message, at: entry.path)
      parts += message.partCount
      emptyQuestions.count(message, hasContent: entry.optional("content") != nil)
      message.append(to: &result)
    }
    try openCalls.end()
    guard !emptyQuestions.areAll else {
      throw .invalid("'messages' must contain something to answer: every 'content' is null.", param: "messages")
    }
    return result
  }

  /// The calls of an assistant's message that have no output yet. Each must get one before the assistant says something else:
  /// a model that sees a call without its output cannot be asked.
  private struct OpenCalls {
    private var calls: [Conversation.ToolCall] = []
    /// The ids of those without output.
    private var open: Set<String> = []
    private var path = ""

    /// Takes the next message. One that names a function instead of a call is given the call's id.
    mutating func take(_ message: inout Message, at path: String) throws(APIError) {
      switch message.role {
      case .assistant:
        try end()
        calls = message.toolCalls
        open = Set(calls.map(\.id))
        self.path = path
      case .tool: open.remove(message.toolCallID)
      case .function:
        // The form that names functions has one call in a message.
        guard let call = calls.first, call.name == message.functionName else { return }
        message.toolCallID = call.id
        open.remove(call.id)
      case .system, .developer, .user: break
      }
    }

    func end() throws(APIError) {
      guard !open.isEmpty, let call = calls.first(where: { open.contains($0.id) }) else { return }
      throw .invalid(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
          + "'tool_call_id'. There is none for '\(call.id.beginning(ofBytes: 60))'.", param: path)
    }
  }

  /// Whether there is anything to answer. Empty text is a question, if an odd one; null is none. Instructions alone are one
  /// where there is nothing else.
  private struct EmptyQuestions {
    private var asked = 0
    private var askedWithContent = 0
    private var instructedWithContent = 0

    mutating func count(_ message: Message, hasContent: Bool) {
      let isInstruction = message.role == .system || message.role == .developer
      if !isInstruction { asked += 1 }
      guard hasContent || !message.toolCalls.isEmpty else { return }
      if isInstruction { instructedWithContent += 1 } else { askedWithContent += 1 }
    }

    var areAll: Bool { (asked == 0 ? instructedWithContent : askedWithContent) == 0 }
  }

  private static func message(_ reader: FieldReader, maxParts: Int) throws(APIError) -> Message {
    _ = try reader.object()
    let roleField = try reader.required("role")
    guard let role = Role(rawValue: try roleField.shortString()) else {
      throw .invalid(
        "Invalid value for '\(roleField.path)': expected system, developer, user, assistant, tool or function.",
        param: roleField.path)
    }
    var message = Message(role: role, parts: try content(reader, role: role, maxParts: maxParts))
    if role == .assistant { message.toolCalls = try toolCalls(reader, atMost: maxParts - message.parts.count) }
    if role == .tool {
      message.toolCallID = try reader.required("tool_call_id").shortString(maxBytes: maxCallIDBytes)
    }
    if role == .function {
      let name = try reader.required("name").shortString()
      message.functionName = name
      message.toolCallID = name
    }
    return message
  }

  private static func content(_ reader: FieldReader, role: Role, maxParts: Int) throws(APIError) -> [Conversation
    .Part]
  {
    guard let content = reader.optional("content") else {
      // A message of an assistant that only called tools may have no content.
      guard role == .assistant || reader.value["content"] != nil else {
        let path = "\(reader.path).content"
        throw .invalid("Missing required parameter: '\(path)'.", param: path)
      }
      return []
    }
    if let text = content.value.stringValue { return text.isEmpty ? [] : [.text(text)] }
    guard case .array = content.value else { throw content.mismatch("a string or an array of parts") }
    var parts: [Conversation.Part] = []
    for entry in try elements(of: content, atMost: maxParts) { parts.append(try ContentPart.read(entry)) }
    return parts
  }

  /// The elements of an array whose number is limited together with those of the other messages.
  private static func elements(
    of field: FieldReader, atMost limit: Int
  ) throws(APIError) -> LazyMapSequence<Range<Int>, FieldReader> {
    let elements = try field.array()
    guard elements.count <= limit else {
      throw .invalid(
        "'\(field.path)' is too long: the messages have more than \(maxParts) parts and tool calls.",
        param: field.path)
    }
    return elements
  }

  private static func toolCalls(_ reader: FieldReader, atMost limit: Int) throws(APIError) -> [Conversation
    .ToolCall]
  {
    if let call = reader.optional("function_call") {
      let name = try call.required("name").shortString()
      return [
        Conversation.ToolCall(
          id: "\(reader.path):\(name)", name: name, arguments: try call.optional("arguments")?.string() ?? "{}")
      ]
    }
    guard let calls = reader.optional("tool_calls") else { return [] }
    var result: [Conversation.ToolCall] = []
    for call in try elements(of: calls, atMost: limit) {
      let function = try call.required("function")
      result.append(
        Conversation.ToolCall(
          id: try call.required("id").shortString(maxBytes: maxCallIDBytes),
          name: try function.required("name").shortString(),
          arguments: try function.optional("arguments")?.string() ?? "{}"
        ))
    }
    return result
  }
}
