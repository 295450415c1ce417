// Decodes the request of POST /v1/chat/completions (OpenAI API reference, "Create chat completion").

/// A chat request whose types were checked, and in which nothing is asked for that the bridge cannot do.
struct ChatRequest: Sendable, Equatable {
  var ask: Ask
  /// Whether the client of a stream wants a last chunk with the usage.
  var includesUsage = false
  /// Whether the functions came in the older form, in which an answer calls one at most and names no call.
  var usesLegacyCalls = false
}

extension ChatRequest {
  /// Parameters that have no effect, because Codex has no switch for them. They are accepted because many clients send them
  /// by default.
  private static let ignoredNames = [
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty",
    "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "store", "metadata", "service_tier",
    "verbosity", "prediction", "prompt_cache_retention", "safety_identifier",
    "top_k", "min_p", "repetition_penalty",
  ]
  /// As many as OpenAI takes.
  private static let maxStops = 4
  /// The longest stop sequence. A stream holds back text as long as it may become one.
  private static let maxStopBytes = 1024
  private static let maxModalities = 16
  /// A longer one tells nothing. OpenAI takes 64 characters.
  private static let maxCacheKeyBytes = 256
  /// OpenAI takes schemas of 5000 properties with 120,000 characters of names.
  private static let maxSchemaBytes = 256 << 10
  /// Decodes a body; the error names the field that is wrong.
  init(_ body: JSONValue, userIsSession: Bool) throws(APIError) {
    let reader = FieldReader(body)
    guard case .object = body else {
      throw .invalid("The request body must be a JSON object, but is \(body.typeName).")
    }
    ask = Ask(conversation: Conversation(items: try Self.items(reader)))
    ask.model = try reader.optional("model")?.shortString()
    if ask.model?.isEmpty == true { ask.model = nil }
    ask.effort = try Self.effort(reader)
    ask.isStreamed = try reader.optional("stream")?.bool() ?? false
    if let options = reader.optional("stream_options") {
      _ = try options.object()
      includesUsage = try options.optional("include_usage")?.bool() ?? false
    }
    ask.conversation.format = try Self.format(reader)
    ask.stops = try Self.stop(reader)
    ask.cacheKey = Self.cacheKey(body)
    (ask.sessions, ask.unfilledSessionFields) = try Self.sessions(reader, userIsSession: userIsSession)
    try Self.refuseImpossible(reader)
    let tools = try ToolFields(reader)
    ask.take(tools)
    if !tools.tools.functions.isEmpty || ask.conversation.items.contains(where: { $0.outputID != nil }) {
      ask.said = SHA256Digest.said(in: ask.conversation.items)
    }
    usesLegacyCalls = tools.isLegacy
    ask.ignored += Self.ignoredNames.filter { reader.optional($0) != nil }
    if ask.sessions.contains(where: { $0.field == "metadata.session_id" }) {
      ask.ignored.removeAll { $0 == "metadata" }
    }
    if !userIsSession, reader.optional("user") != nil { ask.ignored.append("user") }
  }

  /// The client's key to its provider's cache; nil for one that tells nothing.
  static func cacheKey(_ body: JSONValue) -> String? {
    body["prompt_cache_key"]?.stringValue.flatMap { $0.utf8.count <= maxCacheKeyBytes ? $0 : nil }
  }

  private static func effort(_ reader: FieldReader) throws(APIError) -> Ask.Effort? {
    var effort = reader.optional("reasoning_effort") ?? reader.optional("model_reasoning_effort")
    if effort == nil, let reasoning = reader.optional("reasoning") {
      _ = try reasoning.object()
      effort = reasoning.optional("effort")
    }
    guard let effort, case let name = try effort.shortString(), !name.isEmpty else { return nil }
    return Ask.Effort(name: name, field: effort.path)
  }

  private static func format(_ reader: FieldReader) throws(APIError) -> Conversation.Format {
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

  static func jsonSchema(_ schema: FieldReader) throws(APIError) -> Conversation.Format {
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

  /// The first of the fields that are made to name a session; then those that may be meant so: what some clients put into the
  /// metadata, and the user.
  static func sessions(
    _ reader: FieldReader, userIsSession: Bool
  ) throws(APIError) -> (named: [Ask.SessionName], unfilled: [String]) {
    var named: [Ask.SessionName] = []
    var unfilled: [String] = []
    for name in ["session_id", "conversation_id", "thread_id"] where named.isEmpty {
      if let field = reader.optional(name) { try add(field, to: &named, &unfilled) }
    }
    guard named.isEmpty else { return (named, unfilled) }
    if let field = reader.optional("metadata"), case .object = field.value,
      let id = field.optional("session_id"), case .string = id.value
    {
      try add(id, to: &named, &unfilled)
    }
    if userIsSession, let user = reader.optional("user") { try add(user, to: &named, &unfilled) }
    return (named, unfilled)
  }

  private static func add(
    _ field: FieldReader, to named: inout [Ask.SessionName], _ unfilled: inout [String]
  ) throws(APIError) {
    let id = try field.string()
    if id.isEmpty { return }
    guard !SessionID.isUnfilled(id) else { return unfilled.append(field.path) }
    named.append(Ask.SessionName(id: try SessionID.checked(id, field: field.path), field: field.path))
  }

  /// Refuses parameters that the bridge cannot follow and that would change the meaning of the answer if they were ignored.
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
}
