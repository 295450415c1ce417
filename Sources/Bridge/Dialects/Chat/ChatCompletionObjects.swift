// The objects that POST /v1/chat/completions answers with (OpenAI API reference).

/// The values of `finish_reason`. Every client knows these; an unknown one makes LiteLLM raise an exception.
enum FinishReason: String, Sendable {
  case stop
  case length
  case contentFilter = "content_filter"
}

/// The parts that the objects of one answer share, and the object of a whole answer.
struct ChatObjects: Sendable {
  let identity: AnswerIdentity
  /// Whether the client of a stream asked for usage.
  let includesUsage: Bool

  /// The `chat.completion` of an answer that is sent whole.
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
