// Sessions in a directory: the table in memory, a map file and its journal. Owns the table and what of it is not on disk yet;
// which of the files is written next is decided by `WriteOrder`.

/// Keeps sessions in the state directory, for one bridge at a time.
///
/// A small map is written whole each time, for people to read. Beyond `ThreadMap.maxSorted` sessions, what changes is
/// appended to a journal, so that what a session costs does not grow with their number; now and then the journal is
/// folded into the map.
///
/// Nothing but `commit`, `close` and a page of very many sessions waits: what is known is in memory.
@LoopActor
final class FileRepository: SessionRepository {
  /// The most sessions that are looked through on the loop, which takes about a millisecond; more are looked through
  /// beside it.
  private static let maxSessionsOnLoop = 10_000
  /// Changes that are promised to nobody are written this much later, together.
  private static let lazyWriteDelay = Duration.seconds(5)
  private static let retryDelay = Duration.seconds(5)
  /// One in so many sessions goes beyond those that have to, so that not every new session looks through all of them.
  private static let surplusShare = 100
  /// Bytes of the map for all that is not a session.
  static let mapFrameBytes = 4096

  /// A change that is not on disk.
  private struct Change {
    var generation: UInt64
    /// The change that last bound the session, if that is not on disk either.
    var bound: UInt64?
  }

  private var table: SessionTable
  /// Counts changes.
  private var generation: UInt64
  private(set) var failure: RepositoryError?
  private let map: MapFile
  private let journal: JournalFile
  private let lock: StateLock
  private let maxMapBytes: Int
  private var order: WriteOrder
  /// All changes up to this one are on disk.
  private var committed: UInt64
  /// All changes up to this one are to be written as soon as possible.
  private var wanted: UInt64
  private var changes: [SessionKey: Change] = [:]
  private var waiters: [(generation: UInt64, wait: Waiter<Void>)] = []
  /// Finished when nothing is being written.
  private var idleWait: Waiter<Void>?
  private var timer: LoopTimer?

  /// Reads the sessions in `directory` and keeps other bridges from them until `close`. A damaged file is set aside and
  /// named in the log, never emptied; one that cannot be read is an error, because writing would destroy it. Blocks: for the
  /// time before anything is served.
  ///
  /// Sessions that nobody owns, such as those of the original project, become those of `defaultOwner`. Where all sessions
  /// would take more than `maxMapBytes` in the map, those that were not used for the longest time are forgotten.
  init(
    directory: String, defaultOwner: Principal = .everybody,
    maxMapBytes: Int = ThreadMap.maxBytes - FileRepository.mapFrameBytes
  ) throws(ConfigurationError) {
    self.maxMapBytes = maxMapBytes
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    map = MapFile(path: prefix + ThreadMap.fileName)
    journal = JournalFile(path: prefix + SessionJournal.fileName)
    lock = try StateLock(directory: directory)
    var saved: SavedSessions
    do throws(ConfigurationError) {
      FileContents.removeUnfinished(map.path)
      FileContents.removeUnfinished(journal.path)
      saved = try SavedSessions.load(map: map, journal: journal)
    } catch {
      lock.release()
      throw error
    }
    let isHandedOver = saved.table.handOver(to: defaultOwner)
    table = saved.table
    // A map that somebody has edited may have lost its generation but not those of its sessions.
    generation = max(saved.generation, saved.table.lastVersion)
    committed = generation
    wanted = generation
    // A journal would tell of the default owner's sessions only, while the map still has those that nobody owned.
    if saved.canBeFollowed, !isHandedOver {
      order = .found(journal: saved.journal)
    } else {
      order = .unknown(isUrgent: saved.journal != nil || saved.table.count > ThreadMap.maxSorted)
    }
    do throws(FileError) {
      try FileContents.requireRoom(in: directory)
      write()
    } catch {
      // The next attempt to write the map shows whether the directory can be written again.
      order = .unknown(isUrgent: true)
      failure = .unavailable(error.description)
      Log.error(
        "the state directory cannot be written: new sessions are refused",
        ["directory": directory, "error": error])
      writeLater(after: Self.retryDelay)
    }
  }

  /// A write that was under way when the last owner left may have failed and have started the timer for another try.
  isolated deinit { timer?.close() }

  // MARK: What is known

  var revision: UInt64 { generation }

  func count() -> Int { table.count }

