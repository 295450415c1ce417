// The request of POST /v1/chat/completions, decoded (OpenAI API reference, "Create chat completion").

/// A chat request, checked for types and for what cannot be done.
struct ChatRequest: Sendable, Equatable {
  enum Role: String, Sendable {
    case system
    case developer
    case user
    case assistant
    case tool
    case function

    var isInstruction: Bool { self == .system || self == .developer }
  }

  enum Part: Sendable, Equatable {
    case text(String)
    /// An image and the path of its part, for errors.
    case image(url: String, path: String)
  }

  struct ToolCall: Sendable, Equatable {
    let id: String
    let name: String
    let arguments: String
  }

  struct Message: Sendable, Equatable {
    let role: Role
    var parts: [Part]
    var toolCalls: [ToolCall] = []
    /// Of role `tool`, or the function's name of role `function`.
    var toolCallID: String?

    /// The text parts joined.
    var text: String {
      parts.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined(separator: "\n")
    }
  }

  enum Format: Sendable, Equatable {
    case text
    case jsonObject
    case jsonSchema(JSONValue)
  }

  /// A reasoning effort and the field that named it.
  struct Effort: Sendable, Equatable {
    let name: String
    let field: String
  }

  var model: String?
  var effort: Effort?
  var messages: [Message]
  var isStream = false
  var includesUsage = false
  var format = Format.text
  var stop: [String] = []
  /// The session named in the body, and by which field.
  var session: (id: String, field: String)?
  /// Fields of the body that would name a session if their template had been filled in.
  var unfilledSessionFields: [String] = []
  /// Messages at the start whose images have not been looked at, because they were not going to be sent.
  var uncheckedMessages = 0
  /// The pixels of the largest image that was looked at, by the memory they take.
  var largestImage = 0
  /// Whether to make a turn of it would hold up the loop.
  private(set) var isLarge = false
  /// Parameters that were sent and have no effect.
  var ignored: [String] = []

  static func == (left: ChatRequest, right: ChatRequest) -> Bool {
    left.model == right.model && left.effort == right.effort && left.messages == right.messages
      && left.isStream == right.isStream && left.includesUsage == right.includesUsage
      && left.format == right.format && left.stop == right.stop && left.session?.id == right.session?.id
      && left.ignored == right.ignored
  }
}

extension ChatRequest {
  /// Parameters that clients send by default and that Codex has no switch for.
  private static let ignoredNames = [
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty",
    "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "store", "metadata", "service_tier",
    "verbosity", "prediction", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "parallel_tool_calls", "web_search_options", "top_k", "min_p", "repetition_penalty",
  ]
  private static let maxStops = 4
  /// What may have been a stop sequence is held back while a stream goes on.
  private static let maxStopBytes = 1024
  /// Clients of many MCP servers send hundreds.
  private static let maxTools = 2048
  private static let maxModalities = 16
  /// OpenAI takes schemas of 5000 properties, and 120,000 characters of names.
  private static let maxSchemaBytes = 256 << 10
  /// What is made of more text, or of more messages and parts, is made beside the loop.
  private static let maxSmallBytes = 128 << 10
  private static let maxSmallParts = 512

  /// Decodes a body; the error names the field that is wrong.
  init(_ body: JSONValue, userIsSession: Bool, ignoresTools: Bool = false) throws(APIError) {
    let reader = FieldReader(body)
    guard case .object = body else {
      throw .invalid("The request body must be a JSON object, but is \(body.typeName).")
    }
    messages = try Self.messages(reader)
    isLarge = Self.isLarge(messages)
    model = try reader.optional("model")?.shortString()
    if model?.isEmpty == true { model = nil }
    effort = try Self.effort(reader)
    isStream = try reader.optional("stream")?.bool() ?? false
    if let options = reader.optional("stream_options") {
      _ = try options.object()
      includesUsage = try options.optional("include_usage")?.bool() ?? false
    }
    format = try Self.format(reader)
    stop = try Self.stop(reader)
    (session, unfilledSessionFields) = try Self.session(reader, userIsSession: userIsSession)
    try Self.refuseImpossible(reader)
    let tools = try Self.tools(reader)
    if !ignoresTools, let tool = tools.first(where: { !$0.isSwitchedOff(reader) }) {
      throw .invalid(
        "Function tools of the client are not supported: Codex brings its own. Leave out '\(tool.list)', set "
          + "'\(tool.choice)' to \"none\", or let the bridge ignore them (\(Settings.clientTools.name)=ignore).",
        param: tool.list)
    }
    let names = tools.map(\.list) + ToolField.all.map(\.choice) + Self.ignoredNames
    ignored = names.filter { reader.optional($0) != nil }
    if !userIsSession, reader.optional("user") != nil { ignored.append("user") }
  }

