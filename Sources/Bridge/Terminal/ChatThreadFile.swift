// `.codex_thread.json`: which thread the terminal conversation is, so that the next start continues it.

/// The remembered thread of `bridged chat`.
struct ChatThreadFile: Sendable {
  static let name = StateDirectory.chatThreadFileName
  private static let maxBytes = 64 * 1024

  struct Contents: Sendable, Equatable {
    var thread: ThreadID
    var model: String?
  }

  let path: String

  /// Nil when there is none, or it is not ours.
  func load() -> Contents? {
    guard case .bytes(let bytes) = FileContents.read(path, limit: Self.maxBytes),
      let value = try? JSONValue(parsing: bytes),
      let thread = (value["threadId"] ?? value["thread_id"])?.stringValue
    else { return nil }
    return Contents(thread: ThreadID(thread), model: value["model"]?.stringValue)
  }

  func save(_ contents: Contents) throws(FileError) {
    var object = JSONObject()
    object["threadId"] = .string(contents.thread.raw)
    object["model"] = contents.model.map { .string($0) }
    try FileContents.replace(path, with: JSONValue.object(object).jsonBytes + [0x0A])
  }

  func remove() { FileContents.remove(path) }
}
