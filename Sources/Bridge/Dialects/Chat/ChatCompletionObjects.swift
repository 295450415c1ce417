// The objects that POST /v1/chat/completions answers with (OpenAI API reference).

/// The parts that the objects of one answer share, and the object of a whole answer.
struct ChatObjects: Sendable {
  let identity: AnswerIdentity
  /// Whether the client of a stream asked for usage.
  let includesUsage: Bool
  /// Whether calls are told in the older form, one in an answer.
  var usesLegacyCalls = false

  /// The reason that a client is told for an end.
  func finishReason(_ ending: AnswerEnding) -> FinishReason {
    switch ending {
    case .complete: .stop
    case .lengthLimit: .length
    case .toolCalls: usesLegacyCalls ? .functionCall : .toolCalls
    }
  }

  /// The members of a message, or of the delta of a chunk, that tell of calls. In a chunk each has its index.
  func members(of calls: [Conversation.ToolCall], isChunk: Bool, from first: Int = 0) -> JSONObject {
    var members = JSONObject()
    if usesLegacyCalls {
      if let call = calls.first { members["function_call"] = Self.function(of: call) }
      return members
    }
    members["tool_calls"] = .array(
      calls.enumerated().map { offset, call in
        var object = JSONObject()
        if isChunk { object["index"] = .int(first + offset) }
        object["id"] = .string(call.id)
        object["type"] = "function"
        object["function"] = Self.function(of: call)
        return .object(object)
      })
    return members
  }

  private static func function(of call: Conversation.ToolCall) -> JSONValue {
    ["name": .string(call.name), "arguments": .string(call.arguments)]
  }

  /// The `chat.completion` of an answer that is sent whole.
  func completion(
    content: String,
    reasoning: String,
    activity: [ActivityItem] = [],
    calls: [Conversation.ToolCall],
    finishReason: FinishReason,
    usage: TokenUsage?,
    session: String?
  ) -> JSONValue {
    var message = JSONObject()
    message["role"] = "assistant"
    message["content"] = content.isEmpty && !calls.isEmpty ? .null : .string(content)
    if !reasoning.isEmpty { message["reasoning_content"] = .string(reasoning) }
    if !activity.isEmpty { message[ActivityItem.member] = .array(activity.map(\.object)) }
    message["refusal"] = .null
    if !calls.isEmpty {
      for member in members(of: calls, isChunk: false).members { message[member.key] = member.value }
    }
    return identity.object(
      "chat.completion",
      choice: [
        "index": 0, "message": .object(message), "logprobs": nil, "finish_reason": .string(finishReason.rawValue),
      ],
      usage: usage, session: session)
  }
}
