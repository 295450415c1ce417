// What a running turn is doing, for the dashboard and the terminal.

/// What the engine does for a turn at this moment.
enum TurnActivity: Sendable, Equatable {
  case thinking
  /// The answer is being written.
  case writing
  /// A command, a tool or a search runs. If several do, this is the one that began last.
  case working(ToolUse)
  case waitingForApproval
  /// The model provider cannot be reached, for the reason that the engine gives.
  case reconnecting(String)
  /// The turn was interrupted, and the engine has not confirmed its end yet.
  case stopping
}

/// What a turn is doing, and when it last made progress.
struct TurnProgress: Sendable, Equatable {
  var activity: TurnActivity
  /// When the engine last reported progress of the turn, on the loop's clock.
  var lastActivityAt: Duration
}
