// How a turn failed that the engine has run, in words free of any engine's own.

/// A turn that the engine ran and that failed.
struct TurnFailure: Error, Sendable, Equatable {
  /// What kind of failure it is: everything that is decided by a failure is decided by this.
  enum Kind: Sendable, Equatable {
    /// The plan of the login, or what was bought, is used up until it is renewed.
    case usageLimit
    /// The tokens that one session of the engine may use are used up.
    case sessionBudget
    /// Too many requests in a short time.
    case rateLimit
    /// The conversation is larger than the model can read.
    case contextTooLong
    /// The model stopped where its answer reached the most that it may write; what it wrote is complete as far as it goes.
    case outputLimit
    /// The model provider has no capacity at the moment.
    case overloaded
    /// The model provider does not accept the login.
    case unauthorized
    /// The model provider has no such thing, mostly a model.
    case notFound
    /// What was sent to the model provider is larger than it takes.
    case requestTooLarge
    /// The engine or a policy of the provider refuses the request, under the failure's name.
    case badRequest
    /// The model provider refuses the request itself; with its own error code, where it sent one.
    case refused(code: String?)
    /// The model provider refuses the text of the request.
    case invalidPrompt
    /// The model provider has said nothing for too long.
    case providerSilent
    /// The connection to the model broke after a part of the answer had gone out.
    case streamCut
    /// The turn was ended early.
    case interrupted
    /// An answer in a certain shape was asked for, and another came.
    case schemaMismatch
    /// Anything else; its name says more.
    case unknown
  }

  let kind: Kind
  /// The engine's own name of the failure. Only told on, to people and clients.
  let name: String
  /// The HTTP status of the model provider, where the failure has one.
  var upstreamStatus: Int?
  let message: String
  /// When a usage limit is lifted, in seconds since 1970.
  var resetsAt: Int?

  /// The turn was interrupted, and not because its reader had all that it wanted.
  static let interrupted = TurnFailure(
    kind: .interrupted, name: "interrupted", message: "The turn was interrupted.")
}
