// Which conversation is which thread, and which of its turns may run. Owns the queues of the sessions and decides how
// long they are remembered; `FileRepository` keeps them.

import Glibc

/// The sessions of the bridge.
@LoopActor
final class Sessions {
  private let file: FileRepository
  private let queueLimit: Int
  private let retention: Retention
  private let lock: StateLock
  /// Queues of the sessions that are in use now.
  private var queues: [SessionKey: PermitQueue] = [:]
  private var sweeper = Ticker()

  /// Reads the sessions in `directory` and keeps other bridges from them until `close`. A damaged file is set aside and
  /// named in the log, never emptied; one that cannot be read is an error, because writing would destroy it.
  ///
  /// Sessions that nobody owns, such as those of the original project, become `defaultOwner`'s.
  init(
    directory: String,
    queueLimit: Int,
    retention: Retention = Retention(),
    defaultOwner: Principal = .everybody
  ) throws(ConfigurationError) {
    self.queueLimit = queueLimit
    self.retention = retention
    lock = try StateLock(directory: directory)
    do throws(ConfigurationError) {
      file = try FileRepository(directory: directory, defaultOwner: defaultOwner)
    } catch {
      lock.release()
      throw error
    }
    startForgetting()
  }

  var count: Int { file.table.count }

  func record(_ key: SessionKey) -> SessionRecord? { file.table[key] }

  func isRunning(_ key: SessionKey) -> Bool { (queues[key]?.runningCount ?? 0) > 0 }

  func waitingCount(_ key: SessionKey) -> Int { queues[key]?.waitingCount ?? 0 }

  /// Changes whenever a session does.
  var revision: UInt64 { file.generation }

  /// Why sessions cannot be saved, nil while they can.
  var writeFailure: String? { file.writeFailure }

  /// What a list of sessions shows.
  struct Page {
    /// Most recently used first.
    var entries: [SessionEntry]
    /// Sessions that match, on this page or not.
    var total: Int
    /// Whether more would follow.
    var hasMore: Bool
  }

  /// The sessions of `owner` whose id contains `search` (any case; nil for all), from the one after `after` on. Looks
  /// through all sessions: a millisecond for some ten thousand.
  func page(of owner: Principal, limit: Int, after: SessionEntry? = nil, search: String? = nil) -> Page {
    Self.page(in: file.table, of: owner, limit: limit, after: after, search: search)
  }

  /// The same beside the loop.
  func findPage(
    of owner: Principal, limit: Int, after: SessionEntry? = nil, search: String? = nil
  ) async -> Page {
    let table = file.table
    return await Loop.offLoop { Self.page(in: table, of: owner, limit: limit, after: after, search: search) }
  }

  private nonisolated static func page(
    in table: SessionTable, of owner: Principal, limit: Int, after: SessionEntry?, search: String?
  ) -> Page {
    let wanted = search?.lowercased()
    var total = 0
    table.forEach { key, _ in if matches(key, owner, wanted) { total += 1 } }
    var entries = table.recent(limit + 1) { key, record in
      guard matches(key, owner, wanted) else { return false }
      return after.map { $0.isMoreRecent(than: SessionEntry(key: key, record: record)) } ?? true
    }
    let hasMore = entries.count > limit
    if hasMore { entries.removeLast() }
    return Page(entries: entries, total: total, hasMore: hasMore)
  }

  private nonisolated static func matches(_ key: SessionKey, _ owner: Principal, _ search: String?) -> Bool {
    guard key.owner == owner else { return false }
    guard let search, !search.isEmpty else { return true }
    return key.id.lowercased().contains(search)
  }

  // MARK: One turn at a time

  /// Joins the queue of a session; nil if it is full. The ticket must be given to `leave` in the end.
  func enter(_ key: SessionKey) -> PermitQueue.Ticket? {
    let queue = queues[key] ?? PermitQueue(permits: 1, maxWaiting: queueLimit)
    queues[key] = queue
    return queue.enter()
  }

