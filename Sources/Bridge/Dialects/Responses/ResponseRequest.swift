// Decodes the request of POST /v1/responses (OpenAI API reference, "Create a model response").

/// A response request whose types were checked, and in which nothing is asked for that the bridge cannot do.
struct ResponseRequest: Sendable {
  /// What is asked, once `setInput` has been called.
  private(set) var ask: Ask
  let input: [ResponseInput]
  /// The functions that stand in namespaces, by what they are called here.
  let namespaced: [String: ToolFields.NamespacedName]
  /// What every object of the response tells of the request (`ResponseEcho.text`).
  let echo: [UInt8]
  /// What the developer says for this request alone; nil for nothing.
  let instructions: String?
  /// Whether the response is kept.
  let isStored: Bool
  /// Whether it is made whether or not anybody waits for it.
  let isBackground: Bool
  /// The response that it goes on from.
  let previous: String?
  /// The conversation that it belongs to.
  let conversation: String?
  /// Whether anything is to be answered. Codex, as a client, first sends what it will go on from.
  let generates: Bool

  /// What the request says that is not in its body.
  struct Context: Sendable {
    var userIsSession = true
    /// Whether another Codex asks, whose own tools nobody else can run.
    var isFromCodex = false
    /// Whether it is a message of a WebSocket.
    var isMessage = false
  }

  /// Parameters that have no effect, because Codex has no switch for them.
  private static let ignoredNames = [
    "temperature", "top_p", "max_output_tokens", "max_tool_calls", "top_logprobs", "service_tier",
    "safety_identifier", "presence_penalty", "frequency_penalty", "prompt_cache_retention", "moderation",
    "context_management", "background_options", "access_programs",
  ]
  private static let maxIDBytes = 512
  /// OpenAI takes sixteen values of 512 characters.
  static let maxMetadataBytes = 64 << 10

  /// Decodes a body; the error names the field that is wrong.
  init(_ body: JSONValue, _ context: Context) throws(APIError) {
    let reader = try FieldReader(body: body)
    try Self.refuseImpossible(reader)
    if context.isMessage { try Self.checkType(reader) }
    generates = context.isMessage ? try reader.optional("generate")?.bool() ?? true : true
    previous = try reader.optional("previous_response_id")?.shortString(maxBytes: Self.maxIDBytes)
    conversation = try Self.conversation(reader)
    guard previous == nil || conversation == nil else {
      throw .invalid(
        "'previous_response_id' and 'conversation' exclude each other.", param: "previous_response_id",
        code: "mutually_exclusive_parameters")
    }
    isStored = try reader.optional("store")?.bool() ?? true
    isBackground = try reader.optional("background")?.bool() ?? false
    guard isStored || !isBackground else {
      throw .invalid(
        "A response in the background has to be stored: 'store' must not be false.", param: "background")
    }
    input = try Self.input(reader, mayBeEmpty: previous != nil || conversation != nil)
    ask = try AskFields(
      Conversation(items: []), reader, userIsSession: context.userIsSession, ignoring: Self.ignoredNames
    ).ask
    ask.summary = try Self.summary(reader)
    if context.isMessage { ask.isStreamed = true }
    ask.conversation.format = try Self.format(reader)
    ask.keeping = isStored ? .underName : .none
    ask.conversation.isContinuation = previous != nil || conversation != nil
    let tools = try ToolFields(
      reader, more: ResponseInput.additionalTools(reader.optional("input")), dropsOthers: context.isFromCodex)
    ask.take(tools)
    namespaced = tools.namespaced
    if let truncation = reader.optional("truncation"), truncation.value != "disabled" {
      ask.ignored.append("truncation")
    }
    if let verbosity = reader.optional("text")?.optional("verbosity"), verbosity.value != "medium" {
      ask.ignored.append("text.verbosity")
    }
    try Self.checkMetadata(reader)
    echo = ResponseEcho.text(reader, tools, isStored: isStored, conversation: conversation)
    let instructions = try reader.optional("instructions")?.string() ?? ""
    self.instructions = instructions.isEmpty ? nil : instructions
    if !instructions.isEmpty {
      ask.conversation.items = [.message(.developer, [.text(instructions)])]
    }
    if references.isEmpty { try setInput(input) }
  }

  /// The items that the input refers to, by their ids and where they stand.
  var references: [(id: String, path: String)] {
    input.compactMap { if case .reference(let id, let path) = $0 { (id, path) } else { nil } }
  }

