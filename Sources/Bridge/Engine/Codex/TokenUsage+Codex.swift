// Counts of tokens as Codex tells them.

extension TokenUsage {
  /// Larger numbers are cut to this. No thread uses as many tokens, and sums of smaller numbers cannot overflow.
  private static let maxCount = 1 << 40

  /// `{"inputTokens":…,"cachedInputTokens":…,"outputTokens":…,"reasoningOutputTokens":…}`.
  init?(_ value: JSONValue?) {
    guard let value, let input = Self.count(value["inputTokens"]), let output = Self.count(value["outputTokens"])
    else {
      return nil
    }
    self.init(
      input: input,
      cachedInput: Self.count(value["cachedInputTokens"]) ?? 0,
      output: output,
      reasoningOutput: Self.count(value["reasoningOutputTokens"]) ?? 0
    )
  }

  private static func count(_ value: JSONValue?) -> Int? {
    value?.intValue.map { min(max(0, $0), maxCount) }
  }
}
