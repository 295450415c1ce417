// Sessions in a directory, and shorthands for tests that are not about queries, changes and errors.

@testable import Bridge

extension Sessions {
  /// Opens the sessions in a directory, as the bridge does at its start.
  static func inFiles(
    _ directory: String, queueLimit: Int = 2, retention: Retention = Retention(),
    defaultOwner: Principal = .everybody,
    maxMapBytes: Int = ThreadMap.maxBytes - FileRepository.mapFrameBytes, unnamed: UnnamedConversations? = nil
  ) async throws(ConfigurationError) -> Sessions {
    let files = try FileRepository(
      directory: directory, defaultOwner: defaultOwner, maxMapBytes: maxMapBytes)
    let repository: any SessionRepository = unnamed.map { RoutedSessions(files: files, unnamed: $0) } ?? files
    let sessions = Sessions(repository: repository, queueLimit: queueLimit, retention: retention)
    await sessions.startForgetting()
    return sessions
  }

  /// Sets what is known of a session, whatever was known before.
  func bind(_ key: SessionKey, _ record: SessionRecord) async { await update(key) { _ in record } }

  func page(
    of owner: Principal, limit: Int, after: SessionEntry? = nil, search: String? = nil
  ) async throws(RepositoryError) -> SessionPage {
    try await page(SessionQuery(owner: owner, limit: limit, after: after, search: search))
  }

  /// Whether all changes so far, or those of a session, last.
  func isCommitted(_ key: SessionKey? = nil) async -> Bool {
    do throws(RepositoryError) {
      if let key { try await commit(key) } else { try await commit() }
      return true
    } catch {
      return false
    }
  }
}
