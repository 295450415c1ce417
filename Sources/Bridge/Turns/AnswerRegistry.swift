// Owns the list of answers under way, for the dashboard and for stopping a turn.

/// The answers under way, with their owners.
@LoopActor
final class AnswerRegistry {
  private var answers: [Int: Answer] = [:]
  private var nextID = 0

  /// Adds an answer whose turn was accepted. Returns an id for `remove`, which is called when the answer is complete. The
  /// list is bounded by the number of turns that may run at once.
  func add(_ answer: Answer) -> Int {
    nextID += 1
    answers[nextID] = answer
    return nextID
  }

  func remove(_ id: Int) { answers[id] = nil }

  /// The number of answers under way, of all keys.
  var count: Int { answers.count }

  /// The sessions of the answers under way.
  var sessions: Set<SessionKey> { Set(answers.values.compactMap(\.session)) }

  /// The answer of a session whose turn is its own; nil if there is none.
  func answer(in session: SessionKey) -> Answer? {
    answers.values.first { $0.session == session && $0.steering != .handedOver }
  }

  func count(of owner: Principal) -> Int { answers.values.count { $0.turn.owner == owner } }

  /// The oldest answers under way to `owner`, at most `limit`, oldest first.
  func answers(to owner: Principal, limit: Int) -> [Answer] {
    answers.filter { $0.value.turn.owner == owner }.sorted { $0.key < $1.key }.prefix(limit).map(\.value)
  }

  /// Interrupts the turns of a request of `owner`. Clients choose request ids, so several requests may have the same one.
  /// Returns false if there is no such turn.
  func stop(requestID: String, by owner: Principal) -> Bool {
    let found = answers.values.map(\.turn).filter { $0.requestID == requestID && $0.owner == owner }
    for turn in found { turn.interrupt() }
    return !found.isEmpty
  }
}
