// How the engine runs turns, whichever key they belong to. The rights of a turn are in its `TurnProfile`.

/// Options that are the same for every turn and every process of the engine.
struct CodexOptions: Sendable {
  var reasoningSummary: ReasoningSummary
  var turnTimeout: Duration
  var turnIdleTimeout: Duration
  var modelsTTL: Duration
  /// How long a turn may do nothing but reconnect to the model provider.
  var providerWait = Duration.seconds(60)
  /// How long a person has to answer an approval; zero declines at once.
  var approvalWait = Duration.zero
  /// How many threads of each kind are started ahead of need at most; 0 for none.
  var warmThreads = 0
  /// Whether any profile lets commands run in Codex's sandbox. Otherwise a broken sandbox is not worth a warning.
  var usesSandbox = true
  var timeouts = EngineTimeouts()
}
