// Which kind of login the engine uses and what its plan still allows, in a form that may be shown on pages.

/// The login of the engine. It holds neither a secret nor an e-mail address, so that it can be shown.
struct EngineAccount: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case chatGPT
    case apiKey
    case amazonBedrock
    /// The engine's configuration names a provider that needs no login of the engine.
    case ownProvider
    /// The engine is logged in by a method that this bridge does not know.
    case other
  }

  /// A usage limit of the plan, which counts what is used within a window of time.
  struct Limit: Sendable, Equatable {
    /// 100 means that nothing is left.
    var usedPercent: Double
    var windowMinutes: Int?
    /// Seconds since 1970.
    var resetsAt: Int?
  }

  var kind: Kind
  /// The plan's name as the engine reports it.
  var plan: String?
  /// In the engine's order, which is the shortest window first. Empty until the engine has reported limits.
  var limits: [Limit] = []
}
