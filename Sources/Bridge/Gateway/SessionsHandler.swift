// GET and DELETE of /v1/sessions: see and forget conversations without stopping the service.

/// Answers session requests.
@LoopActor
final class SessionsHandler {
  private static let defaultLimit = 100
  private static let maxLimit = 1000

  private let sessions: SessionStore

  init(sessions: SessionStore) { self.sessions = sessions }

  /// `?limit=` (1 to 1000, default 100), `?after=ID` and `?search=TEXT` (a part of the id, in any case), most recently
  /// used first.
  func list(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let query = Self.query(request.head.query)
      let limit = try Self.limit(query["limit"])
      var after: SessionEntry?
      if let id = query["after"] {
        let key = SessionKey(owner: request.principal, id: id)
        guard let record = sessions.record(key) else {
          throw .invalid("There is no session '\(id.beginning(ofBytes: 100))'.", param: "after")
        }
        after = SessionEntry(key: key, record: record)
      }
      let page = await sessions.findPage(
        of: request.principal, limit: limit, after: after, search: query["search"])
      writer.send(
        .json([
          "object": "list", "data": .array(page.entries.map(entry)), "has_more": .bool(page.hasMore),
          "total": .int(page.total),
        ]))
    } catch {
      writer.send(error.response)
    }
  }

  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let key = SessionKey(owner: request.principal, id: captures.first ?? "")
    guard let record = sessions.record(key) else { return writer.send(APIError.sessionNotFound(key.id).response) }
    writer.send(.json(entry(SessionEntry(key: key, record: record))))
  }

  func delete(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let key = SessionKey(owner: request.principal, id: captures.first ?? "")
    guard sessions.forget(key) else { return writer.send(APIError.sessionNotFound(key.id).response) }
    guard await sessions.commit() else {
      return writer.send(
        APIError.stateNotSaved(sessions.writeFailure ?? "unknown reason", hasStarted: true).response)
    }
    writer.send(.json(["id": .string(key.id), "object": "session", "deleted": true]))
  }

  private func entry(_ session: SessionEntry) -> JSONValue {
    let (key, record) = (session.key, session.record)
    return [
      "id": .string(key.id),
      "object": "session",
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

  private static func query(_ text: String?) -> [String: String] {
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
