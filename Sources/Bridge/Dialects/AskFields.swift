// The fields of a request that mean the same in every dialect.

/// What all kinds of requests say besides their text.
struct AskFields: Sendable, Equatable {
  /// The conversation as it was given, and all that the fields say of it.
  var ask: Ask
  /// Whether the client of a stream wants a last chunk with the usage.
  var includesUsage = false

  /// Parameters of completions that have no effect, because Codex has no switch for them. They are accepted because many clients
  /// send them by default.
  private static let ignoredInCompletions = [
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "presence_penalty",
    "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "store", "metadata", "service_tier",
    "verbosity", "prediction", "prompt_cache_retention", "safety_identifier",
    "top_k", "min_p", "repetition_penalty",
  ]
  /// As many as OpenAI takes.
  private static let maxStops = 4
  /// The longest stop sequence. A stream holds back text as long as it may become one.
  private static let maxStopBytes = 1024
  /// A longer one tells nothing. OpenAI takes 64 characters.
  private static let maxCacheKeyBytes = 256

  /// Reads the fields of a request for an answer in a conversation; the error names the field that is wrong. `ignoredNames` are the
  /// parameters that have no effect.
  init(
    _ conversation: Conversation, _ request: FieldReader, userIsSession: Bool,
    ignoring ignoredNames: [String] = ignoredInCompletions
  ) throws(APIError) {
    ask = Ask(conversation: conversation)
    ask.model = try request.optional("model")?.shortString()
    if ask.model?.isEmpty == true { ask.model = nil }
    ask.effort = try Self.effort(request)
    ask.isStreamed = try request.optional("stream")?.bool() ?? false
    if let options = request.optional("stream_options") {
      _ = try options.object()
      includesUsage = try options.optional("include_usage")?.bool() ?? false
    }
    ask.stops = try Self.stop(request)
    ask.cacheKey = request.value["prompt_cache_key"]?.stringValue.flatMap {
      $0.utf8.count <= Self.maxCacheKeyBytes ? $0 : nil
    }
    (ask.sessions, ask.unfilledSessionFields) = try Self.sessions(request, userIsSession: userIsSession)
    try request.requireOne("n")
    ask.ignored = ignoredNames.filter { request.optional($0) != nil }
    if ask.sessions.contains(where: { $0.field == "metadata.session_id" }) {
      ask.ignored.removeAll { $0 == "metadata" }
    }
    if !userIsSession, request.optional("user") != nil { ask.ignored.append("user") }
  }

  private static func effort(_ request: FieldReader) throws(APIError) -> Ask.Effort? {
    var effort = request.optional("reasoning_effort") ?? request.optional("model_reasoning_effort")
    if effort == nil, let reasoning = request.optional("reasoning") {
      _ = try reasoning.object()
      effort = reasoning.optional("effort")
    }
    guard let effort, case let name = try effort.shortString(), !name.isEmpty else { return nil }
    return Ask.Effort(name: name, field: effort.path)
  }

  private static func stop(_ request: FieldReader) throws(APIError) -> [String] {
    guard let stop = request.optional("stop") else { return [] }
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
  private static func sessions(
    _ request: FieldReader, userIsSession: Bool
  ) throws(APIError) -> (named: [Ask.SessionName], unfilled: [String]) {
    var named: [Ask.SessionName] = []
    var unfilled: [String] = []
    for name in ["session_id", "conversation_id", "thread_id"] where named.isEmpty {
      if let field = request.optional(name) { try add(field, to: &named, &unfilled) }
    }
    guard named.isEmpty else { return (named, unfilled) }
    if let field = request.optional("metadata"), case .object = field.value,
      let id = field.optional("session_id"), case .string = id.value
    {
      try add(id, to: &named, &unfilled)
    }
    if userIsSession, let user = request.optional("user") { try add(user, to: &named, &unfilled) }
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
}

extension FieldReader {
  /// Refuses a request for several choices: one turn gives one answer.
  func requireOne(_ key: String) throws(APIError) {
    guard let count = optional(key), try count.int() != 1 else { return }
    throw .invalid("Only one choice per request is possible: '\(key)' must be 1.", param: key)
  }
}
