// What the object of a response tells of its request (OpenAI API reference, "The response object").

/// The members of a response that do not depend on its answer.
enum ResponseEcho {
  /// The members for a request whose fields were checked, as JSON text, each with a comma before it: every object has them, and
  /// they may be long.
  static func text(
    _ request: FieldReader, _ fields: ToolFields, isStored: Bool, conversation: String?
  ) -> [UInt8] {
    let members = members(request, fields, isStored: isStored, conversation: conversation)
    var buffer = ByteBuffer()
    for member in members.members {
      buffer.append(fixed: ",")
      buffer.append(jsonString: member.key)
      buffer.append(fixed: ":")
      buffer.append(json: member.value)
    }
    return buffer.take()
  }

  private static func members(
    _ request: FieldReader, _ fields: ToolFields, isStored: Bool, conversation: String?
  ) -> JSONObject {
    var echo = JSONObject()
    let (tools, namespaced) = (fields.tools, fields.namespaced)
    for name in ["instructions", "previous_response_id", "max_output_tokens", "max_tool_calls"] {
      echo[name] = request.value[name] ?? .null
    }
    echo["metadata"] = request.optional("metadata")?.value ?? [:]
    echo["tools"] = .array(tools.functions.filter { namespaced[$0.name] == nil }.map(tool) + others(request))
    echo["tool_choice"] = choice(request)
    echo["parallel_tool_calls"] = .bool(tools.isParallel)
    echo["text"] = text(request)
    let reasoning = request.optional("reasoning")
    echo["reasoning"] = [
      "effort": reasoning?.optional("effort")?.value ?? .null,
      "summary": reasoning?.optional("summary")?.value ?? .null,
    ]
    echo["store"] = .bool(isStored)
    echo["background"] = request.optional("background")?.value ?? false
    echo["truncation"] = "disabled"
    echo["service_tier"] = "default"
    // Codex has no such switches, so that these are what is used.
    echo["temperature"] = .number("1.0")
    echo["top_p"] = .number("1.0")
    echo["top_logprobs"] = 0
    echo["presence_penalty"] = .number("0.0")
    echo["frequency_penalty"] = .number("0.0")
    for name in ["prompt_cache_key", "safety_identifier", "user"] { echo[name] = request.value[name] ?? .null }
    if let conversation { echo["conversation"] = ["id": .string(conversation)] }
    return echo
  }

  private static func tool(_ tool: Conversation.Tool) -> JSONValue {
    [
      "type": "function", "name": .string(tool.name), "description": .string(tool.description),
      "parameters": tool.parameters, "strict": .bool(tool.isStrict),
    ]
  }

  /// The tools besides functions that are taken, as they were sent.
  private static func others(_ request: FieldReader) -> [JSONValue] {
    (request.optional("tools")?.value.arrayValue ?? []).filter {
      guard let type = $0["type"]?.stringValue else { return false }
      return type == "namespace" || type.hasPrefix("web_search")
    }
  }

  private static func choice(_ request: FieldReader) -> JSONValue {
    guard let choice = request.optional("tool_choice")?.value else { return "auto" }
    // The form of chat completions.
    if let name = choice["function"]?["name"] { return ["type": "function", "name": name] }
    return choice
  }

  private static func text(_ request: FieldReader) -> JSONValue {
    let text = request.optional("text")
    return [
      "format": text?.optional("format")?.value ?? ["type": "text"],
      "verbosity": text?.optional("verbosity")?.value ?? "medium",
    ]
  }
}
