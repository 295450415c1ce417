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
/// facts beside it under `details`.
enum ThreadMap {
  static let fileName = ".codex_threads.json"
  /// A larger file is not ours.
  static let maxBytes = 256 << 20

  enum LoadResult: Equatable {
    case records([String: SessionRecord])
    case damaged(String)
    case unreadable(String)
  }

  static func load(_ path: String) -> LoadResult {
    switch FileContents.read(path, limit: maxBytes) {
    case .missing: return .records([:])
    case .failed(let reason): return .unreadable(reason)
    case .tooLarge: return .unreadable("it is larger than \(maxBytes) bytes")
    case .bytes(let bytes): return decode(bytes)
    }
  }

  static func decode(_ bytes: [UInt8]) -> LoadResult {
    do throws(JSONError) {
      let value = try JSONValue(parsing: bytes)
      guard let sessions = value["sessions"]?.objectValue else { return .damaged("it has no “sessions” object") }
      var details: [String: JSONValue] = [:]
      for member in value["details"]?.objectValue?.members ?? [] { details[member.key] = member.value }
      var records: [String: SessionRecord] = [:]
      for member in sessions.members {
        guard let thread = member.value.stringValue else {
          return .damaged("the session “\(member.key.prefix(40))” has no thread id")
        }
        let facts = details[member.key]
        records[member.key] = SessionRecord(
          thread: ThreadID(thread),
          previous: (facts?["previous"]?.arrayValue ?? []).compactMap { $0.stringValue.map(ThreadID.init) },
          model: facts?["model"]?.stringValue,
          instructions: facts?["instructions"]?.stringValue,
          createdAt: facts?["created"]?.intValue ?? 0,
          usedAt: facts?["used"]?.intValue ?? 0,
          turns: facts?["turns"]?.intValue ?? 0
        )
      }
      return .records(records)
    } catch {
      return .damaged(error.description)
    }
  }

  static func encode(_ records: [String: SessionRecord]) -> [UInt8] {
    let sorted = records.sorted { $0.key < $1.key }
    var buffer = ByteBuffer()
    buffer.append("{\n  \"version\": 1,\n  \"sessions\": {")
    append(sorted, to: &buffer) { .string($0.thread.raw) }
    buffer.append("},\n  \"details\": {")
    append(sorted, to: &buffer) { record in
      var facts = JSONObject()
      facts["model"] = record.model.map { .string($0) }
      facts["instructions"] = record.instructions.map { .string($0) }
      if !record.previous.isEmpty { facts["previous"] = .array(record.previous.map { .string($0.raw) }) }
      facts["created"] = .int(record.createdAt)
      facts["used"] = .int(record.usedAt)
      facts["turns"] = .int(record.turns)
      return .object(facts)
    }
    buffer.append("}\n}\n")
    return buffer.take()
  }

  /// One line per session, so that people can read and compare the file.
  private static func append(
    _ records: [(key: String, value: SessionRecord)],
    to buffer: inout ByteBuffer,
    _ value: (SessionRecord) -> JSONValue
  ) {
    for (index, record) in records.enumerated() {
      buffer.append(index == 0 ? "\n    " : ",\n    ")
      buffer.append(jsonString: record.key)
      buffer.append(": ")
      buffer.append(json: value(record.value))
    }
    if !records.isEmpty { buffer.append("\n  ") }
  }

  /// A stable fingerprint of a text (64-bit FNV-1a): tells whether a system prompt has changed, keeps no secret.
  static func fingerprint(_ text: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return String(hash, radix: 16)
  }
}
