// What has changed since the session map was written, in a file beside it: its format, and the calls that read, append
// to, cut and remove it. When each is called is decided by `SessionFileState`.

import Glibc

/// The format of `.codex_threads.journal`: a JSON object per line, with the facts of a session as the map has them, or
/// `"forgotten": true`, and the `generation` of the change. The last line of a session is the one that counts. `prompt` is
/// the session's system prompt, or true if it is that of the line before, or of the map.
enum SessionJournal {
  static let fileName = ".codex_threads.journal"
  /// No more is written, and a larger file is not ours. It is folded into the map long before.
  static let maxBytes = 2 * ThreadMap.maxBytes

  /// A change of a session.
  struct Entry: Sendable, Equatable {
    let generation: UInt64
    let key: SessionKey
    /// Nil if the session was forgotten.
    let record: SessionRecord?
    /// Whether the session's prompt is the one it had before this change, and need not be told again.
    var keepsPrompt = false
  }

  /// How far a journal reaches.
  struct Extent: Sendable, Equatable {
    var bytes = 0
    var lines = 0
  }

  /// What was found in a journal.
  struct Replay: Equatable {
    /// Of the lines that could be read.
    var extent = Extent()
    /// The greatest in those lines.
    var generation: UInt64 = 0
    /// From the first line on that could not be read.
    var ignoredBytes = 0
    /// Whether there are sound lines in what is ignored. The end of a journal is like that when the system stopped before
    /// it was on disk; or somebody has damaged it.
    var ignoresSoundLines = false
  }

  static func encode(_ entries: [Entry]) -> [UInt8] {
    var buffer = ByteBuffer()
    for entry in entries {
      buffer.append(json: .object(members(of: entry)))
      buffer.append(UInt8(ascii: "\n"))
    }
    return buffer.take()
  }

  private static func members(of entry: Entry) -> JSONObject {
    var members = JSONObject()
    members["generation"] = .number(String(entry.generation))
    members["id"] = .string(entry.key.id)
    if let record = entry.record {
      members["thread"] = .string(record.thread.raw)
      for fact in ThreadMap.facts(SessionEntry(key: entry.key, record: record)).members {
        members[fact.key] = fact.value
      }
      members["prompt"] = entry.keepsPrompt ? true : record.prompt.map { .string($0.text) }
    } else {
      if entry.key.owner != .everybody { members["owner"] = .string(entry.key.owner.name) }
      members["forgotten"] = true
    }
    return members
  }

  /// Makes the changes after `known`, the generation of the map, in `table`.
  ///
  /// The first line that cannot be read ends the journal: a line is only told to be on disk when all before it are, so
  /// what a crash has left unfinished was promised to nobody.
  static func replay(_ bytes: [UInt8], onto table: inout SessionTable, after known: UInt64) -> Replay {
    var result = Replay()
    let text = bytes.span
    while let end = text.firstIndex(of: UInt8(ascii: "\n"), from: result.extent.bytes),
      let entry = decode(text.extracting(result.extent.bytes..<end))
    {
      result.extent.bytes = end + 1
      result.extent.lines += 1
      result.generation = max(result.generation, entry.generation)
      guard entry.generation > known else { continue }
      var record = entry.record
      if entry.keepsPrompt { record?.prompt = table[entry.key]?.prompt }
      table[entry.key] = record
    }
    result.ignoredBytes = bytes.count - result.extent.bytes
    result.ignoresSoundLines = hasSoundLine(text.extracting(result.extent.bytes...))
    return result
  }

  private static func hasSoundLine(_ text: Span<UInt8>) -> Bool {
    var start = 0
    while let end = text.firstIndex(of: UInt8(ascii: "\n"), from: start) {
      if decode(text.extracting(start..<end)) != nil { return true }
      start = end + 1
    }
    return false
  }

  private static func decode(_ line: Span<UInt8>) -> Entry? {
    guard let value = try? JSONValue(parsing: line), let generation = ThreadMap.generation(value["generation"]),
      let id = value["id"]?.stringValue
    else { return nil }
    let key = ThreadMap.key(id, value)
    if value["forgotten"]?.boolValue == true { return Entry(generation: generation, key: key, record: nil) }
    guard let thread = value["thread"]?.stringValue else { return nil }
    let record = ThreadMap.record(thread, value, prompt: value["prompt"]?.stringValue.flatMap(SessionPrompt.init))
    return Entry(generation: generation, key: key, record: record, keepsPrompt: value["prompt"]?.boolValue == true)
  }
}

