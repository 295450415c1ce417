// What the objects of chat completions and of text completions have in common (OpenAI API reference).

/// The values of `finish_reason`. Every client knows these; an unknown one makes LiteLLM raise an exception.
enum FinishReason: String, Sendable {
  case stop
  case length
  case toolCalls = "tool_calls"
  /// Of the older form of functions.
  case functionCall = "function_call"
}

extension AnswerIdentity {
  /// The object of an answer that is sent whole. `kind` is the value of its `object`.
  func object(_ kind: String, choice: JSONValue, usage: TokenUsage?, session: String?) -> JSONValue {
    var object = JSONObject()
    object["id"] = .string(id)
    object["object"] = .string(kind)
    object["created"] = .int(created)
    object["model"] = .string(model)
    object["choices"] = [choice]
    object["usage"] = usage?.completionUsage
    object["session_id"] = session.map { .string($0) }
    return .object(object)
  }
}

extension TokenUsage {
  /// The `usage` object of a completion.
  var completionUsage: JSONValue {
    [
      "prompt_tokens": .int(input),
      "completion_tokens": .int(output),
      "total_tokens": .int(input + output),
      "prompt_tokens_details": ["cached_tokens": .int(cachedInput)],
      "completion_tokens_details": ["reasoning_tokens": .int(reasoningOutput)],
    ]
  }
}
