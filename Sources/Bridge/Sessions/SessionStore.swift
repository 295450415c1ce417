// Which conversation is which thread. Owns all sessions and the file that outlives us.

import Glibc

/// The sessions of the bridge.
@LoopActor
final class SessionStore {
  /// Changes that are nice to keep but promised to nobody are written this much later.
  private static let lazyWriteDelay = Duration.seconds(5)
  private static let retryDelay = Duration.seconds(5)

  private let path: String
  private let queueLimit: Int
  private let retention: Retention
  private let lock: StateLock
  private var table: SessionTable
  /// Queues of the sessions that are in use now.
  private var queues: [SessionKey: PermitQueue] = [:]
  /// Counts changes; a commit covers all changes up to the one it began with.
  private var generation: UInt64 = 0
  private var committed: UInt64 = 0
  private var commitWaiters: [(generation: UInt64, wait: Wait)] = []
  /// The change that last bound each session, until it is on disk.
  private var unsaved: [SessionKey: UInt64] = [:]
  private var isWriting = false
  private var sweeper: LoopTimer?
  private var lazyTimer: LoopTimer?
  /// Why the map cannot be written, nil while it can.
  private(set) var writeFailure: String?

  /// Reads the map and keeps other bridges from it until `close`. A damaged file is set aside and named in the log,
  /// never emptied; one that cannot be read is an error, because writing would destroy it.
  ///
  /// Sessions that nobody owns, such as those of the original project, become `heir`'s.
  init(
    directory: String,
    queueLimit: Int,
    retention: Retention = Retention(),
    heir: Principal = .everybody
  ) throws(ConfigurationError) {
    path = directory.hasSuffix("/") ? directory + ThreadMap.fileName : "\(directory)/\(ThreadMap.fileName)"
    self.queueLimit = queueLimit
    self.retention = retention
    lock = try StateLock(directory: directory)
    FileContents.removeUnfinished(path)
    do throws(ConfigurationError) {
      table = try Self.load(path)
      _ = table.bequeath(to: heir)
    } catch {
      lock.release()
      throw error
    }
    if access(directory, W_OK) != 0 {
      writeFailure = systemError()
      Log.error(
        "the state directory cannot be written: new sessions are refused",
        ["directory": directory, "error": writeFailure ?? ""])
      generation += 1
      retryLater()
    }
    startForgetting()
  }

  private static func load(_ path: String) throws(ConfigurationError) -> SessionTable {
    switch ThreadMap.load(path) {
    case .records(let table, _): return table
    case .unreadable(let reason):
      throw ConfigurationError(description: "\(path) cannot be read: \(reason)")
    case .damaged(let reason):
      let aside = "\(path).damaged-\(unixTime())"
      guard rename(path, aside) == 0 else {
        throw ConfigurationError(
          description: "\(path) is damaged (\(reason)) and cannot be set aside: \(systemError())")
      }
      Log.error("the session map was damaged and is set aside", ["reason": reason, "file": aside])
      return SessionTable()
    }
  }

  var count: Int { table.count }

  func record(_ key: SessionKey) -> SessionRecord? { table[key] }

  func isRunning(_ key: SessionKey) -> Bool { (queues[key]?.runningCount ?? 0) > 0 }

  func waitingCount(_ key: SessionKey) -> Int { queues[key]?.waitingCount ?? 0 }

  /// Changes whenever a session does.
  var revision: UInt64 { generation }

  /// What a list of sessions shows.
  struct Page {
    /// Most recently used first.
    var entries: [SessionEntry]
    /// Sessions that match, on this page or not.
    var total: Int
    /// Whether more would follow.
    var hasMore: Bool
  }

  /// The sessions of `owner` whose id contains `search` (any case; nil for all), from the one after `after` on.
  func page(of owner: Principal, limit: Int, after: SessionEntry? = nil, search: String? = nil) -> Page {
    let wanted = search?.lowercased()
    var total = 0
    table.forEach { key, _ in if Self.matches(key, owner, wanted) { total += 1 } }
    var entries = table.recent(limit + 1) { key, record in
      guard Self.matches(key, owner, wanted) else { return false }
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
    table[key] = record
    generation += 1
    unsaved[key] = generation
    forgetSurplus()
    write()
  }

  /// Notes a turn of a session that is bound already. Written soon, promised to nobody.
  func touch(_ key: SessionKey) {
    table[key]?.usedAt = unixTime()
    table[key]?.turns += 1
    generation += 1
    guard lazyTimer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.writeLazily() }
    timer.start(after: Self.lazyWriteDelay)
    lazyTimer = timer
  }

