// The answers of POST /v1/chat/completions: the completion object and its chunks (OpenAI API reference).

/// Facts that all chunks of an answer share.
struct ChatAnswerIdentity: Sendable {
  let id: String
  /// Seconds since 1970.
  let created: Int
  let model: String
}

/// `finish_reason`. Only values every client knows: others make LiteLLM raise.
enum FinishReason: String, Sendable {
  case stop
  case length
  case contentFilter = "content_filter"
}

/// Builds `chat.completion` and `chat.completion.chunk` objects.
struct ChatObjects: Sendable {
  let identity: ChatAnswerIdentity
  /// Chunks carry `"usage":null` when the client asked for usage in the last one.
  let includesUsage: Bool

  /// A chunk with one choice.
  func chunk(delta: JSONValue, finishReason: FinishReason? = nil) -> JSONValue {
    let choice: JSONValue = [
      "index": 0, "delta": delta, "logprobs": nil, "finish_reason": .text(finishReason?.rawValue),
    ]
    return chunk(choices: [choice], usage: includesUsage ? .null : nil)
  }

  /// The chunk before the end that carries the usage and no choice.
  func usageChunk(_ usage: JSONValue) -> JSONValue {
    chunk(choices: [], usage: usage)
  }

  private func chunk(choices: JSONValue, usage: JSONValue?) -> JSONValue {
    var object = JSONObject()
    object["id"] = .string(identity.id)
    object["object"] = "chat.completion.chunk"
    object["created"] = .int(identity.created)
    object["model"] = .string(identity.model)
    object["choices"] = choices
    object["usage"] = usage
    return .object(object)
  }

  /// The answer without streaming.
  func completion(
    content: String,
    reasoning: String,
    finishReason: FinishReason,
    usage: JSONValue,
    session: String?
  ) -> JSONValue {
    var message = JSONObject()
    message["role"] = "assistant"
    message["content"] = .string(content)
    if !reasoning.isEmpty { message["reasoning_content"] = .string(reasoning) }
    message["refusal"] = .null
    var object = JSONObject()
    object["id"] = .string(identity.id)
    object["object"] = "chat.completion"
    object["created"] = .int(identity.created)
    object["model"] = .string(identity.model)
    object["choices"] = [
      [
        "index": 0, "message": .object(message), "logprobs": nil,
        "finish_reason": .string(finishReason.rawValue),
      ]
    ]
    object["usage"] = usage
    object["session_id"] = session.map { .string($0) }
    return .object(object)
  }

  /// The `usage` object.
  static func usage(prompt: Int, cached: Int, completion: Int, reasoning: Int) -> JSONValue {
    [
      "prompt_tokens": .int(prompt),
      "completion_tokens": .int(completion),
      "total_tokens": .int(prompt + completion),
      "prompt_tokens_details": ["cached_tokens": .int(cached)],
      "completion_tokens_details": ["reasoning_tokens": .int(reasoning)],
    ]
  }
}
