// What the dashboard shows that nobody else has to remember: turns being answered, with the request they belong
// to, and the latest failures of each key. Owns both; each has a bound.

/// Turns under way and recent failures, noted by the handlers that answer them.
@LoopActor
final class DashboardJournal {
  /// A request that failed.
  struct Failure: Sendable, Equatable {
    /// Seconds since 1970.
    let at: Int
    let requestID: String
    let code: String
    let message: String
  }

  /// Of each key, so that the failures of one do not push out those of another.
  static let maxFailuresPerKey = 20
  private static let maxMessageCharacters = 500

  private var answers: [Int: ChatAnswer] = [:]
  private var nextID = 0
  private var failures: [Principal: [Failure]] = [:]

  /// Notes that a turn was accepted. What is returned goes to `ended` when its answer is complete. There are never
  /// more than turns may run at once.
  func began(_ answer: ChatAnswer) -> Int {
    nextID += 1
    answers[nextID] = answer
    return nextID
  }

  func ended(_ id: Int) { answers[id] = nil }

  /// Notes a failed request. One whose client has left is nobody's trouble.
  func failed(_ error: APIError, _ request: Request) {
    guard !request.isClientGone else { return }
    let failure = Failure(
      at: unixTime(),
      requestID: request.id,
      code: error.code ?? error.type,
      message: error.message.shortened(to: Self.maxMessageCharacters)
    )
    var kept = failures[request.principal] ?? []
    kept.append(failure)
    failures[request.principal] = Array(kept.suffix(Self.maxFailuresPerKey))
  }

  /// The latest failures of `owner`, oldest first.
  func failures(of owner: Principal) -> [Failure] { failures[owner] ?? [] }

  /// Turns under way, of all keys.
  var runningCount: Int { answers.count }

  func runningCount(of owner: Principal) -> Int { answers.values.count { $0.turn.owner == owner } }

  /// The answers under way to `owner` that were asked for first, oldest first.
  func running(of owner: Principal, limit: Int) -> [ChatAnswer] {
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
