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
  private static let maxModalities = 16
  /// OpenAI takes schemas of 5000 properties with 120,000 characters of names.
  private static let maxSchemaBytes = 256 << 10

  /// Decodes a body; the error names the field that is wrong.
  init(_ body: JSONValue, userIsSession: Bool) throws(APIError) {
    let reader = try FieldReader(body: body)
    let fields = try AskFields(
      Conversation(items: try Self.items(reader)), reader, userIsSession: userIsSession)
    ask = fields.ask
    includesUsage = fields.includesUsage
    ask.conversation.format = try Self.format(reader)
    try Self.refuseImpossible(reader)
    let tools = try ToolFields(reader)
    ask.take(tools)
    if !tools.tools.functions.isEmpty || ask.conversation.items.contains(where: { $0.outputID != nil }) {
      ask.said = SHA256Digest.said(in: ask.conversation.items)
    }
    usesLegacyCalls = tools.isLegacy
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

  /// Refuses parameters that the bridge cannot follow and that would change the meaning of the answer if they were ignored.
  private static func refuseImpossible(_ reader: FieldReader) throws(APIError) {
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