  /// Forgets a session. Its thread stays under Codex's home. False if there is none.
  func forget(_ key: SessionKey) -> Bool {
    guard table[key] != nil else { return false }
    table[key] = nil
    unsaved[key] = nil
    generation += 1
    write()
    return true
  }

  /// Waits until what was last bound to a session is on disk. False if it could not be written.
  func isSaved(_ key: SessionKey) async -> Bool {
    guard let wanted = unsaved[key] else { return true }
    return await commit(wanted)
  }

  /// Waits until every change so far is on disk. False if it could not be written.
  func commit() async -> Bool { await commit(generation) }

  private func commit(_ wanted: UInt64) async -> Bool {
    if committed >= wanted { return true }
    let wait = Wait()
    commitWaiters.append((wanted, wait))
    write()
    await wait.value()
    return committed >= wanted
  }

  /// A write that was under way when the last owner left may have found the disk unwritable and wants to try again.
  isolated deinit {
    sweeper?.close()
    lazyTimer?.close()
  }

  /// Tells a bridge that takes over that this one is about to `close`.
  func willClose() { lock.leave() }

  /// Writes what is left, stops the timers and lets other bridges in.
  func close() async {
    sweeper?.close()
    sweeper = nil
    defer { lock.release() }
    lazyTimer?.close()
    lazyTimer = nil
    if committed < generation { _ = await commit() }
    lazyTimer?.close()
    lazyTimer = nil
  }

  // MARK: Forgetting

  /// How long sessions are remembered.
  struct Retention: Sendable {
    /// Since their last use; nil for ever.
    var maxAge: Duration?
    /// Nil for no bound.
    var maxCount: Int?
  }

  /// How often sessions are looked through for old ones. They are as many as have been kept, so not often.
  private static let sweepInterval = Duration.seconds(600)

  private func startForgetting() {
    forgetOld()
    forgetSurplus()
    guard retention.maxAge != nil else { return }
    let timer = LoopTimer { [weak self] in self?.forgetOld() }
    timer.start(after: Self.sweepInterval, repeating: Self.sweepInterval)
    sweeper = timer
  }

  private func forgetOld() {
    guard let maxAge = retention.maxAge else { return }
    let limit = unixTime() - Int(maxAge.inSeconds)
    var old: [SessionKey] = []
    table.forEach { if $1.usedAt < limit { old.append($0) } }
    forget(old, because: "not used for longer than \(Settings.sessionMaxAge.name)")
  }

  private func forgetSurplus() {
    guard let maxCount = retention.maxCount, count > maxCount else { return }
    // Some more than needed, so that not every new session looks through all of them.
    let surplus = count - maxCount + maxCount / 100
    forget(table.oldest(surplus).map(\.key), because: "more than \(Settings.maxSessions.name)")
  }

  private func forget(_ keys: [SessionKey], because reason: String) {
    let idle = keys.filter { queues[$0] == nil }
    guard !idle.isEmpty else { return }
    for key in idle {
      table[key] = nil
      unsaved[key] = nil
    }
    generation += 1
    Log.info("sessions are forgotten", ["count": idle.count, "reason": reason])
    write()
  }

  // MARK: Writing

  private func writeLazily() {
    lazyTimer?.close()
    lazyTimer = nil
    write()
  }

  /// One write at a time; changes made meanwhile share the next. So the cost of a commit does not grow with the
  /// number of requests that wait for it.
  private func write() {
    guard !isWriting, committed < generation else { return }
    isWriting = true
    let snapshot = table
    let path = path
    let written = generation
    Loop.spawn {
      let failure = await Loop.offLoop { FileContents.replace(path, with: ThreadMap.encode(snapshot)) }
      self.didWrite(written, failure: failure)
    }
  }

  private func didWrite(_ written: UInt64, failure: String?) {
    isWriting = false
    if let failure {
      if writeFailure == nil { Log.error("cannot write the session map", ["file": path, "error": failure]) }
      retryLater()
    } else {
      if writeFailure != nil { Log.info("the session map can be written again", ["file": path]) }
      committed = max(committed, written)
      unsaved = unsaved.filter { $0.value > committed }
    }
    writeFailure = failure
    let due = commitWaiters.filter { $0.generation <= written }
    commitWaiters.removeAll { $0.generation <= written }
    for waiter in due { waiter.wait.finish() }
    if failure == nil { write() }
  }

  private func retryLater() {
    guard lazyTimer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.writeLazily() }
    timer.start(after: Self.retryDelay)
    lazyTimer = timer
  }
}