  func lookup(_ key: SessionKey) -> SessionRecord? { table[key] }

  func page(_ query: SessionQuery) async -> SessionPage {
    let table = table
    guard table.count > Self.maxSessionsOnLoop else { return table.page(query) }
    return await Loop.offLoop { table.page(query) }
  }

  // MARK: Changes

  func bind(_ key: SessionKey, _ record: SessionRecord) throws(RepositoryError) {
    guard table[key]?.version == record.version else { throw .conflict }
    generation += 1
    var record = record
    record.version = generation
    table[key] = record
    changes[key] = Change(generation: generation, bound: generation)
    writeNow()
  }

  func touch(_ key: SessionKey) {
    guard var record = table[key] else { return }
    generation += 1
    record.usedAt = unixTime()
    record.turns += 1
    record.version = generation
    table[key] = record
    changes[key] = Change(generation: generation, bound: changes[key]?.bound)
    writeLater(after: Self.lazyWriteDelay)
  }

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) {
    if table[key]?.thread == thread { table[key]?.current.answers = count }
  }

  func forget(_ key: SessionKey) -> Bool {
    guard table[key] != nil else { return false }
    forget([key])
    return true
  }

  func forget(usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool) -> Int {
    var old: [SessionKey] = []
    table.forEach { key, record in
      if record.usedAt < time, !isInUse(key) { old.append(key) }
    }
    if !old.isEmpty { forget(old) }
    return old.count
  }

  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) -> Int {
    let before = table.count
    if let maxCount, table.count > maxCount {
      let surplus = table.count - maxCount + maxCount / Self.surplusShare
      forget(oldest(surplus, keeping: newest, usedLast: isInUse))
    }
    let forgotten = before - table.count
    guard table.mapBytes > maxMapBytes else { return forgotten }
    while table.mapBytes > maxMapBytes, table.count > 1 {
      forget(oldest(max(1, table.count / Self.surplusShare), keeping: newest, usedLast: isInUse))
    }
    Log.warning(
      "the session map has reached its size; the sessions that were not used for the longest time are forgotten",
      ["left": table.count, "see": "\(Settings.maxSessions.name), \(Settings.sessionMaxAge.name)"])
    return forgotten
  }

  private func oldest(
    _ number: Int, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) -> [SessionKey] {
    let keys = table.oldest(number) { $0 != newest && !isInUse($0) }
    guard keys.count < number else { return keys }
    return keys + table.oldest(number - keys.count) { $0 != newest && isInUse($0) }
  }

  private func forget(_ keys: [SessionKey]) {
    generation += 1
    for key in keys {
      table[key] = nil
      changes[key] = Change(generation: generation)
    }
    writeNow()
  }

  // MARK: Promises

  func commit(_ key: SessionKey) async throws(RepositoryError) {
    if let bound = changes[key]?.bound { try await commit(upTo: bound) }
  }

  func commit() async throws(RepositoryError) { try await commit(upTo: generation) }

  private func commit(upTo promised: UInt64) async throws(RepositoryError) {
    if committed >= promised { return }
    let wait = Waiter<Void>()
    waiters.append((promised, wait))
    wanted = max(wanted, promised)
    write()
    await wait.value()
    if committed < promised { throw failure ?? .unavailable("unknown reason") }
  }

  func announceClose() { lock.announceLeaving() }

  /// Leaves one file, the map.
  func close() async {
    defer { lock.release() }
    stopTimer()
    // First what costs little: the map may take longer than whoever stops us is willing to wait.
    await writeRest()
    await waitUntilIdle()
    order.close()
    writeNow()
    await waitUntilIdle()
    stopTimer()
  }

  private func writeRest() async {
    do throws(RepositoryError) {
      try await commit()
    } catch {
      // It was logged when it failed, and the map is tried next.
    }
  }

  private func waitUntilIdle() async {
    while !order.isIdle {
      let wait = idleWait ?? Waiter<Void>()
      idleWait = wait
      await wait.value()
    }
  }

  // MARK: Writing

  private func writeNow() {
    wanted = generation
    write()
  }

  private func writeLater(after delay: Duration) {
    guard timer == nil else { return }
    let timer = LoopTimer { [weak self] in
      self?.stopTimer()
      self?.writeNow()
    }
    timer.start(after: delay)
    self.timer = timer
  }

  private func stopTimer() {
    timer?.close()
    timer = nil
  }

  /// One write at a time; changes made meanwhile share the next. So the cost of a commit does not grow with the
  /// number of requests that wait for it.
  private func write() {
    while let step = order.next(sessions: table.count, hasChanges: committed < wanted) {
      switch step {
      case .replace: replaceMap()
      case .append(let version): appendChanges(to: version)
      case .fold: foldJournal()
      case .cut(let version, let covered): cutJournal(version, covered)
      }
    }
  }

  private func replaceMap() {
    let (table, generation, map, journal) = (table, generation, map, journal)
    Loop.spawn {
      let result = await Loop.offLoop { () -> Result<Void, FileError> in
        let result = map.replacing(with: table, generation: generation)
        // All that is in the journal is in the map too, so it may stay if it cannot be removed.
        if result.isSuccess { _ = try? journal.remove() }
        return result
      }
      self.order.replaced(result.isSuccess)
      self.finishWrite(upTo: generation, result)
    }
  }

  private func appendChanges(to version: JournalFile.Version?) {
    let entries = changes.map { key, change in
      SessionJournal.Entry(
        generation: change.generation, key: key, record: table[key],
        keepsPrompt: change.bound == nil && table[key] != nil)
    }
    let (generation, map, journal) = (generation, map, journal)
    Loop.spawn {
      let result = await Loop.offLoop { () -> JournalFile.AppendResult in
        // Without its map a journal is worth nothing.
        map.isMissing ? .lost : journal.append(SessionJournal.encode(entries), lines: entries.count, to: version)
      }
      self.order.appended(result, sessions: self.table.count)
      switch result {
      case .appended: self.finishWrite(upTo: generation, .success(()))
      case .failed(let error): self.finishWrite(upTo: generation, .failure(error))
      case .lost:
        Log.warning("the session map or its journal was taken away and is written again", ["file": map.path])
        self.continueWriting()
      }
    }
  }

  private func foldJournal() {
    let (table, generation, map) = (table, generation, map)
    Loop.spawn {
      let result = await Loop.offLoop { map.replacing(with: table, generation: generation) }
      self.order.folded(result.isSuccess)
      switch result {
      case .success: self.noteCommitted(upTo: generation)
      case .failure(let error): self.warnOfLongJournal(error)
      }
      self.continueWriting()
    }
  }

  private func cutJournal(_ version: JournalFile.Version, _ covered: SessionJournal.Extent) {
    let journal = journal
    Loop.spawn {
      let result = await Loop.offLoop { journal.cut(version, covered: covered) }
      self.order.cut(result)
      if case .failed(let error) = result { self.warnOfLongJournal(error) }
      self.continueWriting()
    }
  }

  /// A journal that could not be folded is only longer than it should be.
  private func warnOfLongJournal(_ error: FileError) {
    Log.warning("the session journal could not be folded", ["file": journal.path, "error": error])
  }

  /// The changes up to `written` were to be written.
  private func finishWrite(upTo written: UInt64, _ result: Result<Void, FileError>) {
    switch result {
    case .success:
      if failure != nil { Log.info("the session map can be written again", ["file": map.path]) }
      failure = nil
      noteCommitted(upTo: written)
      continueWriting()
    case .failure(let error):
      if failure == nil { Log.error("cannot write the session map", ["file": map.path, "error": error]) }
      failure = .unavailable(error.description)
      writeLater(after: Self.retryDelay)
      resumeWaiters(upTo: written)
      resumeIdleWait()
    }
  }

  private func noteCommitted(upTo written: UInt64) {
    committed = max(committed, written)
    changes = changes.compactMapValues { [committed] change in
      guard change.generation > committed else { return nil }
      return Change(generation: change.generation, bound: change.bound.flatMap { $0 > committed ? $0 : nil })
    }
    resumeWaiters(upTo: committed)
  }

  private func resumeWaiters(upTo written: UInt64) {
    let due = waiters.filter { $0.generation <= written }
    waiters.removeAll { $0.generation <= written }
    for waiter in due { waiter.wait.finish() }
  }

  private func continueWriting() {
    write()
    resumeIdleWait()
  }

  private func resumeIdleWait() {
    guard order.isIdle else { return }
    idleWait?.finish()
    idleWait = nil
  }
}

extension Result {
  fileprivate var isSuccess: Bool {
    if case .success = self { true } else { false }
  }
}