  /// Makes what is asked of the input, in which no reference is left. To be called once.
  mutating func setInput(_ input: [ResponseInput]) throws(APIError) {
    ask.conversation.items += try input.items(checking: ask.conversation.isContinuation ? .calls : .both)
    let items = ask.conversation.items
    if !ask.conversation.tools.functions.isEmpty || items.contains(where: { $0.outputID != nil }) {
      ask.said = SHA256Digest.said(in: items)
    }
  }

  private static func checkType(_ reader: FieldReader) throws(APIError) {
    let type = try reader.required("type")
    guard try type.shortString() == "response.create" else {
      throw .invalid("Invalid value for 'type': expected response.create.", param: "type")
    }
  }

  /// Makes the request one that goes on from what was said on the same WebSocket.
  mutating func follow(_ items: [Conversation.Item]) { ask = ask.following(items) }

  /// Adds instructions that the request has not given.
  mutating func addInstructions(_ text: String) {
    ask.conversation.items.insert(.message(.developer, [.text(text)]), at: 0)
  }

  /// Makes the request one of a conversation of which these items, JSON texts, come before its own. `isWhole`: these are all of
  /// them.
  mutating func join(_ conversation: String, _ objects: [String], isWhole: Bool) throws(APIError) {
    ask.sessions = [Ask.SessionName(id: conversation, field: "conversation")]
    var before: [ResponseInput] = []
    for object in objects {
      guard let value = try? JSONValue(parsing: object) else { continue }
      before += try ResponseInput.read(FieldReader(.array([value]), path: "conversation"))
    }
    let items = try before.items(checking: .nothing)
    if isWhole {
      ask = ask.following(items)
      ask.startsAnew = true
    } else if !items.isEmpty {
      ask = ask.following(items)
      ask.conversation.isContinuation = true
    }
  }

  private static func input(_ reader: FieldReader, mayBeEmpty: Bool) throws(APIError) -> [ResponseInput] {
    guard let field = reader.optional("input") else {
      guard mayBeEmpty else {
        throw .invalid("Missing required parameter: 'input'.", param: "input", code: "missing_required_parameter")
      }
      return []
    }
    let entries = try ResponseInput.read(field)
    guard mayBeEmpty || !entries.isEmpty else {
      throw .invalid("'input' must contain something to answer.", param: "input")
    }
    return entries
  }

  private static func conversation(_ reader: FieldReader) throws(APIError) -> String? {
    guard let field = reader.optional("conversation") else { return nil }
    return try (field.value.objectValue == nil ? field : field.required("id")).shortString(maxBytes: maxIDBytes)
  }

  private static func checkMetadata(_ reader: FieldReader) throws(APIError) {
    guard let metadata = reader.optional("metadata") else { return }
    _ = try metadata.object()
    guard !metadata.value.isLonger(than: maxMetadataBytes) else {
      throw .invalid("'metadata' is longer than \(maxMetadataBytes) bytes.", param: "metadata")
    }
  }

  private static func summary(_ reader: FieldReader) throws(APIError) -> ReasoningSummary? {
    guard let reasoning = reader.optional("reasoning"),
      let field = reasoning.optional("summary") ?? reasoning.optional("generate_summary")
    else { return nil }
    guard let summary = ReasoningSummary(rawValue: try field.shortString()) else {
      throw .invalid("Invalid value for '\(field.path)': expected auto, concise or detailed.", param: field.path)
    }
    return summary
  }

  private static func format(_ reader: FieldReader) throws(APIError) -> Conversation.Format {
    guard let text = reader.optional("text") else { return .text }
    _ = try text.object()
    guard let format = text.optional("format") else { return .text }
    _ = try format.object()
    let type = try format.required("type")
    switch try type.shortString() {
    case "text": return .text
    case "json_object": return .jsonObject
    case "json_schema": return try ChatRequest.jsonSchema(try format.required("schema"))
    default:
      throw .invalid(
        "Invalid value for '\(type.path)': expected text, json_object or json_schema.", param: type.path)
    }
  }

  /// Refuses parameters that the bridge cannot follow and that would change the meaning of the answer if they were ignored.
  private static func refuseImpossible(_ reader: FieldReader) throws(APIError) {
    if reader.optional("prompt") != nil {
      throw .invalid(
        "Prompt templates are kept at OpenAI; send what they say as 'instructions' and 'input'.", param: "prompt")
    }
    if let count = reader.optional("top_logprobs"), try count.int() > 0 {
      throw .invalid("Log probabilities are not available.", param: "top_logprobs")
    }
    guard let include = reader.optional("include") else { return }
    for entry in try include.array(atMost: 64) where try entry.shortString() == "message.output_text.logprobs" {
      throw .invalid("Log probabilities are not available.", param: entry.path)
    }
  }
}