  func leave(_ key: SessionKey, _ ticket: PermitQueue.Ticket) {
    ticket.release()
    if queues[key]?.isUnused == true { queues[key] = nil }
  }

  // MARK: Changes

  /// Remembers which thread a session is. `isSaved` tells when that is on disk.
  func bind(_ key: SessionKey, _ record: SessionRecord) {
    file.bind(key, record)
    forgetSurplus(but: key)
  }

  /// Notes how many assistant messages the last request on a session's thread had. Written with the next change.
  func note(answers: Int, of key: SessionKey) { file.note(answers: answers, of: key) }

  /// Notes a turn of a session that is bound already. Written soon, promised to nobody.
  func touch(_ key: SessionKey) { file.touch(key) }

  /// Forgets a session. Its thread stays under Codex's home. False if there is none.
  func forget(_ key: SessionKey) -> Bool {
    guard record(key) != nil else { return false }
    file.forget([key])
    return true
  }

  /// Waits until what was last bound to a session is on disk. False if it could not be written.
  func isSaved(_ key: SessionKey) async -> Bool { await file.isSaved(key) }

  /// Waits until every change so far is on disk. False if it could not be written.
  func commit() async -> Bool { await file.commit() }

  isolated deinit { sweeper.stop() }

  /// Tells a bridge that takes over that this one is about to `close`.
  func willClose() { lock.leave() }

  /// Writes what is left, stops the timers and lets other bridges in.
  func close() async {
    sweeper.stop()
    defer { lock.release() }
    await file.close()
  }

  // MARK: Forgetting

  /// How long sessions are remembered.
  struct Retention: Sendable {
    /// Since their last use; nil for ever.
    var maxAge: Duration?
    /// Nil for no bound.
    var maxCount: Int?
    /// What sessions may take in the map; the rest of what can be read is for its frame.
    var maxMapBytes = ThreadMap.maxBytes - 4096
  }

  /// How often sessions are looked through for old ones. They are as many as have been kept, so not often.
  private static let sweepInterval = Duration.seconds(600)

  private func startForgetting() {
    forgetOld()
    forgetSurplus()
    guard retention.maxAge != nil else { return }
    sweeper.start(every: Self.sweepInterval) { [weak self] in self?.forgetOld() }
  }

  private func forgetOld() {
    guard let maxAge = retention.maxAge else { return }
    let limit = unixTime() - Int(maxAge.inSeconds)
    var old: [SessionKey] = []
    file.table.forEach { if $1.usedAt < limit { old.append($0) } }
    // One that waits or runs is being used.
    old.removeAll { queues[$0] != nil }
    guard !old.isEmpty else { return }
    file.forget(old)
    Log.info(
      "sessions are forgotten",
      ["count": old.count, "reason": "not used for longer than \(Settings.sessionMaxAge.name)"])
  }

  /// Keeps to the limits: those used last stay, and `newest` in any case. One in use goes only where all others have.
  private func forgetSurplus(but newest: SessionKey? = nil) {
    if let maxCount = retention.maxCount, count > maxCount {
      forgetOldest(count - maxCount + maxCount / Self.surplusShare, but: newest)
      Log.info("sessions are forgotten", ["reason": "more than \(Settings.maxSessions.name)", "left": count])
    }
    guard file.table.mapBytes > retention.maxMapBytes else { return }
    while file.table.mapBytes > retention.maxMapBytes, count > 1 {
      forgetOldest(max(1, count / Self.surplusShare), but: newest)
    }
    Log.warning(
      "the session map has reached its size; the sessions that were not used for the longest time are forgotten",
      ["left": count, "see": "\(Settings.maxSessions.name), \(Settings.sessionMaxAge.name)"])
  }

  /// One in so many goes beyond what has to, so that not every new session looks through all of them.
  private static let surplusShare = 100

  private func forgetOldest(_ number: Int, but newest: SessionKey?) {
    var keys = file.table.oldest(number) { $0 != newest && queues[$0] == nil }
    if keys.count < number { keys += file.table.oldest(number - keys.count) { $0 != newest && queues[$0] != nil } }
    file.forget(keys)
  }
}
