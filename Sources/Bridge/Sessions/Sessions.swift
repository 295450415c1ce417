// Which turn of a session may run, and how long sessions are remembered. Owns the queues; what is remembered of a session
// lies in a `SessionRepository`.

/// The sessions of the bridge.
///
/// A request that holds the place of a session is the only one in this process that runs a turn of it. What it has read of the
/// session may still be forgotten meanwhile, by a person or by age.
@LoopActor
final class Sessions {
  /// How long sessions are remembered.
  struct Retention: Sendable {
    /// Since their last use; nil for ever.
    var maxAge: Duration?
    /// Nil for no bound.
    var maxCount: Int?
  }

  /// A session that a request runs in or waits for.
  private struct SessionInUse {
    let queue: PermitQueue
    /// Why the latest change of its record was not taken, until one is.
    var failedChange: RepositoryError?
  }

  /// How often sessions are looked through for old ones. Each time costs as much as there are sessions.
  private static let sweepInterval = Duration.seconds(600)
  /// How often a change is tried that meets those of others. More of them in a row are no accident.
  private static let maxChangeAttempts = 4

  private let repository: any SessionRepository
  private let queueLimit: Int
  private let retention: Retention
  private var inUse: [SessionKey: SessionInUse] = [:]
  private var sweeper = Ticker()

  /// `queueLimit` is how many requests may wait for the place of one session.
  init(repository: any SessionRepository, queueLimit: Int, retention: Retention = Retention()) {
    self.repository = repository
    self.queueLimit = queueLimit
    self.retention = retention
  }

  isolated deinit { sweeper.stop() }

  /// Tells a bridge that takes over that this one is about to `close`.
  func announceClose() { repository.announceClose() }

  /// Stores what is left, stops the timers and lets other bridges have the sessions.
  func close() async {
    sweeper.stop()
    await repository.close()
  }

  // MARK: What is known

  /// Changes whenever a session may have changed.
  var revision: UInt64 { repository.revision }

  /// Why sessions cannot be stored, nil while they can. Known without waiting.
  var failure: RepositoryError? { repository.failure }

  /// The same for one session.
  func failure(of key: SessionKey) -> RepositoryError? { repository.failure(of: key) }

  /// How many there are.
  func count() async throws(RepositoryError) -> Int { try await repository.count() }

  /// What is known of a session; nil for nothing.
  func record(_ key: SessionKey) async throws(RepositoryError) -> SessionRecord? {
    try await repository.lookup(key)
  }

  func page(_ query: SessionQuery) async throws(RepositoryError) -> SessionPage {
    try await repository.page(query)
  }

  // MARK: One turn at a time

  func isRunning(_ key: SessionKey) -> Bool { (inUse[key]?.queue.runningCount ?? 0) > 0 }

  func waitingCount(_ key: SessionKey) -> Int { inUse[key]?.queue.waitingCount ?? 0 }

  /// Joins the queue of a session; nil if it is full. The ticket must be given to `leave` in the end.
  func enter(_ key: SessionKey) -> PermitQueue.Ticket? { queue(of: key).enter() }

  /// Takes the place of a session at once, for a turn of it that goes on. Such a ticket is given to `leave`, too.
  func enterAhead(_ key: SessionKey) -> PermitQueue.Ticket { queue(of: key).enterAhead() }

  private func queue(of key: SessionKey) -> PermitQueue {
    let session = inUse[key] ?? SessionInUse(queue: PermitQueue(permits: 1, maxWaiting: queueLimit))
    inUse[key] = session
    return session.queue
  }

  func leave(_ key: SessionKey, _ ticket: PermitQueue.Ticket) {
    ticket.release()
    if inUse[key]?.queue.isUnused == true { inUse[key] = nil }
  }

  // MARK: Changes

