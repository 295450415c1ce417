// What calls of the model have used.

/// The tokens that a turn, or one call of the model, has used.
struct TokenUsage: Sendable, Equatable {
  var input = 0
  var cachedInput = 0
  var output = 0
  var reasoningOutput = 0

  var total: Int { input + output }

  static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: left.input + right.input, cachedInput: left.cachedInput + right.cachedInput,
      output: left.output + right.output, reasoningOutput: left.reasoningOutput + right.reasoningOutput)
  }

  static func - (left: TokenUsage, right: TokenUsage) -> TokenUsage {
    TokenUsage(
      input: max(0, left.input - right.input),
      cachedInput: max(0, left.cachedInput - right.cachedInput),
      output: max(0, left.output - right.output),
      reasoningOutput: max(0, left.reasoningOutput - right.reasoningOutput)
    )
  }
}
