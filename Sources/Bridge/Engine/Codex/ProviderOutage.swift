// A time in which a turn does nothing but try to reach the model provider. Pure: facts in, actions out.

/// Whether a turn is in an outage, and whether its client has been told of it.
enum ProviderOutage: Sendable, Equatable {
  case none
  /// Codex reconnects, for this reason. The client has not been told of it.
  case unreported(since: Duration, reason: String)
  /// The client has been told that Codex reconnects.
  case reported(since: Duration, reason: String)

  /// Since when the outage lasts, and why; nil if there is none. Any progress of the turn after its beginning has ended it.
  func current(lastProgressAt: Duration) -> (since: Duration, reason: String)? {
    switch self {
    case .unreported(let since, let reason), .reported(let since, let reason):
      lastProgressAt <= since ? (since, reason) : nil
    case .none: nil
    }
  }

  /// Records that Codex reconnects. Returns whether the client is to be told: once in an outage. If the cut call of the
  /// model had sent something (`hasSpoken`), the client is told only at the second attempt, because the first mostly
  /// succeeds.
  mutating func recordReconnect(
    because reason: String, at now: Duration, lastProgressAt: Duration, hasSpoken: Bool
  ) -> Bool {
    let since = current(lastProgressAt: lastProgressAt)?.since
    if since != nil, case .reported(let since, _) = self {
      self = .reported(since: since, reason: reason)
      return false
    }
    guard !hasSpoken || (since ?? now) < now else {
      self = .unreported(since: since ?? now, reason: reason)
      return false
    }
    self = .reported(since: since ?? now, reason: reason)
    return true
  }

  /// Ends the outage: the model has done something.
  mutating func end() { self = .none }
}
