// What an earlier bridge has left in the state directory: the map, and the journal that follows it.

import Glibc

/// Sessions as they were found on disk.
struct SavedSessions {
  var table = SessionTable()
  /// The number of the last change in the map or the journal.
  var generation: UInt64 = 0
  /// Whether a journal can follow the map that is there.
  var canBeFollowed = false
  /// The part of the journal that could be read; nil if there is no journal.
  var journal: JournalFile.Version?

  /// Reads the map and its journal. A damaged file is set aside and named in the log, never emptied.
  static func load(map: MapFile, journal: JournalFile) throws(ConfigurationError) -> SavedSessions {
    switch try map.read() {
    case .records(let table, let generation?):
      var saved = SavedSessions(table: table, generation: generation, canBeFollowed: true)
      try saved.replay(journal)
      return saved
    case .records(let table, nil):
      // The generation is greater than all that was removed, which a crash may bring back and which must not be taken for
      // new then.
      return SavedSessions(table: table, generation: discard(journal))
    case .damaged(let reason):
      try setAside(map.path, because: reason)
      if case .missing = journal.read() {} else { try setAside(journal.path, because: "its map was damaged") }
      return SavedSessions()
    }
  }

  private mutating func replay(_ file: JournalFile) throws(ConfigurationError) {
    let bytes: [UInt8]
    switch file.read() {
    case .missing: return
    case .bytes(let found): bytes = found
    case .failed(let reason):
      throw ConfigurationError(description: "\(file.path) cannot be read: \(reason)")
    case .tooLarge:
      throw ConfigurationError(
        description: "\(file.path) cannot be read: it is larger than \(SessionJournal.maxBytes) bytes")
    }
    let found = SessionJournal.replay(bytes, onto: &table, after: generation)
    generation = max(generation, found.generation)
    // The bridge that made it may have been killed before the directory was on disk.
    journal = JournalFile.Version(extent: found.extent, isNamed: file.flushDirectory())
    guard found.ignoredBytes > 0 else { return }
    Log.warning(
      "the end of the session journal cannot be read and is ignored",
      ["file": file.path, "bytes": found.ignoredBytes, "sessions": table.count])
    if found.ignoresSoundLines { try keepCopy(bytes, of: file) }
  }

  /// The journal goes on without the lines that cannot be read, so they are kept in a copy.
  private func keepCopy(_ bytes: [UInt8], of file: JournalFile) throws(ConfigurationError) {
    let copy = Self.unusedName(for: file.path)
    do throws(FileError) {
      try FileContents.replace(copy, with: bytes)
    } catch {
      throw ConfigurationError(description: "\(file.path) is damaged and cannot be copied aside: \(error)")
    }
    Log.error("the session journal was damaged and is kept in a copy", ["file": copy])
  }

  /// Removes a journal that belongs to another map, or to one that was deleted. Returns its last generation.
  private static func discard(_ journal: JournalFile) -> UInt64 {
    let contents = journal.read()
    if contents == .missing { return 0 }
    do throws(FileError) {
      try journal.remove()
      Log.warning("a session journal without its map is removed", ["file": journal.path])
    } catch {
      Log.error("a session journal without its map cannot be removed", ["file": journal.path, "error": error])
    }
    guard case .bytes(let bytes) = contents else { return 0 }
    var unused = SessionTable()
    return SessionJournal.replay(bytes, onto: &unused, after: .max).generation
  }

  private static func setAside(_ path: String, because reason: String) throws(ConfigurationError) {
    let aside = unusedName(for: path)
    guard rename(path, aside) == 0 else {
      throw ConfigurationError(
        description: "\(path) is damaged (\(reason)) and cannot be set aside: \(systemError())")
    }
    Log.error("the session map was damaged and is set aside", ["reason": reason, "file": aside])
  }

  /// Where a damaged file is set aside: a name that nothing has yet, so that no earlier damaged file is lost.
  private static func unusedName(for path: String) -> String {
    let name = "\(path).damaged-\(unixTime())"
    guard access(name, F_OK) == 0 else { return name }
    return (2...100).lazy.map { "\(name)-\($0)" }.first { access($0, F_OK) != 0 } ?? name
  }
}
