// `.codex_chats.json`: the conversations of `bridged chat`, so that later starts go on with them.
// Earlier versions kept one conversation, in `.codex_thread.json` (`ChatThreadFile`).

/// The file of the conversations of one directory. Blocking.
struct ChatListFile: Sendable {
  static let name = StateDirectory.chatList.name
  private static let maxBytes = StateDirectory.chatList.maxBytes

  let path: String
  /// The file of an earlier version, which is taken over.
  private let earlier: ChatThreadFile?

  /// `isDemo`: those with the stand-in for the model, whose threads the real Codex does not know.
  init(stateDirectory: String, isDemo: Bool) {
    path = isDemo ? "\(stateDirectory)/.codex_demo/chats.json" : "\(stateDirectory)/\(Self.name)"
    earlier = isDemo ? nil : ChatThreadFile(path: "\(stateDirectory)/\(ChatThreadFile.name)")
  }

  /// What is kept; nothing where there is no file, or it is not ours.
  func load() -> ChatList {
    switch FileContents.read(path, limit: Self.maxBytes) {
    case .bytes(let bytes):
      guard let value = try? JSONValue(parsing: bytes) else { return ChatList() }
      return ChatList((value["conversations"]?.arrayValue ?? []).compactMap(KeptConversation.init))
    case .missing: return ChatList(earlier?.load().map { [$0] } ?? [])
    case .tooLarge, .failed: return ChatList()
    }
  }

  /// Replaces the file whole. The file of an earlier version is removed: what was in it is in this one.
  func save(_ list: ChatList) throws(FileError) {
    let object: JSONValue = ["version": 1, "conversations": .array(list.all.map(\.stored))]
    try FileContents.replace(path, with: object.jsonBytes + [0x0A])
    earlier?.remove()
  }
}

/// The remembered conversation of earlier versions and of the original project.
struct ChatThreadFile: Sendable {
  static let name = StateDirectory.chatThread.name
  /// Its id in the list, where it is the first.
  private static let id = "earlier"

  let path: String

  /// Nil when there is none, or it is not ours.
  func load() -> KeptConversation? {
    guard case .bytes(let bytes) = FileContents.read(path, limit: StateDirectory.chatThread.maxBytes),
      let value = try? JSONValue(parsing: bytes),
      let thread = (value["threadId"] ?? value["thread_id"])?.stringValue
    else { return nil }
    var current = ThreadRecord(id: ThreadID(thread), model: value["threadModel"]?.stringValue)
    current.previous = ThreadID.list(value["previous"])
    let record = SessionRecord(current: current, createdAt: 0, usedAt: unixTime(), turns: 1)
    return KeptConversation(id: Self.id, record: record, modelName: value["model"]?.stringValue)
  }

  func remove() { FileContents.remove(path) }
}

extension ThreadID {
  fileprivate static func list(_ value: JSONValue?) -> [ThreadID] {
    (value?.arrayValue ?? []).compactMap(\.stringValue).map(ThreadID.init)
  }
}

extension KeptConversation {
  /// As the file has it.
  fileprivate var stored: JSONValue {
    var object = JSONObject()
    object["id"] = .string(id)
    object["title"] = record.title.map { .string($0) }
    object["threadId"] = .string(record.thread.raw)
    object["threadModel"] = record.model.map { .string($0) }
    if !record.current.previous.isEmpty {
      object["previous"] = .array(record.current.previous.map { .string($0.raw) })
    }
    object["model"] = modelName.map { .string($0) }
    object["turns"] = .int(record.turns)
    object["createdAt"] = .int(record.createdAt)
    object["usedAt"] = .int(record.usedAt)
    object["cut"] = cut.map { .string($0) }
    if !marks.isEmpty {
      object["marks"] = .array(marks.map { ["turnId": .string($0.turnID), "words": .string($0.words)] })
    }
    return .object(object)
  }

  /// Nil for what is no conversation.
  fileprivate init?(_ value: JSONValue) {
    guard let id = value["id"]?.stringValue, RandomID.isValid(id), let thread = value["threadId"]?.stringValue
    else {
      return nil
    }
    var current = ThreadRecord(id: ThreadID(thread), model: value["threadModel"]?.stringValue)
    current.previous = ThreadID.list(value["previous"])
    let marks = (value["marks"]?.arrayValue ?? []).compactMap { mark in
      mark["turnId"]?.stringValue.map { Mark(turnID: $0, words: mark["words"]?.stringValue ?? "") }
    }
    self.init(
      id: id,
      record: SessionRecord(
        current: current, title: value["title"]?.stringValue.flatMap(SessionTitle.made),
        createdAt: Self.number(value["createdAt"]), usedAt: Self.number(value["usedAt"]),
        turns: Self.number(value["turns"])),
      modelName: value["model"]?.stringValue, marks: marks.suffix(Self.maxMarks), cut: value["cut"]?.stringValue)
  }

  /// A time or a count. What no program of ours has written is cut to what can be reckoned with.
  private static func number(_ value: JSONValue?) -> Int { min(max(0, value?.intValue ?? 0), 1 << 40) }
}
