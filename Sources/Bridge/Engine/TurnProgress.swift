// What a running turn is doing, in words for people.

/// What the engine does for a turn at this moment.
enum TurnActivity: Sendable, Equatable {
  case thinking
  /// The answer is being written.
  case writing
  /// A command, a tool or a search runs: one line that says which.
  case working(String)
  case waitingForApproval
  /// The model provider cannot be reached: what the engine says of it.
  case reconnecting(String)
  /// It was interrupted and has not confirmed its end yet.
  case stopping
}

/// How far a turn is.
struct TurnProgress: Sendable, Equatable {
  var activity: TurnActivity
  /// When the engine last got anywhere with it, on the loop's clock.
  var lastActivityAt: Duration
}
