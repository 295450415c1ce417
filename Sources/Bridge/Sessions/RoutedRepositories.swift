// Sessions and points with two places: the files for what has a name, the memory of the process for what has none.

/// Sessions of which those without a name are remembered by this process alone.
@LoopActor
final class RoutedSessions: SessionRepository {
  private let files: any SessionRepository
  private let unnamed: UnnamedConversations

  init(files: any SessionRepository, unnamed: UnnamedConversations) {
    self.files = files
    self.unnamed = unnamed
  }

  var revision: UInt64 { files.revision }
  var failure: RepositoryError? { files.failure }

  func failure(of key: SessionKey) -> RepositoryError? { key.isPassing ? nil : files.failure(of: key) }

  func count() async throws(RepositoryError) -> Int { try await files.count() }

  func lookup(_ key: SessionKey) async throws(RepositoryError) -> SessionRecord? {
    key.isPassing ? unnamed.lookup(key) : try await files.lookup(key)
  }

  func page(_ query: SessionQuery) async throws(RepositoryError) -> SessionPage { try await files.page(query) }

  func bind(_ key: SessionKey, _ record: SessionRecord) async throws(RepositoryError) {
    if key.isPassing { try unnamed.bind(key, record) } else { try await files.bind(key, record) }
  }

  func touch(_ key: SessionKey) async throws(RepositoryError) {
    if key.isPassing { unnamed.touch(key) } else { try await files.touch(key) }
  }

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) async throws(RepositoryError) {
    if key.isPassing {
      unnamed.setAnswers(count, on: thread, of: key)
    } else {
      try await files.setAnswers(count, on: thread, of: key)
    }
  }

  func forget(_ key: SessionKey) async throws(RepositoryError) -> Bool {
    key.isPassing ? unnamed.forget(key) : try await files.forget(key)
  }

  func forget(
    usedBefore time: Int, unless isInUse: @LoopActor (SessionKey) -> Bool
  ) async throws(RepositoryError) -> Int { try await files.forget(usedBefore: time, unless: isInUse) }

  func forgetSurplus(
    over maxCount: Int?, keeping newest: SessionKey?, usedLast isInUse: @LoopActor (SessionKey) -> Bool
  ) async throws(RepositoryError) -> Int {
    guard newest?.isPassing == true else {
      return try await files.forgetSurplus(over: maxCount, keeping: newest, usedLast: isInUse)
    }
    unnamed.forgetSurplus(keeping: newest, unless: isInUse)
    return 0
  }

  func commit(_ key: SessionKey) async throws(RepositoryError) {
    if !key.isPassing { try await files.commit(key) }
  }

  func commit() async throws(RepositoryError) { try await files.commit() }

  func announceClose() { files.announceClose() }

  func close() async { await files.close() }
}

extension SessionKey {
  /// Whether it is remembered by this process alone.
  fileprivate var isPassing: Bool { isUnnamed && !isOfResponses }
}

/// Points of which those of conversations without a name are remembered by this process alone.
@LoopActor
final class RoutedPoints: PointRepository {
  private let store: any PointRepository
  private let unnamed: UnnamedConversations

  init(store: any PointRepository, unnamed: UnnamedConversations) {
    self.store = store
    self.unnamed = unnamed
  }

  func points(of thread: ThreadID) async -> ThreadPoints {
    let known = unnamed.points(of: thread)
    return known.isEmpty ? await store.points(of: thread) : known
  }

  func set(_ points: ThreadPoints, of thread: ThreadID, in session: SessionKey) async {
    if session.isPassing {
      unnamed.set(points, of: thread, in: session)
    } else {
      await store.set(points, of: thread, in: session)
    }
  }

  func threads(endingAt digests: [ConversationDigest]) async -> [FoundThread] {
    unnamed.threads(endingAt: digests) + (await store.threads(endingAt: digests))
  }

  func forget(_ threads: [ThreadID]) async {
    unnamed.forget(threads)
    await store.forget(threads)
  }
}
