// A call of a function that the model has to make. Codex leaves the choice to the model always, so the answer is made to have
// the form of the call, by an output schema, and becomes the call once it is complete.

/// The functions of which one must be called.
struct ForcedCall: Sendable, Equatable {
  private let functions: [Conversation.Tool]
  /// What the answer has to look like.
  let schema: JSONValue
  /// What the model is told.
  let instruction: String

  /// Nil if no schema can hold the model to it.
  init?(_ tools: Conversation.Tools) {
    switch tools.choice {
    case .auto, .none: return nil
    case .named(let name): self.init(tools.functions.filter { $0.name == name })
    case .required: self.init(tools.functions)
    }
  }

  /// A sentence of every instruction.
  static let whoCalls = "The application makes the call."

  /// As long as the schema of an answer may be.
  private static let maxSchemaBytes = 256 << 10

  private init?(_ functions: [Conversation.Tool]) {
    let schemas = JSONValue.array(functions.map(\.parameters))
    guard let first = functions.first, !schemas.isLonger(than: Self.maxSchemaBytes) else { return nil }
    self.functions = functions
    if functions.count == 1 {
      guard let closed = ClosedSchema(first.parameters) else { return nil }
      schema = closed.value
      instruction =
        "Answer with the arguments for one call of the function \(first.name), as JSON and nothing else. \(Self.whoCalls)"
        + (first.description.isEmpty ? "" : " What the function is for: \(first.description)")
      return
    }
    var calls: [JSONValue] = []
    for function in functions {
      // References count from the top, where a schema does not stand here.
      guard !function.parameters.jsonText.contains("\"$ref\""), let closed = ClosedSchema(function.parameters)
      else {
        return nil
      }
      calls.append(
        Self.object([("name", ["type": "string", "enum": [.string(function.name)]]), ("arguments", closed.value)]))
    }
    schema = Self.object([("call", ["anyOf": .array(calls)])])
    instruction =
      "Answer with one call of a function of the application, by its name and its arguments, as JSON and nothing else. "
      + "\(Self.whoCalls) There are: \(functions.map(\.name).joined(separator: ", "))."
  }

  private static func object(_ members: [(String, JSONValue)]) -> JSONValue {
    [
      "type": "object", "properties": .object(JSONObject(members.map { JSONObject.Member(key: $0, value: $1) })),
      "required": .array(members.map { .string($0.0) }), "additionalProperties": false,
    ]
  }

  /// The call that an answer is, under a new id; nil if it is none.
  func call(from answer: String, id: String) -> Conversation.ToolCall? {
    guard let value = try? JSONValue(parsing: answer) else { return nil }
    let called =
      functions.count == 1 ? (functions.first, value) : (function(of: value["call"]), value["call"]?["arguments"])
    guard let function = called.0, let arguments = called.1, arguments.objectValue != nil else { return nil }
    return Conversation.ToolCall(
      id: id, name: function.name,
      arguments: ClosedSchema.opened(arguments, by: function.parameters).jsonText)
  }

  private func function(of call: JSONValue?) -> Conversation.Tool? {
    let name = call?["name"]?.stringValue
    return functions.first { $0.name == name }
  }
}
