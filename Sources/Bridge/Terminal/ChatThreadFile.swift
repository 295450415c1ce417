// `.codex_thread.json`: which thread the terminal conversation is, so that the next start continues it.

/// The remembered conversation of `bridged chat`.
struct ChatThreadFile: Sendable {
  static let name = StateDirectory.chatThread.name
  private static let maxBytes = StateDirectory.chatThread.maxBytes

  struct Contents: Sendable, Equatable {
    var thread: ThreadRecord
    /// What the person has asked for; may carry an effort.
    var modelName: String?
  }

  let path: String

  /// Nil when there is none, or it is not ours.
  func load() -> Contents? {
    guard case .bytes(let bytes) = FileContents.read(path, limit: Self.maxBytes),
      let value = try? JSONValue(parsing: bytes),
      let thread = (value["threadId"] ?? value["thread_id"])?.stringValue
    else { return nil }
    var record = ThreadRecord(id: ThreadID(thread), model: value["threadModel"]?.stringValue)
    record.previous = (value["previous"]?.arrayValue ?? []).compactMap(\.stringValue).map(ThreadID.init)
    return Contents(thread: record, modelName: value["model"]?.stringValue)
  }

  func save(_ contents: Contents) throws(FileError) {
    var object = JSONObject()
    object["threadId"] = .string(contents.thread.id.raw)
    object["model"] = contents.modelName.map { .string($0) }
    object["threadModel"] = contents.thread.model.map { .string($0) }
    if !contents.thread.previous.isEmpty {
      object["previous"] = .array(contents.thread.previous.map { .string($0.raw) })
    }
    try FileContents.replace(path, with: JSONValue.object(object).jsonBytes + [0x0A])
  }

  func remove() { FileContents.remove(path) }
}
