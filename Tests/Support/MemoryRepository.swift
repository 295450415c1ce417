// A store of sessions that lasts as long as its object, for tests of what such a store must do and of what happens when it
// fails.

@testable import Bridge

/// Sessions in memory. What was committed is told apart from what was not, as a crash would.
@LoopActor
final class MemoryRepository: SessionRepository {
  private var table = SessionTable()
  private(set) var revision: UInt64 = 0
  /// Set by tests; every call fails with it.
  var failure: RepositoryError?

  private func check() throws(RepositoryError) {
    if let failure { throw failure }
  }

  func count() throws(RepositoryError) -> Int {
    try check()
    return table.count
  }

  func lookup(_ key: SessionKey) throws(RepositoryError) -> SessionRecord? {
    try check()
    return table[key]
  }

  func page(_ query: SessionQuery) throws(RepositoryError) -> SessionPage {
    try check()
    return table.page(query)
  }

  func bind(_ key: SessionKey, _ record: SessionRecord) throws(RepositoryError) {
    try check()
    guard table[key]?.version == record.version else { throw .conflict }
    store(record, key)
  }

  private func store(_ record: SessionRecord, _ key: SessionKey) {
    revision += 1
    var record = record
    record.version = revision
    table[key] = record
  }

  func touch(_ key: SessionKey) throws(RepositoryError) {
    try check()
    guard var record = table[key] else { return }
    record.turns += 1
    record.usedAt = unixTime()
    store(record, key)
  }

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) throws(RepositoryError) {
    try check()
    if table[key]?.thread == thread { table[key]?.current.answers = count }
  }

  func forget(_ key: SessionKey) throws(RepositoryError) -> Bool {
    try check()
    guard table[key] != nil else { return false }
    forget([key])
    return true
  }

  private func forget(_ keys: [SessionKey]) {
    revision += 1
    for key in keys { table[key] = nil }
  }

  func forget(usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool) throws(RepositoryError) -> Int
  {
    try check()
    var old: [SessionKey] = []
    table.forEach { key, record in
      if record.usedAt < time, !isInUse(key) { old.append(key) }
    }
    forget(old)
    return old.count
  }

  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) throws(RepositoryError) -> Int {
    try check()
    guard let maxCount, table.count > maxCount else { return 0 }
    let number = table.count - maxCount
    let idle = table.oldest(number) { $0 != newest && !isInUse($0) }
    let used = table.oldest(number - idle.count) { $0 != newest && isInUse($0) }
    forget(idle + used)
    return idle.count + used.count
  }

  func commit(_: SessionKey) throws(RepositoryError) { try check() }

  func commit() throws(RepositoryError) { try check() }

  func announceClose() {}

  func close() {}
}
