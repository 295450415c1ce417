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

/// The objects of one response.
struct ResponseObjects: Sendable {
  let ids: ResponseIDs
  let identity: AnswerIdentity
  /// What is told of the request in every object: the members that do not depend on the answer.
  let echo: JSONObject

  /// The object in a state, with the output so far. `completedAt` in seconds since 1970.
  func object(_ state: ResponseState, output: [JSONValue], completedAt: Int? = nil) -> JSONValue {
    var object = JSONObject()
    object["id"] = .string(ids.response)
    object["object"] = "response"
    object["created_at"] = .int(identity.created)
    object["status"] = .string(state.status)
    object["completed_at"] = .null
    object["error"] = .null
    object["incomplete_details"] = .null
    object["model"] = .string(identity.model)
    object["output"] = .array(output)
    var members = object.members + echo.members
    members.append(JSONObject.Member(key: "usage", value: .null))
    object = JSONObject(members)
    switch state {
    case .queued, .inProgress, .cancelled: break
    case .completed(let usage):
      object["completed_at"] = completedAt.map { .int($0) } ?? .null
      object["usage"] = Self.usage(usage ?? TokenUsage())
    case .incomplete(let usage):
      object["incomplete_details"] = ["reason": "max_output_tokens"]
      object["usage"] = Self.usage(usage ?? TokenUsage())
    case .failed(let error):
      object["error"] = ["code": .string(Self.code(error)), "message": .string(error.message)]
    }
    return .object(object)
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