/// A journal on disk. Every call blocks: at start-up or off the loop.
struct JournalFile: Sendable {
  let path: String

  /// A journal as it was left.
  struct Version: Sendable, Equatable {
    var extent = SessionJournal.Extent()
    /// Whether the directory is known to name it, should the system stop now.
    var isNamed = false
  }

  enum AppendResult: Equatable {
    case appended(Version)
    /// The file is gone or shorter than it was left: lines that were promised are no longer on disk.
    case lost
    case failed(String)
  }

  enum CutResult: Equatable {
    /// Nil if nothing is left of it.
    case cut(Version?)
    case failed(String)
  }

  /// The contents.
  func read() -> FileContents {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return errno == ENOENT ? .missing : .failed(.system()) }
    defer { close(file) }
    // Who wrote the end of it may have been killed before it was on disk, and what was read is taken to be.
    _ = fdatasync(file)
    return FileContents.read(descriptor: file, limit: SessionJournal.maxBytes)
  }

  /// Appends `lines` lines to the journal, nil for a new one, and returns when they are on disk.
  ///
  /// What is behind the known end is no part of the journal, be it left by a crash or by an append that failed.
  func append(_ text: [UInt8], lines: Int, to version: Version?) -> AppendResult {
    let end = version?.extent ?? SessionJournal.Extent()
    guard end.bytes + text.count <= SessionJournal.maxBytes else { return .failed("the journal is full") }
    let creation = version == nil ? O_CREAT : 0
    let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | creation, 0o600)
    guard file >= 0 else { return version != nil && errno == ENOENT ? .lost : .failed(systemError()) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { return .failed(systemError()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .failed("not a regular file") }
    guard status.st_size >= end.bytes else { return .lost }
    if status.st_size > end.bytes, ftruncate(file, end.bytes) != 0 { return .failed(systemError()) }
    do throws(FileError) {
      try write(text, to: file, at: end.bytes, isNamed: version?.isNamed == true)
    } catch {
      // The next append does it too; but it may never come, and the disk may be full.
      _ = ftruncate(file, end.bytes)
      return .failed(error.description)
    }
    let extent = SessionJournal.Extent(bytes: end.bytes + text.count, lines: end.lines + lines)
    return .appended(Version(extent: extent, isNamed: true))
  }

  private func write(_ text: [UInt8], to file: Int32, at offset: Int, isNamed: Bool) throws(FileError) {
    try FileContents.writeAll(text[...], to: file, at: offset)
    guard fdatasync(file) == 0 else { throw .system() }
    if !isNamed { try FileContents.flushDirectory(of: path) }
  }

  /// Drops what is `covered` by the map. The rest is on disk at any moment, in the old file or in the new one.
  func cut(_ version: Version, covered: SessionJournal.Extent) -> CutResult {
    let extent = SessionJournal.Extent(
      bytes: version.extent.bytes - covered.bytes, lines: version.extent.lines - covered.lines)
    if extent.bytes == 0 { return remove().map(CutResult.failed) ?? .cut(nil) }
    guard let rest = rest(of: version, from: covered.bytes) else { return .failed("it cannot be read") }
    do throws(FileError) {
      try FileContents.swap(path, with: rest)
    } catch {
      return .failed(error.description)
    }
    return .cut(Version(extent: extent, isNamed: (try? FileContents.flushDirectory(of: path)) != nil))
  }

  private func rest(of version: Version, from start: Int) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard lseek(file, start, SEEK_SET) == start,
      case .bytes(let bytes) = FileContents.read(descriptor: file, limit: SessionJournal.maxBytes),
      bytes.count >= version.extent.bytes - start
    else { return nil }
    return Array(bytes.prefix(version.extent.bytes - start))
  }

  /// Removes it, if it is there. Nil on success.
  ///
  /// Should a crash bring it back, all of it is in the map.
  func remove() -> String? { unlink(path) == 0 || errno == ENOENT ? nil : systemError() }
}