  private static func isLarge(_ messages: [Message]) -> Bool {
    var bytes = 0
    var parts = 0
    for message in messages {
      parts += 1 + message.parts.count + message.toolCalls.count
      for part in message.parts { if case .text(let text) = part { bytes += text.utf8.count } }
      for call in message.toolCalls { bytes += call.arguments.utf8.count }
    }
    return bytes > maxSmallBytes || parts > maxSmallParts
  }

  private static func effort(_ reader: FieldReader) throws(APIError) -> Effort? {
    var effort = reader.optional("reasoning_effort") ?? reader.optional("model_reasoning_effort")
    if effort == nil, let reasoning = reader.optional("reasoning") {
      _ = try reasoning.object()
      effort = reasoning.optional("effort")
    }
    guard let effort, case let name = try effort.shortString(), !name.isEmpty else { return nil }
    return Effort(name: name, field: effort.path)
  }

  private static func format(_ reader: FieldReader) throws(APIError) -> Format {
    for name in ["output_schema", "outputSchema"] {
      if let schema = reader.optional(name) { return try jsonSchema(schema) }
    }
    guard let format = reader.optional("response_format") else { return .text }
    _ = try format.object()
    let type = try format.required("type")
    switch try type.shortString() {
    case "text": return .text
    case "json_object": return .jsonObject
    case "json_schema":
      let outer = try format.required("json_schema")
      _ = try outer.object()
      return try jsonSchema(try outer.required("schema"))
    default:
      throw .invalid(
        "Invalid value for '\(type.path)': expected text, json_object or json_schema.", param: type.path)
    }
  }

  private static func jsonSchema(_ schema: FieldReader) throws(APIError) -> Format {
    _ = try schema.object()
    guard !schema.value.isLonger(than: maxSchemaBytes) else {
      throw .invalid("'\(schema.path)' is longer than \(maxSchemaBytes) bytes.", param: schema.path)
    }
    return .jsonSchema(schema.value)
  }

  private static func stop(_ reader: FieldReader) throws(APIError) -> [String] {
    guard let stop = reader.optional("stop") else { return [] }
    if case .string = stop.value { return [try stop.shortString(maxBytes: maxStopBytes)].filter { !$0.isEmpty } }
    guard case .array = stop.value else { throw stop.mismatch("a string or an array of strings") }
    let entries = try stop.array()
    guard entries.count <= maxStops else {
      throw .invalid("'stop' takes at most \(maxStops) sequences.", param: "stop")
    }
    var result: [String] = []
    for entry in entries { result.append(try entry.shortString(maxBytes: maxStopBytes)) }
    return result.filter { !$0.isEmpty }
  }

  private static func session(
    _ reader: FieldReader,
    userIsSession: Bool
  ) throws(APIError) -> (named: (id: String, field: String)?, unfilled: [String]) {
    var unfilled: [String] = []
    for name in ["session_id", "conversation_id", "thread_id"] + (userIsSession ? ["user"] : []) {
      guard let field = reader.optional(name) else { continue }
      let id = try field.string()
      if id.isEmpty { continue }
      if SessionID.isUnfilled(id) {
        unfilled.append(name)
      } else {
        return ((try SessionID.checked(id, field: name), name), unfilled)
      }
    }
    return (nil, unfilled)
  }

  /// What would silently change the meaning of the answer is refused.
  private static func refuseImpossible(_ reader: FieldReader) throws(APIError) {
    if let n = reader.optional("n"), try n.int() != 1 {
      throw .invalid("Only one choice per request is possible: 'n' must be 1.", param: "n")
    }
    if reader.optional("logprobs")?.value == .bool(true) {
      throw .invalid("Log probabilities are not available.", param: "logprobs")
    }
    if let modalities = reader.optional("modalities") {
      for entry in try modalities.array(atMost: maxModalities) where try entry.shortString() != "text" {
        throw .invalid("The only output modality is text.", param: "modalities")
      }
    }
    if reader.optional("audio") != nil {
      throw .invalid("Audio output is not available.", param: "audio")
    }
  }

  /// A field that brings tools, and the one that says which may be called. There is an older form.
  private struct ToolField {
    let list: String
    let choice: String

    static let all = [
      ToolField(list: "tools", choice: "tool_choice"), ToolField(list: "functions", choice: "function_call"),
    ]

    /// Whether no tool may be called. Clients of the older form may say so in the newer one.
    func isSwitchedOff(_ reader: FieldReader) -> Bool {
      [choice, "tool_choice"].contains {
        reader.optional($0)?.value.stringValue?.utf8.elementsEqual("none".utf8) == true
      }
    }
  }

  /// The fields that bring tools.
  private static func tools(_ reader: FieldReader) throws(APIError) -> [ToolField] {
    var found: [ToolField] = []
    for field in ToolField.all {
      if let tools = reader.optional(field.list), try !tools.array(atMost: maxTools).isEmpty {
        found.append(field)
      }
    }
    return found
  }
}
