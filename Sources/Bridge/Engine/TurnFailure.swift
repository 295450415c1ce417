// Why a turn that the engine ran has failed, independent of Codex's own error names.

/// The failure of a turn that the engine ran.
struct TurnFailure: Error, Sendable, Equatable {
  /// The kind of failure. Every decision about a failure looks at this, never at its name or message.
  enum Kind: Sendable, Equatable {
    /// The login's plan, or its bought credit, is used up until it is renewed.
    case usageLimit
    /// One session of the engine has used all tokens that it may use.
    case sessionBudget
    /// Too many requests in a short time.
    case rateLimit
    /// The conversation is larger than the model can read.
    case contextTooLong
    /// The model stopped because its answer reached the largest length that it may have. What it wrote up to there is
    /// valid.
    case outputLimit
    /// The model provider has no capacity at the moment.
    case overloaded
    /// The model provider does not accept the login.
    case unauthorized
    /// The model provider does not know what the request names, mostly the model.
    case notFound
    /// What was sent to the model provider is larger than it takes.
    case requestTooLarge
    /// The engine, or a policy of the provider, refuses the request. The failure's name says which.
    case badRequest
    /// The model provider refuses the request, with its own error code if it sent one.
    case refused(code: String?)
    /// The model provider refuses the text of the request.
    case invalidPrompt
    /// The model provider sent nothing for too long.
    case providerSilent
    /// The connection to the model broke after a part of the answer had been sent.
    case streamCut
    /// The turn was ended early.
    case interrupted
    /// The answer does not follow the schema that the request asked for.
    case schemaMismatch
    /// Any other failure. Its name and message say more.
    case unknown
  }

  let kind: Kind
  /// The engine's own name of the failure, for people and clients.
  let name: String
  /// The HTTP status of the model provider, where the failure has one.
  var upstreamStatus: Int?
  let message: String
  /// When a usage limit is lifted, in seconds since 1970.
  var resetsAt: Int?

  /// The turn was interrupted although its client had not yet received all that it wanted.
  static let interrupted = TurnFailure(
    kind: .interrupted, name: "interrupted", message: "The turn was interrupted.")
}
