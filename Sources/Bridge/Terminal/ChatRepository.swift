// The store of the one session that `bridged chat` has.

/// Keeps the terminal's session in a `ChatThreadFile`.
///
/// It is changed by one program at a time; the file is written when somebody waits for it, and a conversation goes on where
/// it cannot be.
@LoopActor
final class ChatRepository: SessionRepository {
  private let file: ChatThreadFile
  private var record: SessionRecord?
  /// What the person has asked for, kept beside the thread.
  var modelName: String?
  private(set) var revision: UInt64 = 0

  init(_ file: ChatThreadFile) {
    self.file = file
    guard let contents = file.load() else { return }
    modelName = contents.modelName
    record = SessionRecord(current: contents.thread, createdAt: 0, usedAt: 0, turns: 0, version: 0)
  }

  /// Whether nothing was said yet.
  var isEmpty: Bool { record == nil }

  let failure: RepositoryError? = nil

  func count() -> Int { isEmpty ? 0 : 1 }

  func lookup(_ key: SessionKey) -> SessionRecord? { record }

  func page(_ query: SessionQuery) -> SessionPage { SessionPage() }

  func bind(_ key: SessionKey, _ record: SessionRecord) throws(RepositoryError) {
    guard record.version == self.record?.version else { throw .conflict }
    revision += 1
    self.record = record
    self.record?.version = revision
  }

  func touch(_ key: SessionKey) {}

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) {}

  func forget(_ key: SessionKey) -> Bool {
    defer { forgetAll() }
    return !isEmpty
  }

  func forgetAll() {
    record = nil
    file.remove()
  }

  func forget(usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool) -> Int { 0 }

  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) -> Int { 0 }

  func commit(_ key: SessionKey) throws(RepositoryError) { try commit() }

  func commit() throws(RepositoryError) {
    guard let record else { return }
    do throws(FileError) {
      try file.save(ChatThreadFile.Contents(thread: record.current, modelName: modelName))
    } catch {
      throw .unavailable("\(error)")
    }
  }

  func announceClose() {}

  func close() {}
}
