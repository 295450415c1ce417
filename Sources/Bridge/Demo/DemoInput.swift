// A request to the model, as far as the stand-in looks at it.

/// What Codex sent to the model.
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

  /// What the user said before that.
  var earlierUserTexts: [String] {
    items.filter { $0["role"]?.stringValue == "user" }.dropLast().map(Self.text).filter { text in
      // Codex tells the model of its surroundings in the same role.
      !["<", "# AGENTS.md"].contains { text.hasPrefix($0) }
    }
  }

  /// The output of the tool call that this request brings back, nil if it brings none.
  var toolOutput: String? {
    guard let last = items.last, last["type"]?.stringValue?.hasSuffix("_output") == true else { return nil }
    if let text = last["output"]?.stringValue { return text }
    return (last["output"]?.arrayValue ?? []).compactMap { $0["text"]?.stringValue }.joined(separator: "\n")
  }

  /// `role: text` for each message.
  var history: String {
    items.filter { $0["type"]?.stringValue == "message" || $0["role"] != nil }
      .map { "\($0["role"]?.stringValue ?? "?"): \(Self.text($0))" }.joined(separator: "\n")
  }

  /// The schema the answer must follow.
  var schema: JSONValue? { body["text"]?["format"]?["schema"] }

  private static func text(_ item: JSONValue) -> String {
    if let text = item["content"]?.stringValue { return text }
    return (item["content"]?.arrayValue ?? []).compactMap { part in
      part["text"]?.stringValue ?? part["type"]?.stringValue.map { "[\($0)]" }
    }.joined(separator: "\n")
  }
}
