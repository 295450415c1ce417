// GET / and /dashboard, the page; its JSON, its live feed, and the button that stops a turn.

/// Answers dashboard requests.
@LoopActor
final class DashboardHandler {
  /// Made when it is first asked for: cutting it is no work for a start.
  private lazy var page = DashboardPage()
  private let snapshot: DashboardSnapshot
  private let registry: AnswerRegistry
  private let feed: DashboardFeed

  init(snapshot: DashboardSnapshot, registry: AnswerRegistry, state: ServerState, keyCount: Int) {
    self.snapshot = snapshot
    self.registry = registry
    feed = DashboardFeed(
      facts: { principal in
        await snapshot.prepare(for: principal)
        return snapshot.facts(for: principal)
      }, isEnding: { state.isDraining }, keyCount: keyCount)
  }

  /// The page knows nothing by itself and needs no key; it asks the person for one.
  func page(_ request: Request, _: [String], _ writer: ResponseWriter) async { writer.send(page.response) }

  /// GET /: the page for a browser, which says that it takes HTML; for everybody else what answers here.
  func root(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    var response =
      request.head.fields["accept"]?.contains("text/html") == true
      ? page.response
      : .json([
        "service": "CodexBridge", "version": .string(BridgeVersion.text), "api": "/v1", "health": "/health",
        "ready": "/ready",
      ])
    response.fields.append("Vary", "Accept")
    writer.send(response)
  }

  func snapshot(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    await snapshot.prepare(for: request.principal)
    writer.send(
      .json(
        DashboardSnapshot.dated(snapshot.facts(for: request.principal)), fields: ["Cache-Control": "no-store"]))
  }

  /// The snapshot as server-sent events: at once, then whenever it has changed, at most once a second.
  func events(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    guard feed.hasRoom(for: request.principal) else {
      return writer.send(APIError.tooManyViewers(limit: feed.maxViewersPerKey).response)
    }
    writer.begin(status: 200, fields: EventStream.fields)
    if request.head.method == "HEAD" { return writer.finish() }
    await feed.serve(request, writer)
  }

  /// Interrupts the turn of a request. Its client gets the end of an interrupted turn.
  func stop(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let id = captures.first ?? ""
    guard registry.stop(requestID: id, by: request.principal) else {
      return writer.send(APIError.turnNotFound(id).response)
    }
    Log.info("a turn is stopped from the dashboard", ["request": id])
    writer.send(.json(["request_id": .string(id), "object": "turn", "stopping": true]))
  }

}
