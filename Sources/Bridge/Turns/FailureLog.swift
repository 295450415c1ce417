// Keeps the latest failed requests of each key, for the dashboard.

/// The latest failed requests. The code that answers a request adds its failure.
@LoopActor
final class FailureLog {
  /// A request that failed.
  struct Failure: Sendable, Equatable {
    /// Seconds since 1970.
    let at: Int
    let requestID: String
    let code: String
    let message: String
  }

  /// How many failures of a key are kept. Counted for each key, so that the failures of one do not push out those of
  /// another.
  static let maxFailuresPerKey = 20
  private static let maxMessageCharacters = 500

  private var failures: [Principal: [Failure]] = [:]

  /// Adds a failed request. If its client has left, it is not added: nobody missed its answer.
  func add(_ error: APIError, _ caller: any Caller) {
    guard !caller.isClientGone else { return }
    let failure = Failure(
      at: unixTime(),
      requestID: caller.id,
      code: error.code ?? error.type,
      message: error.message.shortened(to: Self.maxMessageCharacters)
    )
    var kept = failures[caller.principal] ?? []
    kept.append(failure)
    failures[caller.principal] = Array(kept.suffix(Self.maxFailuresPerKey))
  }

  /// The latest failures of `owner`, oldest first.
  func failures(of owner: Principal) -> [Failure] { failures[owner] ?? [] }
}
