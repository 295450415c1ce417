// Finds the session of a conversation whose client gives it no name, by the answers that the bridge has given in it, or has begun to
// give.

/// Finds conversations.
@LoopActor
final class ConversationFinder {
  /// Codex stops a turn within moments. One that takes longer is not waited for.
  private static let endingWait = Duration.seconds(3)

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

  /// Finds the conversation of a request that names none, notes it in `place`, and claims it until `release`. One that nobody knows, or
  /// that cannot be told from others, begins with what its client sends, if there is room to remember it. `answers` are those under way.
  func find(
    _ place: inout ConversationPlace, for ask: Ask, _ caller: any Caller, among answers: AnswerRegistry
  ) async {
    guard !isOff || ask.isKept, ask.keeping != .none, place.session == nil, let history = place.history else {
      return
    }
    let (owner, profile) = (caller.principal, caller.profile)
    let isOnDisk = continuity == .disk || ask.isKept
    let hasRoom = isOnDisk ? sessions.failure == nil : memory.hasRoom(unless: isInUse)
    let found = isOff ? nil : await known(history, owner: owner, profile: profile, among: answers)
    if let found, await mayGoOn(in: found, ask, history), case let session = found.thread.session,
      !isInUse(session) || isBeingFreed(session, answers)
    {
      claimed.insert(session)
      (place.session, place.claimed, place.source) = (session, session, SessionNaming.foundByHistory)
      return
    }
    // A thread that stays has the functions, which a model would try to call before it answers in the form of a call.
    guard hasRoom, found != nil || ask.forcedCall == nil else { return }
    place.session =
      ask.isKept ? .ofResponses(owner: owner, profile: profile) : .unnamed(owner: owner, profile: profile)
    place.branch = found?.thread.session
  }

  /// What a history leads to.
  private struct Found {
    let thread: FoundThread
    /// Whether others have the same of it, from the same turn: forks of one thread.
    var isOneOfSeveral = false
  }

  /// Whether a request may go on in the very session that was found. Others go on from the answers that are kept of one, so that it
  /// only ever grows; and what is not kept must not take its thread along when it is forgotten.
  private func mayGoOn(in found: Found, _ ask: Ask, _ history: History) async -> Bool {
    guard ask.isKept == found.thread.session.isOfResponses else { return false }
    guard ask.isKept else { return !found.isOneOfSeveral }
    let points = await points.points(of: found.thread.thread)
    if case .head? = FoundPlace.find(history, in: points)?.place { return true }
    return false
  }

  /// Finds the place of an answer that a request names, notes it in `place`, and claims its session until `release`: behind the
  /// answer, in its own thread if nothing has followed there and nobody else is about to go on, else in a new one. False if neither
  /// is possible.
  func find(
    _ previous: StoredResponse.Place, _ place: inout ConversationPlace, for caller: any Caller
  ) async -> Bool {
    // The agent's threads are none of the plain chat, nor the other way round.
    guard previous.session.profile == caller.profile else { return false }
    let points = await points.points(of: previous.thread.id)
    let current = (try? await sessions.record(previous.session))?.current
    let isLast = points.last.map { $0.turnID == previous.turnID && $0.answered == previous.answered } ?? false
    if isLast, let current, current.id == previous.thread.id, !isInUse(previous.session) {
      claimed.insert(previous.session)
      (place.session, place.claimed, place.isKnown) = (previous.session, previous.session, true)
      place.kept = .thread(
        ThreadPlaces.Found(
          thread: current, place: FoundPlace(place: .head, known: 0), isKnown: false, points: points))
      return true
    }
    guard !previous.hasCalls, sessions.failure == nil else { return false }
    let index = points.all.lastIndex { $0.turnID == previous.turnID }.map { $0 + 1 } ?? 0
    place.session = .ofResponses(owner: caller.principal, profile: caller.profile)
    place.kept = .thread(
      ThreadPlaces.Found(
        thread: previous.thread,
        place: FoundPlace(place: .behind(turnID: previous.turnID, index: index), known: 0),
        isKnown: false, points: points))
    return true
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

  /// Whether a thread has an answer of a history. A question alone proves nothing: others may have asked the same.
  private func hasAnswered(_ history: History, on thread: ThreadID) async -> Bool {
    let points = await points.points(of: thread)
    if points.all.contains(where: { $0.answered.flatMap(history.count) != nil }) { return true }
    return points.last.map(history.continues) ?? false
  }

  /// The one conversation that has the most of a history. Where two have the same, nobody knows which is meant, unless they have it
  /// from one turn, or the client's key to the provider's cache tells.
  private func known(
    _ history: History, owner: Principal, profile: ProfileKind, among answers: AnswerRegistry
  ) async -> Found? {
    let ends = history.ends
    guard !ends.isEmpty else { return nil }
    var found: [FoundThread] = []
    for thread in await points.threads(endingAt: ends)
    where thread.session.owner == owner && thread.session.profile == profile {
      // Whoever sends what was seen of an answer does not wait for the rest of it.
      answers.abandonUnread(in: thread.session)
      // What was seen of an answer is noted when its turn has been stopped.
      await answers.waitForEnding(in: thread.session, atMost: Self.endingWait)
      if await hasAnswered(history, on: thread.thread) { found.append(thread) }
    }
    let candidates = Dictionary(found.map { ($0.session, $0) }) { first, _ in first }
    guard candidates.count > 1 else { return found.first.map { Found(thread: $0) } }
    if let same = await ofOneTurn(found, history) { return Found(thread: same, isOneOfSeveral: true) }
    guard let key = history.cacheKey else { return nil }
    var alike: [FoundThread] = []
    for (session, candidate) in candidates
    where (try? await sessions.record(session))?.cacheKey == key { alike.append(candidate) }
    return alike.count == 1 ? Found(thread: alike[0]) : nil
  }

  /// One of several threads that have the same of a history, if they have it from the same turn; rather one that ends there.
  private func ofOneTurn(_ found: [FoundThread], _ history: History) async -> FoundThread? {
    var turns: Set<String> = []
    var best: FoundThread?
    for thread in found {
      let all = await points.points(of: thread.thread).all
      let reached = all.filter { $0.answered.flatMap(history.count) != nil }
        .max { (history.count(before: $0.end) ?? 0) < (history.count(before: $1.end) ?? 0) }
      guard let turnID = reached?.turnID else { return nil }
      turns.insert(turnID)
      if best == nil || all.last == reached { best = thread }
    }
    return turns.count == 1 ? best : nil
  }
}
