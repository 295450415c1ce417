// Who the engine is logged in as and what the plan still allows, as far as people may see it.

/// The login of the engine. Holds neither a secret nor an address.
struct EngineAccount: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case chatGPT
    case apiKey
    case amazonBedrock
    /// The engine's configuration names a provider that needs no login of the engine.
    case ownProvider
    /// Logged in, in a way the bridge has no word for.
    case other
  }

  /// A window of time in which the plan allows so much.
  struct Limit: Sendable, Equatable {
    /// 100 means that nothing is left.
    var usedPercent: Double
    var windowMinutes: Int?
    /// Seconds since 1970.
    var resetsAt: Int?
  }

  var kind: Kind
  /// The plan's name as the engine tells it.
  var plan: String?
  /// Shortest window first as the engine tells them; empty while it has told none.
  var limits: [Limit] = []
}
