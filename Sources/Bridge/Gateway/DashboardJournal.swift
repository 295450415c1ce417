// What the dashboard shows that nobody else has to remember: turns being answered, with the request they belong
// to, and the latest failures. Owns both lists; each has a bound.

/// Turns under way and recent failures, noted by the handlers that answer them.
@LoopActor
final class DashboardJournal {
  /// A turn whose answer is under way.
  struct RunningTurn {
    let id: Int
    let requestID: String
    let session: SessionKey?
    let model: String
    /// On the loop's clock.
    let startedAt: Duration
    let turn: Turn
  }

  /// A request that failed.
  struct Failure: Sendable, Equatable {
    /// Seconds since 1970.
    let at: Int
    let requestID: String
    let owner: Principal
    let code: String
    let message: String
  }

  static let maxFailures = 20
  private static let maxMessageCharacters = 500

  private var turns: [Int: RunningTurn] = [:]
  private var nextID = 0
  private(set) var failures: [Failure] = []

  /// Notes that a turn was accepted. What is returned goes to `ended` when its answer is complete. There are never
  /// more than turns may run at once.
  func began(_ turn: Turn, session: SessionKey?, model: String, _ request: Request) -> Int {
    nextID += 1
    turns[nextID] = RunningTurn(
      id: nextID, requestID: request.id, session: session, model: model, startedAt: request.receivedAt, turn: turn)
    return nextID
  }

  func ended(_ id: Int) { turns[id] = nil }

  /// Notes a failed request. One whose client has left is nobody's trouble.
  func failed(_ error: APIError, _ request: Request) {
    guard !request.isClientGone else { return }
    let failure = Failure(
      at: unixTime(),
      requestID: request.id,
      owner: request.principal,
      code: error.code ?? error.type,
      message: error.message.shortened(to: Self.maxMessageCharacters)
    )
    failures.append(failure)
    if failures.count > Self.maxFailures { failures.removeFirst() }
  }

  var runningCount: Int { turns.count }

  /// The turns of `owner` that were asked for first, oldest first.
  func running(of owner: Principal, limit: Int) -> [RunningTurn] {
    Array(turns.values.filter { $0.turn.owner == owner }.sorted { $0.id < $1.id }.prefix(limit))
  }

  /// Interrupts the turns of a request of `owner`. A caller chooses its request ids, so one id may stand for several. False if
  /// there is none.
  func stop(requestID: String, by owner: Principal) -> Bool {
    let found = turns.values.filter { $0.requestID == requestID && $0.turn.owner == owner }
    for running in found { running.turn.interrupt() }
    return !found.isEmpty
  }
}

extension String {
  /// The text, or its beginning and how much is missing.
  func shortened(to limit: Int) -> String {
    // A text of few bytes has few characters; counting those of a long one costs time.
    guard utf8.count > limit, let end = index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex
    else { return self }
    return "\(self[..<end])… (\(self[end...].utf8.count) more bytes)"
  }
}
