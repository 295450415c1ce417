// The session map as a file: its format, and writing it whole or not at all. Pure but for the two calls at the end.

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
enum ThreadMap {
  static let fileName = ".codex_threads.json"
  /// A larger file is not ours.
  static let maxBytes = 256 << 20

  enum LoadResult: Equatable {
    case records(SessionTable)
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
      return .records(table)
    } catch {
      return .damaged(error.description)
    }
  }

  private static func key(_ id: String, _ facts: JSONValue) -> SessionKey {
    SessionKey(owner: Principal(name: facts["owner"]?.stringValue ?? ""), id: id)
  }

  private static func record(_ thread: String, _ facts: JSONValue) -> SessionRecord {
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

  /// The text of a part of the table, as long as the part does not change.
  struct Rendering: Sendable {
    fileprivate let version: Int
    fileprivate var sessions = ByteBuffer()
    fileprivate var details = ByteBuffer()
    fileprivate var further = ByteBuffer()
  }

  /// Up to this many sessions are written in the order of their ids, for people; more in the order of the table's
  /// parts, which need not be rendered anew then.
  private static let maxSorted = 1000

  static func encode(_ table: SessionTable) -> [UInt8] {
    var renderings: [Rendering?] = []
    return encode(table, &renderings)
  }

  /// The file's contents. `renderings` keeps what need not be rendered again the next time.
  static func encode(_ table: SessionTable, _ renderings: inout [Rendering?]) -> [UInt8] {
    guard table.count > maxSorted else {
      renderings = []
      var entries: [SessionEntry] = []
      table.forEach { entries.append(SessionEntry(key: $0, record: $1)) }
      return join([render(entries, version: 0)])
    }
    if renderings.isEmpty { renderings = Array(repeating: nil, count: table.parts.count) }
    for (index, part) in table.parts.enumerated() where renderings[index]?.version != part.version {
      let entries = part.records.map { SessionEntry(key: $0.key, record: $0.value) }
      renderings[index] = render(entries, version: part.version)
    }
    return join(renderings.compactMap(\.self))
  }

  private static func render(_ unsorted: [SessionEntry], version: Int) -> Rendering {
    let entries = unsorted.sorted(by: precedes)
    var result = Rendering(version: version)
    var before: SessionEntry?
    for entry in entries {
      let isTaken = before.map { $0.key.id.utf8.elementsEqual(entry.key.id.utf8) } ?? false
      before = entry
      var facts = facts(entry)
      if isTaken {
        facts["id"] = .string(entry.key.id)
        facts["thread"] = .string(entry.record.thread.raw)
        result.further.beginLine()
        result.further.append(json: .object(facts))
      } else {
        result.sessions.beginLine()
        result.sessions.append(named: entry.key.id, .string(entry.record.thread.raw))
        result.details.beginLine()
        result.details.append(named: entry.key.id, .object(facts))
      }
    }
    return result
  }

  /// One line per session, so that people can read and compare the file.
  private static func join(_ renderings: [Rendering]) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append("{\n  \"version\": 1,\n  \"sessions\": {")
    append(renderings.map(\.sessions), to: &buffer)
    buffer.append("},\n  \"details\": {")
    append(renderings.map(\.details), to: &buffer)
    buffer.append("}")
    if renderings.contains(where: { !$0.further.isEmpty }) {
      buffer.append(",\n  \"further\": [")
      append(renderings.map(\.further), to: &buffer)
      buffer.append("]")
    }
    buffer.append("\n}\n")
    return buffer.take()
  }

  private static func append(_ parts: [ByteBuffer], to buffer: inout ByteBuffer) {
    var isFirst = true
    for part in parts where !part.isEmpty {
      if !isFirst { buffer.append(",") }
      isFirst = false
      part.withBytes { buffer.append($0) }
    }
    if !isFirst { buffer.append("\n  ") }
  }

  /// By id, byte by byte, so that equal ids are neighbours; then the older first.
  private static func precedes(_ left: SessionEntry, _ right: SessionEntry) -> Bool {
    if left.key.id.utf8.elementsEqual(right.key.id.utf8) {
      return (left.record.createdAt, left.key.owner.name) < (right.record.createdAt, right.key.owner.name)
    }
    return left.key.id.utf8.lexicographicallyPrecedes(right.key.id.utf8)
  }

  private static func facts(_ entry: SessionEntry) -> JSONObject {
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

  /// Appends a member of an object.
  fileprivate mutating func append(named name: String, _ value: JSONValue) {
    append(jsonString: name)
    append(": ")
    append(json: value)
  }
}
