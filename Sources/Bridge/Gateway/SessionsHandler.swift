// GET and DELETE of /v1/sessions: lists and deletes sessions while the service runs.

/// Answers requests about sessions. A key only sees its own.
@LoopActor
final class SessionsHandler {
  private static let defaultLimit = 100
  private static let maxLimit = 1000

  private let sessions: Sessions
  private let leases: TurnLeases

  init(sessions: Sessions, leases: TurnLeases) {
    self.sessions = sessions
    self.leases = leases
  }

  /// GET /v1/sessions of all profiles, most recently used first. Takes `?limit=` (1 to 1000, default 100), `?after=ID` with
  /// `?after_profile=` where the session before is not the agent's, and `?search=TEXT` (a part of the id, in upper or lower
  /// case).
  func list(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let page = try await page(request)
      writer.send(
        .json([
          "object": "list", "data": .array(page.entries.map(entry)), "has_more": .bool(page.hasMore),
          "total": .int(page.total),
        ]))
    } catch {
      writer.send(error.response)
    }
  }

  private func page(_ request: Request) async throws(APIError) -> SessionPage {
    let parameters = Self.parameters(request.head.query)
    var query = SessionQuery(
      owner: request.principal, limit: try Self.limit(parameters["limit"]), search: parameters["search"])
    if let id = parameters["after"] {
      let key = SessionKey(
        owner: request.principal, id: id, profile: try Self.profile(parameters["after_profile"]))
      guard let entry = try await find(key) else {
        throw .invalid("There is no session '\(id.beginning(ofBytes: 100))'.", param: "after")
      }
      query.after = entry
    }
    do throws(RepositoryError) {
      return try await sessions.page(query)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// The session of the profile that the request chooses; where there is none, that of another.
  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let wanted = SessionKey(owner: request.principal, id: captures.first ?? "", profile: request.profile)
    do throws(APIError) {
      for key in [wanted] + wanted.ofEveryProfile {
        if let session = try await find(key) { return writer.send(.json(entry(session))) }
      }
      throw APIError.sessionNotFound(wanted.id)
    } catch {
      writer.send(error.response)
    }
  }

  private func find(_ key: SessionKey) async throws(APIError) -> SessionEntry? {
    do throws(RepositoryError) {
      return try await sessions.record(key).map { SessionEntry(key: key, record: $0) }
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// Forgets an id under every profile.
  func delete(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let key = SessionKey(owner: request.principal, id: captures.first ?? "")
    do throws(RepositoryError) {
      var isForgotten = false
      for key in key.ofEveryProfile {
        await leases.forget(key)
        if try await sessions.forget(key) { isForgotten = true }
      }
      guard isForgotten else { return writer.send(APIError.sessionNotFound(key.id).response) }
      try await sessions.commit()
      writer.send(.json(["id": .string(key.id), "object": "session", "deleted": true]))
    } catch {
      writer.send(APIError(error, hasStarted: true).response)
    }
  }

  private func entry(_ session: SessionEntry) -> JSONValue {
    let (key, record) = (session.key, session.record)
    return [
      "id": .string(key.id),
      "object": "session",
      "profile": .string(key.profile.rawValue),
      "thread_id": .string(record.thread.raw),
      "model": .text(record.model),
      "created": .int(record.createdAt),
      "last_used": .int(record.usedAt),
      "turns": .int(record.turns),
      "running": .bool(sessions.isRunning(key)),
      "waiting": .int(sessions.waitingCount(key)),
    ]
  }

  private static func limit(_ text: String?) throws(APIError) -> Int {
    guard let text else { return defaultLimit }
    guard let limit = Int(text), (1...maxLimit).contains(limit) else {
      throw .invalid("'limit' must be a number from 1 to \(maxLimit).", param: "limit")
    }
    return limit
  }

  private static func profile(_ text: String?) throws(APIError) -> ProfileKind {
    guard let text else { return .agent }
    guard let kind = ProfileKind(rawValue: text) else {
      throw .invalid("'after_profile' must be \(ProfileKind.names).", param: "after_profile")
    }
    return kind
  }

  private static func parameters(_ text: String?) -> [String: String] {
    var result: [String: String] = [:]
    for pair in (text ?? "").split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = Router.percentDecoded(parts[0]),
        let value = Router.percentDecoded(parts[1])
      else { continue }
      result[name] = value
    }
    return result
  }
}
