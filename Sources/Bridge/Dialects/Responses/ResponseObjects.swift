// The object of a response (OpenAI API reference, "The response object"): one constructor for every place in which it appears.

/// Where a response stands.
enum ResponseState: Sendable, Equatable {
  case queued
  case inProgress
  case completed(TokenUsage?)
  /// The model has reached its output limit.
  case incomplete(TokenUsage?)
  case failed(APIError)
  case cancelled

  var status: String {
    switch self {
    case .queued: "queued"
    case .inProgress: "in_progress"
    case .completed: "completed"
    case .incomplete: "incomplete"
    case .failed: "failed"
    case .cancelled: "cancelled"
    }
  }

  /// Whether it changes no more.
  var isFinal: Bool {
    switch self {
    case .queued, .inProgress: false
    case .completed, .incomplete, .failed, .cancelled: true
    }
  }
}

/// A response as it is sent and kept.
struct RenderedResponse: Sendable {
  /// JSON text.
  let object: [UInt8]
  /// The items of its output, JSON texts by their ids, in their order.
  let output: [(id: String, object: [UInt8])]
}

/// The objects of one response.
struct ResponseObjects: Sendable {
  let ids: ResponseIDs
  let identity: AnswerIdentity
  /// What every object tells of the request (`ResponseEcho`).
  let echo: [UInt8]

  /// The object in a state, with the output so far. `completedAt` in seconds since 1970.
  func response(_ state: ResponseState, output: [ResponseItem], completedAt: Int? = nil) -> RenderedResponse {
    let items = output.map { (id: $0.id, object: $0.object.jsonBytes) }
    var buffer = ByteBuffer()
    append(state, items.map(\.object), completedAt, to: &buffer)
    return RenderedResponse(object: buffer.take(), output: items)
  }

  /// The object of a response that ends in a state, at a time in seconds since 1970.
  func response(_ state: ResponseState, ending output: ResponseOutput, at time: Int) -> RenderedResponse {
    var ended = output
    _ = ended.end(state.itemStatus)
    return response(state, output: ended.items, completedAt: time)
  }

  private func append(
    _ state: ResponseState, _ output: [[UInt8]], _ completedAt: Int?, to buffer: inout ByteBuffer
  ) {
    buffer.append(fixed: #"{"id":"#)
    buffer.append(jsonString: ids.response)
    buffer.append(
      #","object":"response","created_at":\#(identity.created),"status":"\#(state.status)","completed_at":"#)
    if case .completed = state, let completedAt {
      buffer.append(decimal: completedAt)
    } else {
      buffer.append(fixed: "null")
    }
    buffer.append(fixed: #","error":"#)
    buffer.append(json: Self.error(state))
    buffer.append(fixed: #","incomplete_details":"#)
    if case .incomplete = state {
      buffer.append(fixed: #"{"reason":"max_output_tokens"}"#)
    } else {
      buffer.append(fixed: "null")
    }
    buffer.append(fixed: #","model":"#)
    buffer.append(jsonString: identity.model)
    buffer.append(fixed: #","output":["#)
    for (index, item) in output.enumerated() {
      if index > 0 { buffer.append(fixed: ",") }
      buffer.append(item)
    }
    buffer.append(fixed: "]")
    buffer.append(echo)
    buffer.append(fixed: #","usage":"#)
    buffer.append(json: Self.usage(state))
    buffer.append(fixed: "}")
  }

  private static func error(_ state: ResponseState) -> JSONValue {
    guard case .failed(let error) = state else { return .null }
    return ["code": .string(code(error)), "message": .string(error.message)]
  }

  private static func usage(_ state: ResponseState) -> JSONValue {
    switch state {
    case .queued, .inProgress, .cancelled, .failed: .null
    case .completed(let used), .incomplete(let used): usage(used ?? TokenUsage())
    }
  }

  /// The `usage` object.
  static func usage(_ usage: TokenUsage) -> JSONValue {
    [
      "input_tokens": .int(usage.input),
      "input_tokens_details": ["cached_tokens": .int(usage.cachedInput), "cache_write_tokens": 0],
      "output_tokens": .int(usage.output),
      "output_tokens_details": ["reasoning_tokens": .int(usage.reasoningOutput)],
      "total_tokens": .int(usage.input + usage.output),
    ]
  }

  /// The code in a response that has failed. Clients know few; those of which Codex, as a client, takes a failure for final are
  /// among them.
  private static func code(_ error: APIError) -> String {
    switch error.code {
    case "context_length_exceeded", "insufficient_quota", "invalid_prompt", "rate_limit_exceeded":
      error.code ?? "server_error"
    default: error.status == 503 && error.type == "codex_error" ? "server_is_overloaded" : "server_error"
    }
  }
}
