// The parts of a request to the model that the demo model uses.

/// A request that Codex sent to the model.
struct DemoInput: Sendable {
  let body: JSONValue
  private let items: [JSONValue]

  init(_ body: JSONValue) {
    self.body = body
    items = body["input"]?.arrayValue ?? []
  }

  /// The text of the last user message.
  var lastUserText: String {
    items.last { $0["role"]?.stringValue == "user" }.map(Self.text) ?? ""
  }

  /// The texts of the user messages before the last one.
  var earlierUserTexts: [String] {
    items.filter { $0["role"]?.stringValue == "user" }.dropLast().map(Self.text).filter { text in
      // Codex describes its environment and its instruction files to the model in messages of the same role.
      !["<", "# AGENTS.md"].contains { text.hasPrefix($0) }
    }
  }

  /// The output of a tool call, if the request ends with one.
  var toolOutput: String? {
    guard let last = items.last, last["type"]?.stringValue?.hasSuffix("_output") == true else { return nil }
    if let text = last["output"]?.stringValue { return text }
    return (last["output"]?.arrayValue ?? []).compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
  }

  /// All messages, as a line `role: text` each.
  var history: String {
    items.filter { $0["type"]?.stringValue == "message" || $0["role"] != nil }
      .map { "\($0["role"]?.stringValue ?? "?"): \(Self.text($0))" }.joined(separator: "\n")
  }

  /// The JSON schema that the answer must follow; nil for text.
  var schema: JSONValue? { body["text"]?["format"]?["schema"] }

  private static func text(_ item: JSONValue) -> String {
    if let text = item["content"]?.stringValue { return text }
    return (item["content"]?.arrayValue ?? []).compactMap { part in
      part["text"]?.stringValue ?? part["type"]?.stringValue.map { "[\($0)]" }
    }.joined(separator: "\n")
  }
}
