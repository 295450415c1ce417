// What a running turn is doing, as facts.

/// What the engine does for a turn at this moment.
enum TurnActivity: Sendable, Equatable {
  case thinking
  /// The answer is being written.
  case writing
  /// A command, a tool or a search runs; of several the one that began last.
  case working(ToolUse)
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
