// A rough check whether a text can be the answer that a JSON schema asks for. Pure.

/// The parts of a JSON schema that tell an answer from other text: its types, and for objects the required members.
///
/// This is no validator. The model provider makes every final message follow the whole schema. The check is for a turn
/// without a final message: it decides whether the last commentary can be meant as the answer.
struct AnswerShape: Sendable {
  /// The types that the schema names, for example `object`; empty if it names none.
  private let types: [String]
  private let required: [String]

  /// Reads `type` (a name or a list of them) and `required` of the schema's top level.
  init(schema: JSONValue) {
    types =
      schema["type"]?.stringValue.map { [$0] } ?? (schema["type"]?.arrayValue ?? []).compactMap(\.stringValue)
    required = (schema["required"]?.arrayValue ?? []).compactMap(\.stringValue)
  }

  /// Whether a text is JSON of one of the types, with the required members if it is an object.
  func fits(_ text: String) -> Bool {
    guard let value = try? JSONValue(parsing: text), isOfType(value) else { return false }
    guard case .object = value else { return true }
    return required.allSatisfy { value[$0] != nil }
  }

  private func isOfType(_ value: JSONValue) -> Bool {
    types.isEmpty || types.contains { Self.names(of: value).contains($0) }
  }

  private static func names(of value: JSONValue) -> [String] {
    switch value {
    case .null: ["null"]
    case .bool: ["boolean"]
    case .number: value.intValue == nil ? ["number"] : ["integer", "number"]
    case .string: ["string"]
    case .array: ["array"]
    case .object: ["object"]
    }
  }
}
