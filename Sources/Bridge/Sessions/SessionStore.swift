// Which conversation is which thread. Owns all sessions and the file that outlives us.

import Glibc

/// The sessions of the bridge.
@LoopActor
final class SessionStore {
  /// A session that cannot be used now.
  enum Refusal: Error, Equatable {
    case queueFull
    /// The caller left the queue.
    case cancelled
  }

  /// Changes that are nice to keep but promised to nobody are written this much later.
  private static let lazyWriteDelay = Duration.seconds(5)
  private static let retryDelay = Duration.seconds(5)

  private let path: String
  private let queueLimit: Int
  private var records: [String: SessionRecord]
  /// Queues of the sessions that are in use now.
  private var queues: [String: PermitQueue] = [:]
  /// Counts changes; a commit covers all changes up to the one it began with.
  private var generation: UInt64 = 0
  private var committed: UInt64 = 0
  private var commitWaiters: [(generation: UInt64, wait: Wait)] = []
  /// The change that last bound each session, until it is on disk.
  private var unsaved: [String: UInt64] = [:]
  private var isWriting = false
  private var lazyTimer: LoopTimer?
  /// Why the map cannot be written, nil while it can.
  private(set) var writeFailure: String?

  /// Reads the map. A damaged file is set aside and named in the log, never emptied; one that cannot be read is
  /// an error, because writing would destroy it.
  init(directory: String, queueLimit: Int) throws(ConfigurationError) {
    path = directory.hasSuffix("/") ? directory + ThreadMap.fileName : "\(directory)/\(ThreadMap.fileName)"
    self.queueLimit = queueLimit
    switch ThreadMap.load(path) {
    case .records(let records): self.records = records
    case .unreadable(let reason):
      throw ConfigurationError(description: "\(path) cannot be read: \(reason)")
    case .damaged(let reason):
      let aside = "\(path).damaged-\(unixTime())"
      guard rename(path, aside) == 0 else {
        throw ConfigurationError(
          description: "\(path) is damaged (\(reason)) and cannot be set aside: \(systemError())")
      }
      Log.error("the session map was damaged and is set aside", ["reason": reason, "file": aside])
      records = [:]
    }
    if access(directory, W_OK) != 0 {
      writeFailure = systemError()
      Log.error(
        "the state directory cannot be written: new sessions are refused",
        ["directory": directory, "error": writeFailure ?? ""])
      generation += 1
      retryLater()
    }
  }

  var count: Int { records.count }

  func record(_ id: String) -> SessionRecord? { isAnother(id) ? nil : records[id] }

  /// Whether a session in use has an id that is written otherwise and yet the same to Unicode (canonical equivalence),
  /// and so to a dictionary. Two conversations must never share a thread for that.
  func isAnother(_ id: String) -> Bool {
    let known =
      records.index(forKey: id).map { records[$0].key } ?? queues.index(forKey: id).map { queues[$0].key }
    return known.map { !$0.utf8.elementsEqual(id.utf8) } ?? false
  }

  func isRunning(_ id: String) -> Bool { (queues[id]?.runningCount ?? 0) > 0 }

  func waitingCount(_ id: String) -> Int { queues[id]?.waitingCount ?? 0 }

  /// All sessions, most recently used first.
  func all() -> [(id: String, record: SessionRecord)] {
    records.map { ($0.key, $0.value) }.sorted { ($1.record.usedAt, $0.id) < ($0.record.usedAt, $1.id) }
  }

  /// Changes whenever a session does.
  var revision: UInt64 { generation }

  /// The first of `all()` without sorting all: there may be many more than anybody wants to see.
  func recent(_ limit: Int) -> [(id: String, record: SessionRecord)] {
    var first: [(id: String, record: SessionRecord)] = []
    for (id, record) in records {
      let index = first.lastIndex { (record.usedAt, $0.id) < ($0.record.usedAt, id) }.map { $0 + 1 } ?? 0
      guard index < limit else { continue }
      first.insert((id, record), at: index)
      if first.count > limit { first.removeLast() }
    }
    return first
  }

  // MARK: One turn at a time

  /// Joins the queue of a session; nil if it is full. The ticket must be given to `leave` in the end.
  func enter(_ id: String) -> PermitQueue.Ticket? {
    let queue = queues[id] ?? PermitQueue(permits: 1, maxWaiting: queueLimit)
    queues[id] = queue
    return queue.enter()
  }

  func leave(_ id: String, _ ticket: PermitQueue.Ticket) {
    ticket.release()
    if queues[id]?.isUnused == true { queues[id] = nil }
  }

  // MARK: Changes

  /// Remembers which thread a session is. `isSaved` tells when that is on disk.
  func bind(_ id: String, _ record: SessionRecord) {
    records[id] = record
    generation += 1
    unsaved[id] = generation
    write()
  }

  /// Notes a turn of a session that is bound already. Written soon, promised to nobody.
  func touch(_ id: String) {
    records[id]?.usedAt = unixTime()
    records[id]?.turns += 1
    generation += 1
    guard lazyTimer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.writeLazily() }
    timer.start(after: Self.lazyWriteDelay)
    lazyTimer = timer
  }

  /// Forgets a session. Its thread stays under Codex's home. False if there is none.
  func forget(_ id: String) -> Bool {
    guard !isAnother(id), records.removeValue(forKey: id) != nil else { return false }
    unsaved[id] = nil
    generation += 1
    write()
    return true
  }

  /// Waits until what was last bound to a session is on disk. False if it could not be written.
  func isSaved(_ id: String) async -> Bool {
    guard let wanted = unsaved[id] else { return true }
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

  /// Writes what is left and stops the timers.
  func close() async {
    lazyTimer?.close()
    lazyTimer = nil
    if committed < generation { _ = await commit() }
    lazyTimer?.close()
    lazyTimer = nil
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
    let snapshot = records
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
