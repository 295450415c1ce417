// All sessions and what outlives us of them. Owns the table, the map's file and its journal; which of the files is
// written next is decided by `SessionFileState`.

import Glibc

/// The table of sessions and its files.
///
/// A small map is written whole each time, for people to read. Beyond `ThreadMap.maxSorted` sessions, what changes is
/// appended to a journal, so that what a session costs does not grow with their number; now and then the journal is
/// folded into the map.
@LoopActor
final class SessionFile {
  /// Changes that are nice to keep but promised to nobody are written this much later.
  private static let lazyWriteDelay = Duration.seconds(5)
  private static let retryDelay = Duration.seconds(5)

  /// A change that is not on disk.
  private struct Change {
    var generation: UInt64
    /// The change that last bound the session, if that is not on disk either.
    var bound: UInt64?
  }

  private(set) var table: SessionTable
  /// Counts changes.
  private(set) var generation: UInt64
  /// Why nothing can be written, nil while it can.
  private(set) var writeFailure: String?
  private let mapPath: String
  private let journal: JournalFile
  private var state: SessionFileState
  /// All changes up to this one are on disk.
  private var committed: UInt64
  /// All changes up to this one are to be written as soon as possible.
  private var wanted: UInt64
  private var changes: [SessionKey: Change] = [:]
  private var waiters: [(generation: UInt64, wait: Waiter<Void>)] = []
  private var settled: Waiter<Void>?
  private var timer: LoopTimer?

  /// Reads what there is. A damaged file is set aside and named in the log, never emptied; one that cannot be read is an
  /// error, because writing would destroy it.
  ///
  /// Sessions that nobody owns, such as those of the original project, become `heir`'s.
  init(directory: String, heir: Principal) throws(ConfigurationError) {
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    mapPath = prefix + ThreadMap.fileName
    journal = JournalFile(path: prefix + SessionJournal.fileName)
    FileContents.removeUnfinished(mapPath)
    FileContents.removeUnfinished(journal.path)
    var saved = try SavedSessions.load(map: mapPath, journal: journal)
    let isBequeathed = saved.table.bequeath(to: heir)
    table = saved.table
    // A map that somebody has edited may have lost its generation but not those of its sessions.
    let generation = max(saved.generation, table.lastSequence)
    self.generation = generation
    committed = generation
    wanted = generation
    do throws(FileError) {
      try FileContents.requireRoom(in: directory)
    } catch {
      writeFailure = error.description
      Log.error(
        "the state directory cannot be written: new sessions are refused",
        ["directory": directory, "error": error.description])
      // Whether it can be again shows when the map is written.
      state = .unknown(isUrgent: true)
      writeLater(after: Self.retryDelay)
      return
    }
    // A journal would speak of the heir only, and take nothing from nobody, whom the map still names.
    if saved.canBeFollowed, !isBequeathed {
      state = .found(journal: saved.journal)
    } else {
      state = .unknown(isUrgent: saved.journal != nil || table.count > ThreadMap.maxSorted)
    }
    write()
  }

  /// A write that was under way when the last owner left may have found the disk unwritable and wants to try again.
  isolated deinit { timer?.close() }

  // MARK: Changes

  /// Sets what is known of a session. `isSaved` tells when that is on disk.
  func bind(_ key: SessionKey, _ record: SessionRecord) {
    generation += 1
    var record = record
    record.sequence = generation
    table[key] = record
    changes[key] = Change(generation: generation, bound: generation)
    writeNow()
  }

  /// Notes a turn of a session that is bound already. Written soon, promised to nobody.
  func touch(_ key: SessionKey) {
    generation += 1
    if var record = table[key] {
      record.usedAt = unixTime()
      record.turns += 1
      record.sequence = generation
      table[key] = record
    }
    changes[key] = Change(generation: generation, bound: changes[key]?.bound)
    writeLater(after: Self.lazyWriteDelay)
  }

  /// Notes how many assistant messages the last request on a session's thread had. Written with the next change.
  func note(answers: Int, of key: SessionKey) {
    if table[key] != nil { table[key]?.current.answers = answers }
  }

  func forget(_ keys: [SessionKey]) {
    generation += 1
    for key in keys {
      table[key] = nil
      changes[key] = Change(generation: generation)
    }
    writeNow()
  }

  /// Waits until what was last bound to a session is on disk. False if it could not be written.
  func isSaved(_ key: SessionKey) async -> Bool {
    guard let bound = changes[key]?.bound else { return true }
    return await commit(bound)
  }

  /// Waits until every change so far is on disk. False if it could not be written.
  func commit() async -> Bool { await commit(generation) }

