// The session map as a file: its format. Pure but for `load`.

/// What is kept of a session across restarts.
struct SessionRecord: Sendable, Equatable {
  var thread: ThreadID
  /// Threads the session ran on before its model changed, oldest first. A thread only tells the turns it ran
  /// itself, not the history that was put into it.
  var previous: [ThreadID] = []
  /// The model the thread was made for; a thread never changes its model.
  var model: String?
  /// A fingerprint of the system prompt the thread has seen.
  var instructions: String?
  /// Seconds since 1970.
  var createdAt: Int
  var usedAt: Int
  var turns: Int
}

/// The format of `.codex_threads.json`: `{"sessions":{id: threadId}}` as the original project has it, with further
/// facts beside it under `details`. An id that several owners chose stands there once; the others are under `further`.
/// `generation` counts changes: those of a journal up to it are in the map already.
enum ThreadMap {
  static let fileName = ".codex_threads.json"
  /// A larger file is not ours.
  static let maxBytes = 256 << 20

  enum LoadResult: Equatable {
    /// The generation is nil for a map that no journal can follow: there is none, or somebody else wrote it.
    case records(SessionTable, generation: UInt64? = nil)
    case damaged(String)
    case unreadable(String)
  }

  static func load(_ path: String) -> LoadResult {
    switch FileContents.read(path, limit: maxBytes) {
    case .missing: return .records(SessionTable())
    case .failed(let reason): return .unreadable(reason)
    case .tooLarge: return .unreadable("it is larger than \(maxBytes) bytes")
    case .bytes(let bytes): return decode(bytes)
    }
  }

  static func decode(_ bytes: [UInt8]) -> LoadResult {
    do throws(JSONError) {
      let value = try JSONValue(parsing: bytes)
      guard let sessions = value["sessions"]?.objectValue else { return .damaged("it has no “sessions” object") }
      var details: [[UInt8]: JSONValue] = [:]
      for member in value["details"]?.objectValue?.members ?? [] { details[Array(member.key.utf8)] = member.value }
      var table = SessionTable()
      for member in sessions.members {
        guard let thread = member.value.stringValue else {
          return .damaged("the session “\(member.key.prefix(40))” has no thread id")
        }
        let facts = details[Array(member.key.utf8)] ?? .null
        table[key(member.key, facts)] = record(thread, facts)
      }
      for facts in value["further"]?.arrayValue ?? [] {
        guard let id = facts["id"]?.stringValue, let thread = facts["thread"]?.stringValue else { continue }
        table[key(id, facts)] = record(thread, facts)
      }
      return .records(table, generation: generation(value["generation"]))
    } catch {
      return .damaged(error.description)
    }
  }

  /// The number of a change; nil for what is none. Below the bound it can be counted on from for ever.
  static func generation(_ value: JSONValue?) -> UInt64? {
    guard let number = value?.intValue, (0...1 << 53).contains(number) else { return nil }
    return UInt64(number)
  }

  static func key(_ id: String, _ facts: JSONValue) -> SessionKey {
    SessionKey(owner: Principal(name: facts["owner"]?.stringValue ?? ""), id: id)
  }

  static func record(_ thread: String, _ facts: JSONValue) -> SessionRecord {
    SessionRecord(
      thread: ThreadID(thread),
      previous: (facts["previous"]?.arrayValue ?? []).compactMap { $0.stringValue.map(ThreadID.init) },
      model: facts["model"]?.stringValue,
      instructions: facts["instructions"]?.stringValue,
      createdAt: count(facts["created"]),
      usedAt: count(facts["used"]),
      turns: count(facts["turns"])
    )
  }

  /// A number that can be counted on from; whatever a file says, the next turn must not overflow.
  private static func count(_ value: JSONValue?) -> Int {
    min(max(0, value?.intValue ?? 0), 1 << 53)
  }

  /// Up to this many sessions are written in the order of their ids, for people; more in the order of the table's
  /// parts, which costs less.
  static let maxSorted = 1000

