// Decodes the request of POST /v1/completions (OpenAI API reference, "Create completion", legacy).

/// A request to complete a text, whose types were checked, and in which nothing is asked for that the bridge cannot do.
///
/// The text becomes one message of the user's: the models behind Codex know conversations only.
struct CompletionRequest: Sendable, Equatable {
  let ask: Ask
  /// Whether the client of a stream wants a last chunk with the usage.
  let includesUsage: Bool

  /// Parameters that servers other than OpenAI's take here, or that belong to a chat. They have no effect.
  private static let ignoredNames = ["response_format", "output_schema", "tools", "functions"]

  /// Decodes a body; the error names the field that is wrong.
  init(_ body: JSONValue, userIsSession: Bool) throws(APIError) {
    let request = try FieldReader(body: body)
    let prompt = try Self.prompt(try request.required("prompt"))
    let question = Conversation.Item.message(.user, prompt.isEmpty ? [] : [.text(prompt)])
    let fields = try AskFields(
      Conversation(items: [question]), request, userIsSession: userIsSession)
    try Self.refuseImpossible(request)
    var ask = fields.ask
    ask.keeping = .none
    ask.ignored += Self.ignoredNames.filter { request.optional($0) != nil }
    self.ask = ask
    includesUsage = fields.includesUsage
  }

  /// The one text to complete. LangChain puts also a single one into an array.
  private static func prompt(_ field: FieldReader) throws(APIError) -> String {
    if case .string = field.value { return try field.string() }
    guard case .array = field.value else { throw field.mismatch("a string or an array with one string") }
    let entries = try field.array()
    guard let first = entries.first else {
      throw .invalid("'\(field.path)' must contain a text to complete.", param: field.path)
    }
    guard !isTokens(first.value) else {
      throw .invalid("Tokens are not taken: '\(field.path)' must be text.", param: field.path)
    }
    guard entries.count == 1 else {
      throw .invalid(
        "One request completes one text: send each of the \(entries.count) entries of '\(field.path)' in a request of its "
          + "own (LangChain: `batch_size=1`).", param: field.path)
    }
    return try first.string()
  }

  /// Whether the first entry of a prompt is a token, or an array of tokens.
  private static func isTokens(_ entry: JSONValue) -> Bool {
    switch entry {
    case .number: true
    case .array(let values): if case .number? = values.first { true } else { false }
    default: false
    }
  }

  /// Refuses parameters that the bridge cannot follow and that would change the meaning of the answer if they were ignored.
  private static func refuseImpossible(_ request: FieldReader) throws(APIError) {
    try request.requireOne("best_of")
    if try request.optional("echo")?.bool() == true {
      throw .invalid("The prompt cannot be repeated in the answer: 'echo' must be false.", param: "echo")
    }
    // A flag, as in requests for chats, that says no.
    if let count = request.optional("logprobs"), count.value != .bool(false), try count.int() > 0 {
      throw .invalid("Log probabilities are not available.", param: "logprobs")
    }
    if let suffix = request.optional("suffix"), try !suffix.string().isEmpty {
      throw .invalid("Text cannot be inserted before a 'suffix': put what follows into 'prompt'.", param: "suffix")
    }
  }
}