  /// Changes what is remembered of a session. `change` is given what is known, nil for nothing, and returns what is to be
  /// known; nil to leave it as it is. It is called again if somebody else has changed the session meanwhile.
  ///
  /// `commit` tells when the change lasts, and whether it could be made.
  func update(_ key: SessionKey, _ change: @LoopActor (SessionRecord?) -> SessionRecord?) async {
    do throws(RepositoryError) {
      guard try await bind(key, change) else { return }
      inUse[key]?.failedChange = nil
    } catch {
      inUse[key]?.failedChange = error
      return warn("a session could not be changed", key, error)
    }
    await forgetSurplus(keeping: key)
  }

  /// False if there is nothing to change.
  private func bind(
    _ key: SessionKey, _ change: @LoopActor (SessionRecord?) -> SessionRecord?
  ) async throws(RepositoryError) -> Bool {
    var attempts = 0
    while true {
      let known = try await repository.lookup(key)
      guard var changed = change(known) else { return false }
      changed.version = known?.version
      do throws(RepositoryError) {
        try await repository.bind(key, changed)
        return true
      } catch {
        attempts += 1
        guard error == .conflict, attempts < Self.maxChangeAttempts else { throw error }
      }
    }
  }

  /// Gives a session a title, which lasts after `commit()`. Returns what is known of it then; nil for a session that is not known.
  func rename(_ key: SessionKey, to title: String) async throws(RepositoryError) -> SessionRecord? {
    var renamed: SessionRecord?
    _ = try await bind(key) { known in
      renamed = known
      renamed?.title = title
      return renamed
    }
    return renamed
  }

  /// Notes how many assistant messages the last request on a session's thread had. Stored with the next change.
  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) async {
    do throws(RepositoryError) {
      try await repository.setAnswers(count, on: thread, of: key)
    } catch {
      warn("a turn could not be noted in its session", key, error)
    }
  }

  /// Notes a turn of a session. Stored soon, promised to nobody.
  func touch(_ key: SessionKey) async {
    do throws(RepositoryError) {
      try await repository.touch(key)
    } catch {
      warn("a turn could not be noted in its session", key, error)
    }
  }

  /// Forgets a session. Its thread stays under Codex's home. False if there is none.
  func forget(_ key: SessionKey) async throws(RepositoryError) -> Bool { try await repository.forget(key) }

  /// Waits until the latest `update` of a session lasts. Throws why it does not.
  func commit(_ key: SessionKey) async throws(RepositoryError) {
    if let failure = inUse[key]?.failedChange { throw failure }
    try await repository.commit(key)
  }

  /// Waits until every change so far lasts. Throws why one does not.
  func commit() async throws(RepositoryError) { try await repository.commit() }

  private func warn(_ message: String, _ key: SessionKey, _ error: RepositoryError) {
    Log.warning(message, ["session": key.id, "error": error])
  }

  // MARK: Forgetting

  /// Forgets what `Retention` does not keep, at once and from then on until `close`.
  func startForgetting() async {
    if retention.maxAge != nil {
      sweeper.start(every: Self.sweepInterval) { [weak self] in
        guard let self else { return }
        Loop.spawn { await self.forgetOld() }
      }
    }
    await forgetOld()
    await forgetSurplus()
  }

  private func forgetOld() async {
    guard let maxAge = retention.maxAge else { return }
    do throws(RepositoryError) {
      let limit = unixTime() - Int(maxAge.inSeconds)
      let count = try await repository.forget(usedBefore: limit) { inUse[$0] != nil }
      guard count > 0 else { return }
      Log.info(
        "sessions are forgotten",
        ["count": count, "reason": "not used for longer than \(Settings.sessionMaxAge.name)"])
    } catch {
      Log.warning("old sessions could not be forgotten", ["error": error])
    }
  }

  private func forgetSurplus(keeping newest: SessionKey? = nil) async {
    do throws(RepositoryError) {
      let count = try await repository.forgetSurplus(over: retention.maxCount, keeping: newest) {
        inUse[$0] != nil
      }
      guard count > 0 else { return }
      let left = try await repository.count()
      Log.info("sessions are forgotten", ["reason": "more than \(Settings.maxSessions.name)", "left": left])
    } catch {
      Log.warning("surplus sessions could not be forgotten", ["error": error])
    }
  }
}
