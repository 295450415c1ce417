// What happens in a session at the moment, for lists.

/// What a session does.
enum SessionActivity: String, Sendable {
  /// Nothing.
  case idle
  /// A turn runs, also while it asks a person.
  case running
  /// A request waits for its place among all turns, or for the engine.
  case waiting
  /// Its turn waits for what functions of the client return.
  case parked
}

/// What sessions do, as it was when this was made: one look at all turns serves a whole list.
@LoopActor
struct SessionActivities {
  private let sessions: Sessions
  private let running: Set<SessionKey>
  private let parked: Set<SessionKey>

  init(_ sessions: Sessions, _ answers: AnswerRegistry, _ leases: TurnLeases) {
    self.sessions = sessions
    running = answers.sessions
    parked = leases.sessions
  }

  subscript(_ key: SessionKey) -> SessionActivity {
    if running.contains(key) { return .running }
    if sessions.isRunning(key) || sessions.waitingCount(key) > 0 { return .waiting }
    return parked.contains(key) ? .parked : .idle
  }
}
