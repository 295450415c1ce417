// A time in which the engine only tries to reach the model provider. Pure: facts in, actions out.

/// Whether the model provider can be reached in a turn, as far as the turn has been told.
enum ProviderOutage: Sendable, Equatable {
  case none
  /// The engine reconnects, for this reason, and nobody has been told of it.
  case untold(since: Duration, reason: String)
  case told(since: Duration, reason: String)

  /// Since when it lasts and why; nil if there is none. Whatever the turn got done after its beginning has ended it.
  func current(lastProgressAt: Duration) -> (since: Duration, reason: String)? {
    switch self {
    case .untold(let since, let reason), .told(let since, let reason):
      lastProgressAt <= since ? (since, reason) : nil
    case .none: nil
    }
  }

  /// The engine reconnects. Returns whether it is to be told: once in an outage, and where a call that had begun well was
  /// cut (`hasSpoken`) not at once, for that mostly ends with the next attempt.
  mutating func reconnects(because reason: String, at now: Duration, lastProgressAt: Duration, hasSpoken: Bool)
    -> Bool
  {
    let since = current(lastProgressAt: lastProgressAt)?.since
    if since != nil, case .told(let since, _) = self {
      self = .told(since: since, reason: reason)
      return false
    }
    guard !hasSpoken || (since ?? now) < now else {
      self = .untold(since: since ?? now, reason: reason)
      return false
    }
    self = .told(since: since ?? now, reason: reason)
    return true
  }

  /// The model has done something.
  mutating func end() { self = .none }
}
