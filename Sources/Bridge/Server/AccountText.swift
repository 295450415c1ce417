// The login of the engine in words, for people.

/// What a login is called. Plans are Codex's texts, and are shortened and escaped.
enum AccountText {
  private static let maxPlanBytes = 64

  /// "ChatGPT Plus", "API key".
  static func name(of kind: EngineAccount.Kind, plan: String?) -> String {
    switch kind {
    case .chatGPT: ["ChatGPT", plan.flatMap(words)].compactMap(\.self).joined(separator: " ")
    case .apiKey: "API key"
    case .amazonBedrock: "Amazon Bedrock"
    case .ownProvider: "a provider of its own"
    case .other: "a login of another kind"
    }
  }

  /// A plan as Codex names it ("self_serve_business") in words; nil for one that it does not know.
  private static func words(_ plan: String) -> String? {
    guard !plan.isEmpty, plan != "unknown" else { return nil }
    let text = plan.shortened(toBytes: maxPlanBytes).replacing("_", with: " ").printable
    return text.prefix(1).uppercased() + text.dropFirst()
  }
}
