// What names a session, and the table of all of them.

/// A session's name: the id its client chose, and whose it is.
struct SessionKey: Hashable, Sendable {
  let owner: Principal
  let id: String

  /// Byte by byte: two ids that only look the same to Unicode (canonical equivalence) are two conversations.
  static func == (left: SessionKey, right: SessionKey) -> Bool {
    left.owner == right.owner && left.id.utf8.elementsEqual(right.id.utf8)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(owner)
    for byte in id.utf8 { hasher.combine(byte) }
  }
}

/// Sessions by their keys. Made of parts, so that what a change costs does not grow with their number: the map is
/// written to disk from a copy while it goes on changing.
struct SessionTable: Sendable, Equatable {
  private static let partCount = 256

  /// Equal ids are in the same part.
  private(set) var parts = [[SessionKey: SessionRecord]](repeating: [:], count: partCount)
  private(set) var count = 0

  init() {}

  init(_ records: [SessionKey: SessionRecord]) {
    for (key, record) in records { self[key] = record }
  }

  subscript(_ key: SessionKey) -> SessionRecord? {
    get { parts[Self.part(of: key)][key] }
    set {
      let old = parts[Self.part(of: key)].updateOrRemove(newValue, forKey: key)
      count += (newValue == nil ? 0 : 1) - (old == nil ? 0 : 1)
    }
  }

  /// Makes what nobody owned `heir`'s, but for what `heir` has already. Whether there was anything.
  mutating func bequeath(to heir: Principal) -> Bool {
    guard heir != .everybody else { return false }
    var inherited: [SessionKey: SessionRecord] = [:]
    forEach { key, record in
      if key.owner == .everybody, self[SessionKey(owner: heir, id: key.id)] == nil { inherited[key] = record }
    }
    for (key, record) in inherited {
      self[key] = nil
      self[SessionKey(owner: heir, id: key.id)] = record
    }
    return !inherited.isEmpty
  }

  /// Every session, in no order.
  func forEach(_ body: (SessionKey, SessionRecord) -> Void) {
    for part in parts {
      for (key, record) in part { body(key, record) }
    }
  }

  /// The first `limit` sessions that `isWanted` lets through, most recently used first.
  func recent(_ limit: Int, where isWanted: (SessionKey, SessionRecord) -> Bool) -> [SessionEntry] {
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

  /// The `limit` sessions that were not used for the longest time.
  func oldest(_ limit: Int) -> [SessionEntry] {
    var all: [SessionEntry] = []
    all.reserveCapacity(count)
    forEach { all.append(SessionEntry(key: $0, record: $1)) }
    return Array(all.sorted { $1.isMoreRecent(than: $0) }.prefix(limit))
  }

  private static func part(of key: SessionKey) -> Int {
    var hash: UInt32 = 0
    for byte in key.id.utf8 { hash = hash &* 31 &+ UInt32(byte) }
    return Int(hash % UInt32(partCount))
  }
}

/// A session with its name.
struct SessionEntry: Sendable, Equatable {
  let key: SessionKey
  let record: SessionRecord

  /// The order of lists: most recently used first, then by id.
  func isMoreRecent(than other: SessionEntry) -> Bool {
    (other.record.usedAt, key.id, key.owner.name) < (record.usedAt, other.key.id, other.key.owner.name)
  }
}

extension Dictionary {
  /// Sets or removes a value; returns the one before.
  fileprivate mutating func updateOrRemove(_ value: Value?, forKey key: Key) -> Value? {
    if let value { updateValue(value, forKey: key) } else { removeValue(forKey: key) }
  }
}

extension Array {
  /// The first index whose element fits, in an array whose elements that do not fit come first.
  fileprivate func partitioningIndex(where fits: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if fits(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
