// How the engine is to run turns, as the settings say.

extension CodexEngine {
  struct Options: Sendable {
    var workingDirectory: String
    var sandboxMode: SandboxMode
    var approvalPolicy: ApprovalPolicy
    var networkAccess: Bool
    var webSearch: Bool
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

    /// Whether commands may run outside Codex's sandbox, where what they start can outlive them: always, or when a person
    /// has approved one.
    var letsCommandsOutlive: Bool { sandboxMode == .dangerFullAccess || approvalPolicy != .never }
  }
}
