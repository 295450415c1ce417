// The store of the sessions that `bridged chat` has: its conversations in this directory. Owns what is known of them.

/// Keeps the terminal's conversations in a `ChatListFile`.
///
/// Each conversation is changed by one program at a time, but several programs may have conversations of one directory: before
/// the file is replaced, what others have changed in it is read.
@LoopActor
final class ChatRepository: SessionRepository {
  private let file: ChatListFile
  private var list: ChatList
  /// Conversations that are not stored as they are here.
  private var changed: Set<String> = []
  private var forgotten: Set<String> = []
  private(set) var revision: UInt64 = 0

  init(_ file: ChatListFile) {
    self.file = file
    list = file.load()
  }

  // MARK: Conversations

  /// All of them, the one used last first.
  var conversations: ChatList { list }

  subscript(_ id: String) -> KeptConversation? { list[id] }

  /// Reads what other programs have changed meanwhile.
  func reload() {
    let merged = file.load().all.filter { !forgotten.contains($0.id) }.map { stored in
      guard let known = list[stored.id], known.record.usedAt >= stored.record.usedAt else { return stored }
      return known
    }
    var latest = ChatList(merged)
    for conversation in list.all.reversed() where changed.contains(conversation.id) { latest.use(conversation) }
    list = latest
  }

  /// Changes a conversation that is known, and makes it the one used last. Lasts after `commit`.
  func change(_ id: String, _ change: (inout KeptConversation) -> Void) {
    guard var conversation = list[id] else { return }
    change(&conversation)
    keep(conversation)
  }

  private func keep(_ conversation: KeptConversation) {
    revision += 1
    var conversation = conversation
    conversation.record.version = revision
    list.use(conversation)
    changed.insert(conversation.id)
    forgotten.remove(conversation.id)
  }

  func forget(_ id: String) {
    list.forget(id)
    changed.remove(id)
    forgotten.insert(id)
  }

  // MARK: Sessions

  let failure: RepositoryError? = nil

  func count() -> Int { list.all.count }

  func lookup(_ key: SessionKey) -> SessionRecord? { list[key.id]?.record }

  func page(_ query: SessionQuery) async throws(RepositoryError) -> SessionPage { SessionPage() }

  func bind(_ key: SessionKey, _ record: SessionRecord) throws(RepositoryError) {
    let known = list[key.id]
    guard record.version == known?.record.version else { throw .conflict }
    var conversation = known ?? KeptConversation(id: key.id, record: record)
    conversation.record = record
    keep(conversation)
  }

  func touch(_ key: SessionKey) {}

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) {}

  func forget(_ key: SessionKey) -> Bool {
    defer { forget(key.id) }
    return list[key.id] != nil
  }

  func forget(usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool) -> Int { 0 }

  /// The list keeps its bound by itself.
  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) -> Int { 0 }

  func commit(_ key: SessionKey) throws(RepositoryError) { try commit() }

  func commit() throws(RepositoryError) {
    guard !changed.isEmpty || !forgotten.isEmpty else { return }
    var stored = file.load()
    for id in forgotten { stored.forget(id) }
    // The one used last comes first in the end.
    for conversation in list.all.reversed() where changed.contains(conversation.id) { stored.use(conversation) }
    do throws(FileError) {
      try file.save(stored)
    } catch {
      throw .unavailable("\(error)")
    }
    changed = []
    forgotten = []
  }

  func announceClose() {}

  func close() {}
}
