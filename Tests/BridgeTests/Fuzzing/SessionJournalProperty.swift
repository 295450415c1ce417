// The journal of the session map: sound lines up to the first that is none; what was read is written and read again
// without a change.

@testable import Bridge

enum SessionJournalProperty {
  static func check(_ bytes: [UInt8]) throws(Violation) {
    var table = SessionTable()
    let found = SessionJournal.replay(bytes, onto: &table, after: 0)
    try require(found.extent.bytes + found.ignoredBytes == bytes.count, "bytes neither read nor ignored")
    let lines = bytes[..<found.extent.bytes].count { $0 == UInt8(ascii: "\n") }
    try require(lines == found.extent.lines, "lines miscounted")
    try require(table.count <= lines, "sessions from nowhere")
    try checkPrefix(bytes, found, table)
    try checkWritten(table)
    var untouched = SessionTable()
    _ = SessionJournal.replay(bytes, onto: &untouched, after: .max)
    try require(untouched.count == 0, "what the map has was done again")
  }

  /// What is appended next stands behind the sound lines: they must read the same without the rest.
  private static func checkPrefix(
    _ bytes: [UInt8], _ found: SessionJournal.Replay, _ table: SessionTable
  ) throws(Violation) {
    var again = SessionTable()
    let sound = SessionJournal.replay(Array(bytes[..<found.extent.bytes]), onto: &again, after: 0)
    try require(sound.extent == found.extent && sound.generation == found.generation, "another extent")
    try require(sound.ignoredBytes == 0 && !sound.ignoresSoundLines, "a part of the sound lines is ignored")
    try require(again == table, "other sessions")
  }

  private static func checkWritten(_ table: SessionTable) throws(Violation) {
    var entries: [SessionJournal.Entry] = []
    table.forEach { entries.append(SessionJournal.Entry(generation: 1, key: $0, record: $1)) }
    var again = SessionTable()
    let found = SessionJournal.replay(SessionJournal.encode(entries), onto: &again, after: 0)
    try require(found.ignoredBytes == 0 && found.extent.lines == table.count, "written and not read")
    try require(again == table, "reads back otherwise")
    let forgotten = entries.map { SessionJournal.Entry(generation: 2, key: $0.key, record: nil) }
    _ = SessionJournal.replay(SessionJournal.encode(forgotten), onto: &again, after: 1)
    try require(again.count == 0, "not forgotten")
  }
}
