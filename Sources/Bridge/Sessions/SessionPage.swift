// Lists of sessions: what is asked for, and a page of the answer.

/// A session with its name.
struct SessionEntry: Sendable, Equatable {
  let key: SessionKey
  let record: SessionRecord

  /// The order of lists: most recently used first. Where the versions do not tell, the time does, then the id.
  func isMoreRecent(than other: SessionEntry) -> Bool {
    let (name, otherName) = (key.profile.rawValue, other.key.profile.rawValue)
    return (other.record.version ?? 0, other.record.usedAt, key.id, key.owner.name, name)
      < (record.version ?? 0, record.usedAt, other.key.id, other.key.owner.name, otherName)
  }
}

/// Which sessions a list shows.
struct SessionQuery: Sendable {
  /// Whose sessions.
  var owner: Principal
  /// The largest number of entries on the page.
  var limit: Int
  /// The page begins behind this entry, also if it was forgotten meanwhile; nil for the first page.
  var after: SessionEntry?
  /// A part of the id or of the title, in any case; nil or empty for all sessions.
  var search: String?

  /// What finds the sessions that are searched for.
  var filter: SessionFilter { SessionFilter(owner: owner, search: (search ?? "").lowercased()) }
}

/// Tells which sessions a list is of.
struct SessionFilter: Sendable {
  let owner: Principal
  /// In lower case; empty for all sessions.
  let search: String

  func includes(_ key: SessionKey, _ record: SessionRecord) -> Bool {
    // What others know as responses is listed as that.
    guard key.owner == owner, !key.isOfResponses else { return false }
    return search.isEmpty || key.id.lowercased().contains(search)
      || record.title?.lowercased().contains(search) == true
  }
}

/// A part of a list of sessions.
struct SessionPage: Sendable {
  /// Most recently used first.
  var entries: [SessionEntry] = []
  /// Sessions that match, on this page or not.
  var total = 0
  /// Whether more would follow.
  var hasMore = false
}
