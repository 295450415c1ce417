// Finds the session of a conversation whose client gives it no name, by the answers that the bridge has given in it.

/// Finds conversations.
@LoopActor
final class ConversationFinder {
  enum Finding {
    /// It is not remembered, and will not be.
    case nothing
    /// A conversation that nobody knows, or that cannot be told from others: it begins with what its client sends.
    case begins(SessionKey)
    case goesOn(SessionKey)
    /// Its session is in use: another one takes what a thread of it has of the conversation.
    case branches(SessionKey, from: SessionKey)
  }

  private let sessions: Sessions
  let points: any PointRepository
  private let continuity: Continuity
  private let memory: UnnamedConversations
  /// Sessions that requests were led to whose turns have not begun.
  private var claimed: Set<SessionKey> = []

  init(sessions: Sessions, points: any PointRepository, memory: UnnamedConversations, continuity: Continuity) {
    self.sessions = sessions
    self.points = points
    self.memory = memory
    self.continuity = continuity
  }

  var isOff: Bool { continuity == .off }

  /// Finds the conversation that a history belongs to. What it leads to is claimed until `release`. One whose turn is just being
  /// ended is waited for: its client has stopped it. `answers` are those under way.
  func find(
    _ history: History, owner: Principal, profile: ProfileKind, among answers: AnswerRegistry
  ) async -> Finding {
    if isOff { return .nothing }
    if let found = await known(history, owner: owner, profile: profile) {
      guard isInUse(found.session), !isBeingFreed(found.session, answers) else {
        claimed.insert(found.session)
        return .goesOn(found.session)
      }
      return .branches(.unnamed(owner: owner, profile: profile), from: found.session)
    }
    let hasRoom = continuity == .disk ? sessions.failure == nil : memory.hasRoom(unless: isInUse)
    return hasRoom ? .begins(.unnamed(owner: owner, profile: profile)) : .nothing
  }

  /// The turn of a request has begun, or never will.
  func release(_ session: SessionKey?) { if let session { claimed.remove(session) } }

  private func isInUse(_ session: SessionKey) -> Bool {
    claimed.contains(session) || sessions.isRunning(session) || sessions.waitingCount(session) > 0
  }

  /// Whether a session in use is so only until its turn has been stopped.
  private func isBeingFreed(_ session: SessionKey, _ answers: AnswerRegistry) -> Bool {
    !claimed.contains(session) && sessions.waitingCount(session) == 0 && answers.isBeingEnded(in: session)
  }

  /// The one conversation that has the most of a history. Where two have the same, nobody knows which is meant, unless the client's
  /// key to the provider's cache tells.
  private func known(_ history: History, owner: Principal, profile: ProfileKind) async -> FoundThread? {
    let ends = history.ends
    guard !ends.isEmpty else { return nil }
    let found = await points.threads(endingAt: ends).filter { found in
      found.session.owner == owner && found.session.profile == profile
    }
    let candidates = Dictionary(found.map { ($0.session, $0) }) { first, _ in first }
    guard candidates.count > 1 else { return found.first }
    guard let key = history.cacheKey else { return nil }
    var alike: [FoundThread] = []
    for (session, candidate) in candidates
    where (try? await sessions.record(session))?.cacheKey == key { alike.append(candidate) }
    return alike.count == 1 ? alike[0] : nil
  }
}
