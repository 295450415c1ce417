// How far a turn is on the way to an end that the bridge has asked for. Pure: facts in, actions out.

/// Whether a turn is being ended, and what it ends with.
enum TurnEnding: Sendable, Equatable {
  /// Nobody has asked for its end.
  case none
  /// The engine was told to end it. What the bridge has decided it ends with, whatever the engine says, may be nothing.
  case interrupting(since: Duration, decided: TurnOutcome?)
  /// The engine has said that there is no such turn any more.
  case over(since: Duration, decided: TurnOutcome?)

  /// Why a turn that is being ended is not waited for any longer.
  enum Expiry: Equatable {
    /// The engine has said that the turn is over, and told nothing of its end.
    case over
    /// The engine has not confirmed an interrupt in time: it is stuck.
    case unconfirmedInterrupt
  }

  /// The end of a turn that is over is told by a line that may be just behind.
  private static let maxEnd = Duration.seconds(1)

  var hasBegun: Bool { self != .none }

  /// What the bridge has decided that the turn ends with.
  var decidedOutcome: TurnOutcome? {
    switch self {
    case .none: nil
    case .interrupting(_, let outcome), .over(_, let outcome): outcome
    }
  }

  /// The turn is to end, with an outcome of the bridge's or what the engine will say. Returns whether to tell the engine,
  /// which is told once.
  mutating func interrupt(at now: Duration, with outcome: TurnOutcome? = nil) -> Bool {
    switch self {
    case .none:
      self = .interrupting(since: now, decided: outcome)
      return true
    case .interrupting(let since, let decided): self = .interrupting(since: since, decided: outcome ?? decided)
    case .over(let since, let decided): self = .over(since: since, decided: outcome ?? decided)
    }
    return false
  }

  /// The engine has said that there is no such turn any more.
  mutating func engineKnowsNoTurn(at now: Duration) {
    if case .interrupting(_, let decided) = self { self = .over(since: now, decided: decided) }
  }

  /// Nil while its end is waited for, for `maxInterrupt` at most, or nobody has asked for it.
  func expiry(at now: Duration, maxInterrupt: Duration) -> Expiry? {
    switch self {
    case .none: nil
    case .interrupting(let since, _): now - since > maxInterrupt ? .unconfirmedInterrupt : nil
    case .over(let since, _): now - since > Self.maxEnd ? .over : nil
    }
  }
}
