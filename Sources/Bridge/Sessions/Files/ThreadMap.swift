// The format of the session map.

/// The format of `.codex_threads.json`: `{"sessions":{id: threadId}}` as the original project has it, with further
/// facts beside it under `details`. An id that several owners chose stands there once; the others are under `further`.
/// Sessions of the plain chat are under `chat` alone: to whoever does not know that profile they are no sessions.
/// System prompts stand under `prompts`, each once; `details` have their numbers.
/// `generation` counts changes: those of a journal up to it are in the map already.
enum ThreadMap {
  static let fileName = StateDirectory.sessionMap.name
  /// Some 600,000 sessions. A larger map is neither read nor written: to read it takes several times its size in memory, for
  /// a moment.
  static let maxBytes = StateDirectory.sessionMap.maxBytes

  /// What a map says.
  enum Contents: Equatable {
    /// The generation is nil for a map that no journal can follow: there is none, or somebody else wrote it.
    case records(SessionTable, generation: UInt64? = nil)
    /// The text says what is wrong with it.
    case damaged(String)
  }

  static func decode(_ bytes: [UInt8]) -> Contents {
    do throws(JSONError) {
      let value = try JSONValue(parsing: bytes)
      guard let sessions = value["sessions"]?.objectValue else { return .damaged("it has no “sessions” object") }
      var details: [[UInt8]: JSONValue] = [:]
      for member in value["details"]?.objectValue?.members ?? [] { details[Array(member.key.utf8)] = member.value }
      let prompts = prompts(value["prompts"])
      var table = SessionTable()
      for member in sessions.members {
        guard let thread = member.value.stringValue else {
          return .damaged("the session “\(member.key.prefix(40))” has no thread id")
        }
        let facts = details[Array(member.key.utf8)] ?? .null
        table[key(member.key, facts)] = record(thread, facts, prompt: prompts[facts["prompt"]?.intValue ?? -1])
      }
      for facts in ["further", "chat"].flatMap({ value[$0]?.arrayValue ?? [] }) {
        guard let id = facts["id"]?.stringValue, let thread = facts["thread"]?.stringValue else { continue }
        table[key(id, facts)] = record(thread, facts, prompt: prompts[facts["prompt"]?.intValue ?? -1])
      }
      return .records(table, generation: generation(value["generation"]))
    } catch {
      return .damaged(error.description)
    }
  }

  /// The prompts by their numbers.
  private static func prompts(_ value: JSONValue?) -> [Int: SessionPrompt] {
    var prompts: [Int: SessionPrompt] = [:]
    for member in value?.objectValue?.members ?? [] {
      if let number = Int(member.key) { prompts[number] = member.value.stringValue.flatMap(SessionPrompt.init) }
    }
    return prompts
  }

  /// The number of a change, from 0 to 2⁵³, which leaves room for more changes than can be made; nil for anything else.
  static func generation(_ value: JSONValue?) -> UInt64? {
    guard let number = value?.intValue, (0...1 << 53).contains(number) else { return nil }
    return UInt64(number)
  }

  static func key(_ id: String, _ facts: JSONValue) -> SessionKey {
    SessionKey(
      owner: Principal(name: facts["owner"]?.stringValue ?? ""), id: id,
      profile: facts["profile"]?.stringValue.flatMap(ProfileKind.init) ?? .agent)
  }

  static func record(_ thread: String, _ facts: JSONValue, prompt: SessionPrompt? = nil) -> SessionRecord {
    let others = (facts["others"]?.arrayValue ?? []).compactMap { other in
      other["thread"]?.stringValue.map { self.thread($0, other) }
    }
    return SessionRecord(
      current: self.thread(thread, facts),
      others: others.suffix(SessionRecord.maxThreads - 1),
      title: facts["title"]?.stringValue.flatMap(SessionTitle.made),
      prompt: prompt,
      cacheKey: facts["cache_key"]?.stringValue,
      createdAt: count(facts["created"]),
      usedAt: count(facts["used"]),
      turns: count(facts["turns"]),
      version: generation(facts["sequence"]) ?? 0
    )
  }

  private static func thread(_ id: String, _ facts: JSONValue) -> ThreadRecord {
    ThreadRecord(
      id: ThreadID(id),
      previous: (facts["previous"]?.arrayValue ?? []).compactMap { $0.stringValue.map(ThreadID.init) },
      model: facts["model"]?.stringValue,
      instructions: facts["instructions"]?.stringValue,
      tools: ToolSet(text: facts["tools"]?.stringValue ?? ""),
      answers: facts["answers"].map(count),
      isBranch: facts["branch"] == true
    )
  }

  /// A number from 0 to 2⁵³: whatever a file says, adding to it must not overflow.
  private static func count(_ value: JSONValue?) -> Int {
    min(max(0, value?.intValue ?? 0), 1 << 53)
  }