  private func commit(_ promised: UInt64) async -> Bool {
    if committed >= promised { return true }
    let wait = Waiter<Void>()
    waiters.append((promised, wait))
    wanted = max(wanted, promised)
    write()
    await wait.value()
    return committed >= promised
  }

  /// Writes what is left and leaves one file, the map. Nothing may change afterwards.
  func close() async {
    stopTimer()
    // First what costs little: the map may take longer than whoever stops us is willing to wait.
    if committed < generation { _ = await commit() }
    await settle()
    state.close()
    writeNow()
    await settle()
    stopTimer()
  }

  private func settle() async {
    while !state.isIdle {
      let wait = settled ?? Waiter<Void>()
      settled = wait
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
    while let step = state.next(sessions: table.count, hasChanges: committed < wanted) {
      switch step {
      case .replace: replace()
      case .append(let version): append(to: version)
      case .fold: fold()
      case .cut(let version, let covered): cut(version, covered)
      }
    }
  }

  private func replace() {
    let (table, generation, mapPath, journal) = (table, generation, mapPath, journal)
    Loop.spawn {
      let failure = await Loop.offLoop { () -> String? in
        let failure = Self.write(table, generation, to: mapPath)
        if failure == nil { _ = journal.remove() }
        return failure
      }
      self.state.replaced(failure == nil)
      self.ended(generation, failure: failure)
    }
  }

  /// Replaces the map by one that can be read again. Nil on success.
  private nonisolated static func write(_ table: SessionTable, _ generation: UInt64, to path: String) -> String? {
    let bytes = ThreadMap.encode(table, generation: generation)
    guard bytes.count <= ThreadMap.maxBytes else {
      return "it would be larger than the \(ThreadMap.maxBytes >> 20) MiB that can be read again"
    }
    do throws(FileError) {
      try FileContents.replace(path, with: bytes)
      return nil
    } catch {
      return error.description
    }
  }

  private func append(to version: JournalFile.Version?) {
    let entries = changes.map { key, change in
      SessionJournal.Entry(
        generation: change.generation, key: key, record: table[key],
        keepsPrompt: change.bound == nil && table[key] != nil)
    }
    let (generation, mapPath, journal) = (generation, mapPath, journal)
    Loop.spawn {
      let result = await Loop.offLoop { () -> JournalFile.AppendResult in
        // Without its map a journal is worth nothing.
        guard access(mapPath, F_OK) == 0 || errno != ENOENT else { return .lost }
        return journal.append(SessionJournal.encode(entries), lines: entries.count, to: version)
      }
      self.state.appended(result, sessions: self.table.count)
      switch result {
      case .appended: self.ended(generation, failure: nil)
      case .failed(let reason): self.ended(generation, failure: reason)
      case .lost:
        Log.warning("the session map or its journal was taken away and is written again", ["file": mapPath])
        self.goOn()
      }
    }
  }

  private func fold() {
    let (table, generation, mapPath) = (table, generation, mapPath)
    Loop.spawn {
      let failure = await Loop.offLoop { Self.write(table, generation, to: mapPath) }
      self.state.folded(failure == nil)
      if failure == nil { self.saved(upTo: generation) }
      self.didFold(failure)
    }
  }

  private func cut(_ version: JournalFile.Version, _ covered: SessionJournal.Extent) {
    let journal = journal
    Loop.spawn {
      let result = await Loop.offLoop { journal.cut(version, covered: covered) }
      self.state.cut(result)
      if case .failed(let reason) = result { self.didFold(reason) } else { self.didFold(nil) }
    }
  }

  /// A journal that could not be folded is only longer than it should be.
  private func didFold(_ failure: String?) {
    if let failure {
      Log.warning("the session journal could not be folded", ["file": journal.path, "error": failure])
    }
    goOn()
  }

  /// The changes up to `written` were to be written.
  private func ended(_ written: UInt64, failure: String?) {
    if let failure {
      if writeFailure == nil { Log.error("cannot write the session map", ["file": mapPath, "error": failure]) }
      writeFailure = failure
      writeLater(after: Self.retryDelay)
      resumeWaiters(upTo: written)
      resumeSettled()
    } else {
      if writeFailure != nil { Log.info("the session map can be written again", ["file": mapPath]) }
      writeFailure = nil
      saved(upTo: written)
      goOn()
    }
  }

  private func saved(upTo written: UInt64) {
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

  private func goOn() {
    write()
    resumeSettled()
  }

  private func resumeSettled() {
    guard state.isIdle else { return }
    settled?.finish()
    settled = nil
  }
}