  /// The file's contents: one line per session, so that people can read and compare them.
  static func encode(_ table: SessionTable, generation: UInt64? = nil) -> [UInt8] {
    var sections = Sections()
    if table.count <= maxSorted {
      sections.append(table.parts.flatMap { $0 }.map { SessionEntry(key: $0.key, record: $0.value) })
    } else {
      for part in table.parts { sections.append(part.map { SessionEntry(key: $0.key, record: $0.value) }) }
    }
    var buffer = ByteBuffer()
    buffer.append("{\n  \"version\": 1,\n")
    if let generation { buffer.append("  \"generation\": \(generation),\n") }
    buffer.append("  \"sessions\": {")
    buffer.append(lines: &sections.sessions)
    buffer.append("},\n  \"details\": {")
    buffer.append(lines: &sections.details)
    buffer.append("}")
    if !sections.further.isEmpty {
      buffer.append(",\n  \"further\": [")
      buffer.append(lines: &sections.further)
      buffer.append("]")
    }
    buffer.append("\n}\n")
    return buffer.take()
  }

  /// The lines of each member of the file.
  private struct Sections {
    var sessions = ByteBuffer()
    var details = ByteBuffer()
    var further = ByteBuffer()

    /// Appends sessions. Those with equal ids must come together.
    mutating func append(_ entries: [SessionEntry]) {
      var before: SessionEntry?
      for entry in entries.sorted(by: precedes) {
        let isTaken = before.map { $0.key.id.utf8.elementsEqual(entry.key.id.utf8) } ?? false
        before = entry
        var facts = facts(entry)
        if isTaken {
          facts["id"] = .string(entry.key.id)
          facts["thread"] = .string(entry.record.thread.raw)
          further.beginLine()
          further.append(json: .object(facts))
        } else {
          sessions.beginLine()
          sessions.append(named: entry.key.id, .string(entry.record.thread.raw))
          details.beginLine()
          details.append(named: entry.key.id, .object(facts))
        }
      }
    }
  }

  /// By id, byte by byte, so that equal ids are neighbours; then the older first.
  private static func precedes(_ left: SessionEntry, _ right: SessionEntry) -> Bool {
    if left.key.id.utf8.elementsEqual(right.key.id.utf8) {
      return (left.record.createdAt, left.key.owner.name) < (right.record.createdAt, right.key.owner.name)
    }
    return left.key.id.utf8.lexicographicallyPrecedes(right.key.id.utf8)
  }

  /// All of a session but its id and its thread.
  static func facts(_ entry: SessionEntry) -> JSONObject {
    let record = entry.record
    var facts = JSONObject()
    if entry.key.owner != .everybody { facts["owner"] = .string(entry.key.owner.name) }
    facts["model"] = record.model.map { .string($0) }
    facts["instructions"] = record.instructions.map { .string($0) }
    if !record.previous.isEmpty { facts["previous"] = .array(record.previous.map { .string($0.raw) }) }
    facts["created"] = .int(record.createdAt)
    facts["used"] = .int(record.usedAt)
    facts["turns"] = .int(record.turns)
    return facts
  }

  /// A stable fingerprint of a text (64-bit FNV-1a): tells whether a system prompt has changed, keeps no secret.
  static func fingerprint(_ text: String) -> String {
    String(text.utf8.span.fnv1a(), radix: 16)
  }
}

extension ByteBuffer {
  /// A line of its own for each session.
  fileprivate mutating func beginLine() { append(isEmpty ? "\n    " : ",\n    ") }

  /// Moves the lines of a section to the end.
  fileprivate mutating func append(lines: inout ByteBuffer) {
    guard !lines.isEmpty else { return }
    append(lines.take())
    append("\n  ")
  }

  /// Appends a member of an object.
  fileprivate mutating func append(named name: String, _ value: JSONValue) {
    append(jsonString: name)
    append(": ")
    append(json: value)
  }
}
