// How the engine is to run turns, whoever asks for them; what one may do is said by its profile.

/// The same for every turn and every process of the engine.
struct CodexOptions: Sendable {
  var reasoningSummary: ReasoningSummary
  var turnTimeout: Duration
  var turnIdleTimeout: Duration
  var modelsTTL: Duration
  /// How long a turn may only reconnect to the model provider.
  var providerWait = Duration.seconds(60)
  /// How long a person has to answer an approval; zero declines at once.
  var approvalWait = Duration.zero
  /// At most so many threads of each kind in use are started ahead of need.
  var warmThreads = 0
  /// Whether there are turns whose commands run in Codex's sandbox, so that it is worth a warning where that is broken.
  var usesSandbox = true
  var timeouts = EngineTimeouts()
}
