// The answers under way.

/// Which turns are being answered, and to whom.
@LoopActor
final class AnswerRegistry {
  private var answers: [Int: Answer] = [:]
  private var nextID = 0

  /// Notes that a turn was accepted. What is returned goes to `remove` when its answer is complete. There are never
  /// more than turns may run at once.
  func add(_ answer: Answer) -> Int {
    nextID += 1
    answers[nextID] = answer
    return nextID
  }

  func remove(_ id: Int) { answers[id] = nil }

  /// Turns under way, of all keys.
  var count: Int { answers.count }

  func count(of owner: Principal) -> Int { answers.values.count { $0.turn.owner == owner } }

  /// The answers under way to `owner` that were asked for first, oldest first.
  func answers(to owner: Principal, limit: Int) -> [Answer] {
    answers.filter { $0.value.turn.owner == owner }.sorted { $0.key < $1.key }.prefix(limit).map(\.value)
  }

  /// Interrupts the turns of a request of `owner`. A caller chooses its request ids, so one id may stand for several. False if
  /// there is none.
  func stop(requestID: String, by owner: Principal) -> Bool {
    let found = answers.values.map(\.turn).filter { $0.requestID == requestID && $0.owner == owner }
    for turn in found { turn.interrupt() }
    return !found.isEmpty
  }
}