  /// Up to this many sessions are written whole with each change and in the order of their ids, for people to read. With a
  /// higher number each change of a session writes more; with a lower one more people find a journal beside their map.
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
    buffer.append(array: "further", lines: &sections.further)
    buffer.append(array: "chat", lines: &sections.chat)
    if !sections.prompts.isEmpty {
      buffer.append(",\n  \"prompts\": {")
      buffer.append(lines: &sections.prompts)
      buffer.append("}")
    }
    buffer.append("\n}\n")
    return buffer.take()
  }

  /// The lines of each member of the file.
  private struct Sections {
    var sessions = ByteBuffer()
    var details = ByteBuffer()
    var further = ByteBuffer()
    var chat = ByteBuffer()
    var prompts = ByteBuffer()
    private var promptNumbers: [ObjectIdentifier: Int] = [:]

    /// Appends sessions. Those with equal ids must come together.
    mutating func append(_ entries: [SessionEntry]) {
      var before: SessionEntry?
      for entry in entries.sorted(by: precedes) {
        var facts = facts(entry)
        facts["prompt"] = entry.record.prompt.map { .int(number(of: $0)) }
        if entry.key.profile == .chat {
          chat.append(line: entry, facts)
          continue
        }
        let isTaken = before.map { $0.key.id.utf8.elementsEqual(entry.key.id.utf8) } ?? false
        before = entry
        if isTaken {
          further.append(line: entry, facts)
        } else {
          sessions.beginLine()
          sessions.append(named: entry.key.id, .string(entry.record.thread.raw))
          details.beginLine()
          details.append(named: entry.key.id, .object(facts))
        }
      }
    }

    /// The number of a prompt, which is written with its first session.
    private mutating func number(of prompt: SessionPrompt) -> Int {
      if let number = promptNumbers[ObjectIdentifier(prompt)] { return number }
      let number = promptNumbers.count
      promptNumbers[ObjectIdentifier(prompt)] = number
      prompts.beginLine()
      prompts.append(named: String(number), .string(prompt.text))
      return number
    }
  }

  /// By id, byte by byte, so that equal ids are neighbours; then the older first.
  private static func precedes(_ left: SessionEntry, _ right: SessionEntry) -> Bool {
    if left.key.id.utf8.elementsEqual(right.key.id.utf8) {
      let (name, otherName) = (left.key.profile.rawValue, right.key.profile.rawValue)
      return (left.record.createdAt, left.key.owner.name, name)
        < (right.record.createdAt, right.key.owner.name, otherName)
    }
    return left.key.id.utf8.lexicographicallyPrecedes(right.key.id.utf8)
  }

  /// All of a session but its id, its thread and its prompt.
  static func facts(_ entry: SessionEntry) -> JSONObject {
    let record = entry.record
    var facts = JSONObject()
    addName(of: entry.key, to: &facts)
    facts["title"] = record.title.map { .string($0) }
    addFacts(of: record.current, to: &facts)
    if !record.others.isEmpty {
      facts["others"] = .array(
        record.others.map { other in
          var facts = JSONObject()
          facts["thread"] = .string(other.id.raw)
          addFacts(of: other, to: &facts)
          return .object(facts)
        })
    }
    facts["cache_key"] = record.cacheKey.map { .string($0) }
    facts["created"] = .int(record.createdAt)
    facts["used"] = .int(record.usedAt)
    facts["turns"] = .int(record.turns)
    if let version = record.version, version > 0 { facts["sequence"] = .number(String(version)) }
    return facts
  }

  /// What a session's name has besides the id.
  static func addName(of key: SessionKey, to facts: inout JSONObject) {
    if key.owner != .everybody { facts["owner"] = .string(key.owner.name) }
    if key.profile != .agent { facts["profile"] = .string(key.profile.rawValue) }
  }

  private static func addFacts(of thread: ThreadRecord, to facts: inout JSONObject) {
    facts["model"] = thread.model.map { .string($0) }
    facts["instructions"] = thread.instructions.map { .string($0) }
    if !thread.previous.isEmpty { facts["previous"] = .array(thread.previous.map { .string($0.raw) }) }
    if !thread.tools.isEmpty { facts["tools"] = .string(thread.tools.text) }
    facts["answers"] = thread.answers.map { .int($0) }
    if thread.isBranch { facts["branch"] = true }
  }
}

extension ByteBuffer {
  /// A line of its own for each session.
  fileprivate mutating func beginLine() { append(isEmpty ? "\n    " : ",\n    ") }

  /// Appends the line of a session whose id may stand there several times.
  fileprivate mutating func append(line entry: SessionEntry, _ facts: JSONObject) {
    var facts = facts
    facts["id"] = .string(entry.key.id)
    facts["thread"] = .string(entry.record.thread.raw)
    beginLine()
    append(json: .object(facts))
  }

  /// Appends a member of the file that is an array, unless it is empty.
  fileprivate mutating func append(array name: StaticString, lines: inout ByteBuffer) {
    guard !lines.isEmpty else { return }
    append(",\n  \"\(name)\": [")
    append(lines: &lines)
    append("]")
  }

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
