// The table of all sessions that a directory holds, in memory.

/// Sessions by their keys. It is made of parts, so that what a change costs does not grow with their number: the table goes
/// on changing while a copy of it is written to disk.
struct SessionTable: Sendable, Equatable {
  private static let partCount = 256

  /// Equal ids are in the same part.
  private(set) var parts = [[SessionKey: SessionRecord]](repeating: [:], count: partCount)
  private(set) var count = 0
  /// An upper bound of what the sessions take in the map, without their prompts.
  private var recordBytes = 0
  private var prompts = PromptTable()

  init() {}

  init(_ records: [SessionKey: SessionRecord]) {
    for (key, record) in records { self[key] = record }
  }

  subscript(_ key: SessionKey) -> SessionRecord? {
    get { parts[Self.part(of: key)][key] }
    set {
      var record = newValue
      if let prompt = record?.prompt { record?.prompt = prompts.retain(prompt) }
      let old = parts[Self.part(of: key)].updateOrRemove(record, forKey: key)
      if let prompt = old?.prompt { prompts.release(prompt) }
      count += (record == nil ? 0 : 1) - (old == nil ? 0 : 1)
      recordBytes += Self.mapBytes(key, record) - Self.mapBytes(key, old)
    }
  }

  static func == (left: SessionTable, right: SessionTable) -> Bool { left.parts == right.parts }

  /// An upper bound of what all of it takes as a map.
  var mapBytes: Int { recordBytes + prompts.bytes }

  /// The greatest version of a session.
  var lastVersion: UInt64 { parts.reduce(0) { $1.values.reduce($0) { max($0, $1.version ?? 0) } } }

  private static func mapBytes(_ key: SessionKey, _ record: SessionRecord?) -> Int {
    record.map { $0.mapBytes + key.mapBytes } ?? 0
  }

  /// Gives `owner` the sessions that nobody owns, but for those whose id `owner` has already. Whether there were any.
  mutating func handOver(to owner: Principal) -> Bool {
    guard owner != .everybody else { return false }
    var found: [SessionKey: SessionRecord] = [:]
    forEach { key, record in
      if key.owner == .everybody, self[key.owned(by: owner)] == nil { found[key] = record }
    }
    for (key, record) in found {
      self[key] = nil
      self[key.owned(by: owner)] = record
    }
    return !found.isEmpty
  }

  /// Every session, in no order.
  func forEach(_ body: (SessionKey, SessionRecord) -> Void) {
    for part in parts {
      for (key, record) in part { body(key, record) }
    }
  }

  /// The page that a query asks for. Looks through all sessions: a millisecond for some ten thousand.
  func page(_ query: SessionQuery) -> SessionPage {
    let filter = query.filter
    var page = SessionPage()
    forEach { key, record in if filter.includes(key, record) { page.total += 1 } }
    page.entries = recent(query.limit + 1) { key, record in
      guard filter.includes(key, record) else { return false }
      return query.after.map { $0.isMoreRecent(than: SessionEntry(key: key, record: record)) } ?? true
    }
    page.hasMore = page.entries.count > query.limit
    if page.hasMore { page.entries.removeLast() }
    return page
  }

  /// The first `limit` sessions that `isWanted` lets through, most recently used first.
  private func recent(_ limit: Int, where isWanted: (SessionKey, SessionRecord) -> Bool) -> [SessionEntry] {
    var found: [SessionEntry] = []
    guard limit > 0 else { return found }
    forEach { key, record in
      let entry = SessionEntry(key: key, record: record)
      if found.count == limit, let last = found.last, !entry.isMoreRecent(than: last) { return }
      guard isWanted(key, record) else { return }
      if found.count == limit { found.removeLast() }
      found.insert(entry, at: found.partitioningIndex { entry.isMoreRecent(than: $0) })
    }
    return found
  }

  /// The `limit` sessions that were not used for the longest time, of those that `mayGo` lets through.
  func oldest(_ limit: Int, where mayGo: (SessionKey) -> Bool) -> [SessionKey] {
    var all: [SessionEntry] = []
    all.reserveCapacity(count)
    forEach { if mayGo($0) { all.append(SessionEntry(key: $0, record: $1)) } }
    return all.sorted { $1.isMoreRecent(than: $0) }.prefix(limit).map(\.key)
  }

  private static func part(of key: SessionKey) -> Int {
    var hash: UInt32 = 0
    for byte in key.id.utf8 { hash = hash &* 31 &+ UInt32(byte) }
    return Int(hash % UInt32(partCount))
  }
}

/// The prompts of a table, each once.
private struct PromptTable: Sendable {
  /// Bytes of JSON that all of them may take together, a quarter of the map. With more, prompts would take the room of
  /// sessions; those beyond it are not kept, and their clients have to send them again after a restart.
  private static let maxBytes = 64 << 20
  private static let seeds = Fingerprint.Seeds()

  private var uses: [Fingerprint: (prompt: SessionPrompt, count: Int)] = [:]
  private(set) var bytes = 0

  /// The one to be kept in place of `prompt`: the same text is there once. Nil if there is no room for it.
  mutating func retain(_ prompt: SessionPrompt) -> SessionPrompt? {
    let name = Fingerprint(of: prompt.text.utf8.span, Self.seeds)
    if let known = uses[name] {
      guard known.prompt == prompt else { return nil }
      uses[name]?.count += 1
      return known.prompt
    }
    let size = prompt.mapBytes
    guard bytes + size <= Self.maxBytes else { return nil }
    uses[name] = (prompt, 1)
    bytes += size
    return prompt
  }

  mutating func release(_ prompt: SessionPrompt) {
    let name = Fingerprint(of: prompt.text.utf8.span, Self.seeds)
    guard let known = uses[name] else { return }
    uses[name]?.count -= 1
    guard known.count == 1 else { return }
    uses[name] = nil
    bytes -= prompt.mapBytes
  }
}

extension Dictionary {
  /// Sets or removes a value; returns the one before.
  fileprivate mutating func updateOrRemove(_ value: Value?, forKey key: Key) -> Value? {
    if let value { updateValue(value, forKey: key) } else { removeValue(forKey: key) }
  }
}
