// The session map: read or called damaged; what was read is written and read again without a change.

@testable import Bridge

enum ThreadMapProperty {
  static func check(_ bytes: [UInt8]) throws(Violation) {
    switch ThreadMap.decode(bytes) {
    case .damaged(let reason): try require(!reason.isEmpty, "damaged without a word")
    case .records(let table, let generation):
      let written = ThreadMap.encode(table, generation: generation)
      try require(
        ThreadMap.decode(written) == .records(table, generation: generation), "reads back otherwise")
      try require(ThreadMap.encode(table, generation: generation) == written, "written twice, and not the same")
      try require(table.count >= Self.sessions(bytes).count, "sessions lost in reading")
      try checkTheOriginalReads(written, table)
    }
  }

  private static func sessions(_ bytes: [UInt8]) -> [JSONObject.Member] {
    (try? JSONValue(parsing: bytes))?["sessions"]?.objectValue?.members ?? []
  }

  /// `{"sessions":{id: threadId}}` is all that the original project knows: each id with the thread of one of its owners.
  private static func checkTheOriginalReads(_ written: [UInt8], _ table: SessionTable) throws(Violation) {
    var threads: [[UInt8]: Set<[UInt8]>] = [:]
    table.forEach { threads[Array($0.id.utf8), default: []].insert(Array($1.thread.raw.utf8)) }
    let sessions = sessions(written)
    try require(sessions.count == threads.count, "sessions lost in writing")
    for session in sessions {
      let thread = session.value.stringValue.map { Array($0.utf8) }
      try require(threads[Array(session.key.utf8)]?.contains(thread ?? []) == true, "another thread")
    }
  }
}
