// Lists of sessions: what is asked for, and a page of it.

/// A session with its name.
struct SessionEntry: Sendable, Equatable {
  let key: SessionKey
  let record: SessionRecord

  /// The order of lists: most recently used first. Where the count of changes does not tell, the time does, then the id.
  func isMoreRecent(than other: SessionEntry) -> Bool {
    (other.record.sequence, other.record.usedAt, key.id, key.owner.name)
      < (record.sequence, record.usedAt, other.key.id, other.key.owner.name)
  }
}
