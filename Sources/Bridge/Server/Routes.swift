// Which handler answers which path, and the parts that the handlers share, put together.

extension Gateway {
  /// A gateway with all routes of the bridge. `listening` are the hosts that are listened on.
  convenience init(
    engine: any TurnEngine,
    sessions: Sessions,
    state: ServerState,
    authenticator: Authenticator,
    configuration: Configuration,
    leases: TurnLeases,
    conversations: ConversationFinder,
    responses: ResponseMemory,
    answers: AnswerRegistry,
    listening: [String],
    metrics: Metrics = Metrics(),
    approvals: ApprovalDesk = ApprovalDesk(),
    connections: OpenConnections = OpenConnections()
  ) {
    let models = ModelDirectory(engine: engine, configuration: configuration)
    let admission = Admission(sessions: sessions, configuration: configuration)
    let images = ImageResolver(configuration: configuration)
    let starter = TurnStarter(
      engine: engine, sessions: sessions, models: models, images: images,
      places: ThreadPlaces(points: conversations.points),
      configuration: configuration)
    let log = RequestLog()
    let pipeline = TurnPipeline(
      engine: engine, sessions: sessions, starter: starter, finder: conversations, images: images,
      admission: admission, leases: leases, metrics: metrics, registry: answers, log: log,
      configuration: configuration)
    let sessionsHandler = SessionsHandler(
      sessions: sessions, leases: leases, answers: answers, engine: engine)
    let metricsHandler = MetricsHandler(
      metrics: metrics, engine: engine, sessions: sessions, turns: admission.turns, leases: leases,
      answers: answers, connections: connections, approvals: approvals)
    metrics.name(authenticator.principals)
    let health = HealthHandler(engine: engine, state: state, authenticator: authenticator)
    let dashboard = DashboardHandler(
      snapshot: DashboardSnapshot(
        engine: engine, sessions: sessions, state: state, turns: admission.turns, metrics: metrics,
        approvals: approvals, answers: answers, log: log, connections: connections,
        holders: authenticator.principals, configuration: configuration),
      registry: answers, state: state, keyCount: authenticator.principals.count)
    let routes = [
      Route("/models", ["GET": models.list]),
      Route("/models/*", ["GET": later(models.retrieve)]),
      Route(Self.metricsPath, ["GET": later(metricsHandler.handle)]),
      Route("/dashboard", isPublic: true, ["GET": later(dashboard.page)]),
      Route("/api/dashboard", ["GET": later(dashboard.snapshot)]),
      Route("/api/events", ["GET": later(dashboard.events)]),
      Route("/api/turns/*/stop", ["POST": later(dashboard.stop)]),
      Route("/", isPublic: true, ["GET": later(dashboard.root)]),
    ]
    self.init(
      routes: Self.routes(into: pipeline, configuration) + routes + Self.routes(of: sessionsHandler)
        + Self.routes(of: health, VersionHandler(engine: engine, authenticator: authenticator))
        + Self.routes(of: ApprovalsHandler(approvals: approvals))
        + Self.routes(of: responses, pipeline, answers, sessions, leases, configuration),
      authenticator: authenticator, metrics: metrics,
      configuration: configuration,
      listening: listening)
  }

  /// The routes that tell how the bridge is and what it offers, also to those who have no key.
  private static func routes(of health: HealthHandler, _ version: VersionHandler) -> [Route] {
    let description = OpenAPIHandler()
    return [
      Route("/health", isPublic: true, ["GET": now(health.health)]),
      Route("/ready", isPublic: true, ["GET": now(health.ready)]),
      Route("/version", isPublic: true, ["GET": now(version.version)]),
      Route("/openapi.json", isPublic: true, ["GET": now(description.document)]),
    ]
  }

  /// Answers requests to paths that would be the id of something.
  private static func notOffered(_ request: Request, _: [String], _ writer: ResponseWriter) {
    let advice = PathAdvice.advice(for: request.head.path)
    writer.send(APIError.unknownPath(request.head, advice: advice).response)
  }

  /// The routes of the requests that run turns, in each dialect.
  private static func routes(into pipeline: TurnPipeline, _ configuration: Configuration) -> [Route] {
    let chat = ChatCompletionsHandler(pipeline: pipeline, configuration: configuration)
    let completions = CompletionsHandler(pipeline: pipeline, configuration: configuration)
    return [
      Route("/chat/completions", ["POST": later(chat.handle)]),
      Route("/completions", ["POST": later(completions.handle)]),
    ]
  }

  private static func routes(of approvals: ApprovalsHandler) -> [Route] {
    [
      Route("/approvals", ["GET": later(approvals.list)]),
      Route("/approvals/*", ["GET": later(approvals.retrieve), "POST": later(approvals.decide)]),
    ]
  }

  private static func routes(of sessions: SessionsHandler) -> [Route] {
    [
      Route("/sessions", ["GET": later(sessions.list)]),
      Route(
        "/sessions/*",
        [
          "GET": later(sessions.retrieve), "PATCH": later(sessions.rename), "POST": later(sessions.rename),
          "DELETE": later(sessions.delete),
        ]),
      Route("/sessions/*/messages", ["GET": later(sessions.messages)]),
    ]
  }
}

extension Gateway {
  private static func routes(
    of memory: ResponseMemory, _ pipeline: TurnPipeline, _ answers: AnswerRegistry, _ sessions: Sessions,
    _ leases: TurnLeases, _ configuration: Configuration
  ) -> [Route] {
    let made = ResponsesHandler(
      pipeline: pipeline, responses: memory.responses, conversations: memory.conversations,
      configuration: configuration)
    let kept = StoredResponsesHandler(responses: memory.responses, registry: answers)
    let named = ConversationsHandler(conversations: memory.conversations, sessions: sessions, leases: leases)
    return [
      Route("/responses", ["POST": later(made.handle), "GET": later(made.open)]),
      Route("/responses/compact", ["POST": now(Self.notOffered)]),
      Route("/responses/input_tokens", ["POST": now(Self.notOffered)]),
      Route("/responses/*", ["GET": later(kept.retrieve), "DELETE": later(kept.delete)]),
      Route("/responses/*/cancel", ["POST": later(kept.cancel)]),
      Route("/responses/*/input_items", ["GET": later(kept.input)]),
      Route("/conversations", ["POST": later(named.create)]),
      Route(
        "/conversations/*",
        ["GET": later(named.retrieve), "POST": later(named.update), "DELETE": later(named.delete)]),
      Route("/conversations/*/items", ["GET": later(named.listItems), "POST": later(named.addItems)]),
      Route("/conversations/*/items/*", ["GET": later(named.retrieveItem), "DELETE": later(named.deleteItem)]),
    ]
  }
}

/// A handler that answers at once.
private func now(
  _ answer: @escaping @Sendable @LoopActor (Request, [String], ResponseWriter) -> Void
) -> Route.Handler {
  { request, captures, writer in
    answer(request, captures, writer)
    return nil
  }
}

/// A handler that answers in a task.
private func later(
  _ answer: @escaping @Sendable @LoopActor (Request, [String], ResponseWriter) async -> Void
) -> Route.Handler {
  { request, captures, writer in { await answer(request, captures, writer) } }
}
