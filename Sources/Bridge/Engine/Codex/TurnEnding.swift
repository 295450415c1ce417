// The way of a turn to an end that the bridge has asked for. Pure: facts in, actions out.

/// Whether the bridge is ending a turn. `decided` is the outcome that the bridge has decided on; nil if Codex's word
/// counts.
enum TurnEnding: Sendable, Equatable {
  /// Nobody has asked for the turn's end.
  case none
  /// Codex was told to interrupt the turn.
  case interrupting(since: Duration, decided: TurnOutcome?)
  /// Codex has answered that the turn does not run any more. `turn/completed` has not come yet.
  case over(since: Duration, decided: TurnOutcome?)

  /// Why the bridge does not wait any longer for the end of a turn.
  enum Expiry: Equatable {
    /// Codex has answered that the turn does not run any more, but has not sent its `turn/completed`.
    case over
    /// Codex has not confirmed the interrupt in time: the turn is stuck.
    case unconfirmedInterrupt
  }

  /// How long `turn/completed` may take once Codex has answered that the turn does not run. It mostly is in the next line.
  private static let maxEnd = Duration.seconds(1)

  var hasBegun: Bool { self != .none }

  /// The outcome that the bridge has decided on, whatever Codex reports.
  var decidedOutcome: TurnOutcome? {
    switch self {
    case .none: nil
    case .interrupting(_, let outcome), .over(_, let outcome): outcome
    }
  }

  /// Records that the turn is to end, with `outcome` if the bridge has decided on one. Returns whether Codex has to be
  /// told: true for the first call only.
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

  /// Records that Codex has refused the interrupt because the turn does not run any more.
  mutating func engineKnowsNoTurn(at now: Duration) {
    if case .interrupting(_, let decided) = self { self = .over(since: now, decided: decided) }
  }

  /// Why the bridge stops waiting for the end; nil while it waits, and if nobody has asked for the end. Codex has
  /// `maxInterrupt` to confirm an interrupt.
  func expiry(at now: Duration, maxInterrupt: Duration) -> Expiry? {
    switch self {
    case .none: nil
    case .interrupting(let since, _): now - since > maxInterrupt ? .unconfirmedInterrupt : nil
    case .over(let since, _): now - since > Self.maxEnd ? .over : nil
    }
  }
}
