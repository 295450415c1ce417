// The format of the journal: what has changed since the session map was written, in a file beside it.

/// The format of `.codex_threads.journal`: a JSON object per line, with the facts of a session as the map has them, or
/// `"forgotten": true`, and the `generation` of the change. The last line of a session is the one that counts. `prompt` is
/// the session's system prompt, or true if it is that of the line before, or of the map.
enum SessionJournal {
  static let fileName = StateDirectory.sessionJournal.name
  /// A larger journal is neither written nor read. It is folded into the map long before.
  static let maxBytes = StateDirectory.sessionJournal.maxBytes

  /// A change of a session.
  struct Entry: Sendable, Equatable {
    let generation: UInt64
    let key: SessionKey
    /// Nil if the session was forgotten.
    let record: SessionRecord?
    /// Whether the session's prompt is the one it had before this change, and need not be told again.
    var keepsPrompt = false
  }

  /// The length of a journal.
  struct Extent: Sendable, Equatable {
    var bytes = 0
    var lines = 0
  }

  /// What was found in a journal.
  struct Replay: Equatable {
    /// The length of the lines that could be read.
    var extent = Extent()
    /// The greatest generation in those lines.
    var generation: UInt64 = 0
    /// The length of the rest, from the first line on that could not be read.
    var ignoredBytes = 0
    /// Whether there are readable lines in the rest. Either the system has stopped before all of the journal was on disk, or
    /// somebody has damaged it.
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
      ThreadMap.addName(of: entry.key, to: &members)
      members["forgotten"] = true
    }
    return members
  }

  /// Makes those changes in `table` that came after `known`, the generation of the map.
  ///
  /// The first line that cannot be read ends the journal. No commit has returned for the lines behind it: a commit returns
  /// when its line and all before it are on disk.
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
