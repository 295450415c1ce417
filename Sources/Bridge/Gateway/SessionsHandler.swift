// /v1/sessions: lists, shows, renames and deletes sessions while the service runs, and tells what was said in them.

/// Answers requests about sessions. A key only sees its own.
@LoopActor
final class SessionsHandler {
  private static let defaultLimit = 100
  private static let maxLimit = 1000
  /// What is left out of a title may be longer than what is kept.
  private nonisolated static let maxTitleBytes = 4096

  private let sessions: Sessions
  private let leases: TurnLeases
  private let answers: AnswerRegistry
  private let transcripts: SessionTranscripts

  init(sessions: Sessions, leases: TurnLeases, answers: AnswerRegistry, engine: any TurnEngine) {
    self.sessions = sessions
    self.leases = leases
    self.answers = answers
    transcripts = SessionTranscripts(engine: engine)
  }

  /// GET /v1/sessions of all profiles, most recently used first. Takes `?limit=` (1 to 1000, default 100), `?after=ID` with
  /// `?after_profile=` where the session before is not the agent's, and `?search=TEXT` (a part of the id or
  /// of the title, in upper or lower case).
  func list(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let page = try await page(request)
      let activities = SessionActivities(sessions, answers, leases)
      writer.send(
        .json([
          "object": "list", "data": .array(page.entries.map { entry($0, activities) }),
          "has_more": .bool(page.hasMore),
          "total": .int(page.total),
        ]))
    } catch {
      writer.send(error.response)
    }
  }

  private func page(_ request: Request) async throws(APIError) -> SessionPage {
    let parameters = request.head.parameters
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

  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      writer.send(.json(entry(try await find(request, captures))))
    } catch {
      writer.send(error.response)
    }
  }

  /// PATCH or POST with `{"title": TEXT}`.
  func rename(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let title = try await JSONBody.read(request) { body throws(APIError) in try Self.title(body) }
      writer.send(.json(entry(try await rename(try await find(request, captures).key, to: title))))
    } catch {
      writer.send(error.response)
    }
  }

  private nonisolated static func title(_ body: JSONValue) throws(APIError) -> String {
    let text = try FieldReader(body).required("title").shortString(maxBytes: maxTitleBytes)
    let line = SessionTitle.line(of: text)
    guard !line.isEmpty else { throw .invalid("'title' is blank.", param: "title") }
    guard SessionTitle.fits(line) else {
      throw .invalid("'title' is longer than \(SessionTitle.maxCharacters) characters.", param: "title")
    }
    return line
  }

  private func rename(_ key: SessionKey, to title: String) async throws(APIError) -> SessionEntry {
    let record: SessionRecord?
    do throws(RepositoryError) {
      record = try await sessions.rename(key, to: title)
      try await sessions.commit()
    } catch {
      throw APIError(error, hasStarted: true)
    }
    guard let record else { throw .sessionNotFound(key.id) }
    return SessionEntry(key: key, record: record)
  }

  /// GET /v1/sessions/ID/messages, oldest first. Takes `?limit=` (1 to 100, default 100) and `?after=ID` of a message.
  func messages(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let window = try TranscriptWindow(request.head.parameters)
      let session = try await find(request, captures)
      writer.send(.json(try await transcripts.page(window, of: session.record, for: request.principal)))
    } catch {
      writer.send(error.response)
    }
  }

  /// The session of the profile that the request chooses; where there is none, that of another.
  private func find(_ request: Request, _ captures: [String]) async throws(APIError) -> SessionEntry {
    let wanted = SessionKey(owner: request.principal, id: captures.first ?? "", profile: request.profile)
    for key in [wanted] + wanted.ofEveryProfile {
      if let session = try await find(key) { return session }
    }
    throw .sessionNotFound(wanted.id)
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
    entry(session, SessionActivities(sessions, answers, leases))
  }

  private func entry(_ session: SessionEntry, _ activities: SessionActivities) -> JSONValue {
    let (key, record) = (session.key, session.record)
    return [
      "id": .string(key.id),
      "object": "session",
      "title": .text(record.title),
      "state": .string(activities[key].rawValue),
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
}
