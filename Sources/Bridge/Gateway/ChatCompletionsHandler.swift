// POST /v1/chat/completions from the body to the last byte.
// Reads top to bottom: decode, wait for a turn, start it, answer. What a turn is made of is TurnPlanner's business.

/// Answers chat completion requests.
@LoopActor
final class ChatCompletionsHandler {
  private static let startPoll = Duration.milliseconds(10)

  private let engine: any TurnEngine
  private let sessions: SessionStore
  private let starter: TurnStarter
  private let images: ImageResolver
  private let admission: Admission
  private let metrics: Metrics
  private let journal: DashboardJournal
  private let configuration: Configuration
  private let strictParameters: Bool
  private let keepAliveInterval: Duration
  private let queueNoticeInterval: Duration
  private let startWait: Duration

  init(
    engine: any TurnEngine,
    sessions: SessionStore,
    starter: TurnStarter,
    images: ImageResolver,
    admission: Admission,
    metrics: Metrics,
    journal: DashboardJournal,
    configuration: Configuration
  ) {
    self.engine = engine
    self.sessions = sessions
    self.starter = starter
    self.images = images
    self.admission = admission
    self.metrics = metrics
    self.journal = journal
    self.configuration = configuration
    strictParameters = configuration[Settings.strictParameters]
    keepAliveInterval = configuration[Settings.keepAliveInterval]
    queueNoticeInterval = configuration[Settings.queueNotice]
    startWait = configuration[Settings.startWait]
  }

  func handle(_ request: Request, _ writer: ResponseWriter) async {
    guard let answer = await begin(request, writer) else { return }
    // Codex has it now; the turn may go on for hours.
    request.forgetContent()
    defer { admission.leave(answer.places) }
    let entry = journal.began(answer)
    defer { journal.ended(entry) }
    if answer.isStreamed {
      await stream(answer, request, writer)
    } else {
      await answerWhole(answer, request, writer)
    }
  }

  // MARK: From the body to the turn

  /// Goes the way to the turn in a task of its own: a task keeps the memory of its deepest calls until it ends, and here
  /// that is ten times what waiting for tokens takes. Nil if the request was refused.
  private func begin(_ request: Request, _ writer: ResponseWriter) async -> ChatAnswer? {
    await withUnsafeContinuation { continuation in
      Loop.spawn { continuation.resume(returning: await self.answer(to: request, writer)) }
    }
  }

  private func answer(to request: Request, _ writer: ResponseWriter) async -> ChatAnswer? {
    do throws(APIError) {
      return try await started(request, writer)
    } catch {
      journal.failed(error, request)
      refuse(error, writer)
      return nil
    }
  }

  private func started(_ request: Request, _ writer: ResponseWriter) async throws(APIError) -> ChatAnswer {
    var chat = try await decode(request)
    let session = try sessionKey(chat, request)
    // While draining too: only clients that had connected before are left, and their requests were on their way.
    if let unavailability = engine.unavailability, unavailability != .starting {
      throw APIError(.unavailable(unavailability), hasStarted: false)
    }
    try starter.check(chat, session: session)
    // Before the queue: a slow image server must not hold a place that others could use.
    chat = try await images.resolve(chat, from: firstMessageSent(chat, session), for: request)
    let fields = Self.fields(chat, session)
    let places = try await enter(session, chat, request, writer, fields)
    do throws(APIError) {
      if let unavailability = await unavailability(after: startWait, request) {
        throw APIError(.unavailable(unavailability), hasStarted: false)
      }
      return try await start(chat, session: session, places, fields, request)
    } catch {
      admission.leave(places)
      throw error
    }
  }

  /// An engine that starts is ready in a moment, mostly: waiting for it beats sending the client away.
  private func unavailability(after limit: Duration, _ request: Request) async -> EngineUnavailability? {
    let deadline = Loop.now + limit
    while engine.unavailability == .starting, !request.isClientGone, Loop.now < deadline {
      await Loop.sleep(Self.startPoll)
    }
    return engine.unavailability
  }

  /// Waits for the request's turn. A client that streams is told meanwhile how many are before it.
  private func enter(
    _ session: SessionKey?,
    _ chat: ChatRequest,
    _ request: Request,
    _ writer: ResponseWriter,
    _ fields: ResponseFields
  ) async throws(APIError) -> Admission.Places {
    guard chat.isStream, queueNoticeInterval > .zero else {
      return try await admission.enter(session, request, notice: nil)
    }
    let notice = QueueNotice(writer, every: queueNoticeInterval) {
      writer.begin(status: 200, fields: EventStream.fields.appending(fields))
    }
    defer { notice.stop() }
    return try await admission.enter(session, request, notice: notice)
  }

  /// A request that is refused after it was told that it waits has its head already.
  private func refuse(_ error: APIError, _ writer: ResponseWriter) {
    guard writer.hasBegun else { return writer.send(error.response) }
    writer.finish { ChatChunkRenderer.appendFailure(error, to: &$0) }
  }

  // MARK: The request

  private func decode(_ request: Request) async throws(APIError) -> ChatRequest {
    let chat = try ChatRequest(
      try await JSONBody.read(request), userIsSession: configuration[Settings.userIsSession],
      ignoresTools: configuration[Settings.clientTools] == .ignore)
    if strictParameters, let name = chat.ignored.first {
      throw .invalid(
        "The parameter '\(name)' has no effect here (\(Settings.strictParameters.name)).", param: name)
    }
    return chat
  }

  /// Header fields that name a session, in their order; the body comes first.
  private static let sessionFields = [
    "x-session-id", "session-id", "x-conversation-id", "x-thread-id", "x-user-id",
  ]

  private func sessionKey(_ chat: ChatRequest, _ request: Request) throws(APIError) -> SessionKey? {
    try sessionID(chat, request.head.fields).map { SessionKey(owner: request.principal, id: $0) }
  }

  /// What a front end asks for itself beside a conversation (a title, tags, follow-ups), named by its task.
  private static let taskField = "x-bridge-task"

  private func sessionID(_ chat: ChatRequest, _ fields: HeaderFields) throws(APIError) -> String? {
    // Such a request bears the conversation's id and is no part of it.
    if fields[Self.taskField]?.isEmpty == false { return nil }
    if let session = chat.session { return session.id }
    for name in Self.sessionFields {
      // Templates of front ends leave values empty; that names no session.
      guard let id = fields[name], !id.isEmpty else { continue }
      return try ChatRequest.checkedSessionID(id, field: name)
    }
    if configuration[Settings.requireSessionID] {
      throw .invalid(
        "A session id is required: send 'session_id' in the body or an 'x-session-id' header.",
        param: "session_id",
        code: "missing_session_id"
      )
    }
    return nil
  }

  /// A session that is known sends its last user message only; images before it need not be fetched again.
  private func firstMessageSent(_ chat: ChatRequest, _ session: SessionKey?) -> Int {
    guard let session, sessions.record(session) != nil else { return 0 }
    return chat.messages.lastIndex { $0.role == .user } ?? 0
  }

  // MARK: Starting the turn

  /// Fields of the answer that are known before the turn starts.
  private static func fields(_ chat: ChatRequest, _ session: SessionKey?) -> ResponseFields {
    var fields: ResponseFields = [:]
    if !chat.ignored.isEmpty { fields.append("x-bridge-ignored", chat.ignored.joined(separator: ", ")) }
    if let session { fields.append("x-bridge-session", session.id) }
    return fields
  }

  private func start(
    _ chat: ChatRequest,
    session: SessionKey?,
    _ places: Admission.Places,
    _ known: ResponseFields,
    _ request: Request
  ) async throws(APIError) -> ChatAnswer {
    let started = try await starter.start(chat, session: session, request)
    var fields = known
    if let restarted = started.restarted { fields.append("x-bridge-session-restarted", restarted.rawValue) }
    let identity = ChatAnswerIdentity(
      id: RandomID.make("chatcmpl-"), created: unixTime(), model: started.modelName)
    let objects = ChatObjects(identity: identity, includesUsage: chat.includesUsage)
    return ChatAnswer(
      started.turn, session: session, objects, isStreamed: chat.isStream, stops: chat.stop, places: places,
      fields: fields, askedAt: request.receivedAt, modelDoubt: started.modelDoubt)
  }

  // MARK: Answering

  // A function that waits keeps the room for all that it does, be it done by then or not. So what is done before and
  // after is done in functions of their own, which the compiler must not put back.

  private func stream(_ answer: ChatAnswer, _ request: Request, _ writer: ResponseWriter) async {
    let stream = opened(answer, request, writer)
    await stream.run()
    await end(stream, answer, request)
  }

  @inline(never)
  private func opened(_ answer: ChatAnswer, _ request: Request, _ writer: ResponseWriter) -> AnswerStream {
    let turn = answer.turn
    turn.events.onOverflow = {
      Log.warning("a client does not read its stream; dropped", ["request": request.id])
      writer.abort()
      turn.interrupt()
    }
    if !writer.hasBegun { writer.begin(status: 200, fields: EventStream.fields.appending(answer.fields)) }
    return AnswerStream(answer, writer, keepAliveInterval: keepAliveInterval)
  }

  @inline(never)
  private func end(_ stream: AnswerStream, _ answer: ChatAnswer, _ request: Request) async {
    stream.end(await settle(stream.failure, stream.usage, answer, request))
  }

  private func answerWhole(_ answer: ChatAnswer, _ request: Request, _ writer: ResponseWriter) async {
    var state = GatheredAnswer(stops: answer.stops)
    while state.outcome == nil {
      for event in await answer.turn.events.next() {
        state.apply(event)
        if state.wantsEnd { answer.turn.interrupt() }
      }
      if state.hasText { answer.sawText() }
    }
    if let failure = await settle(state.failure, state.usage, answer, request) {
      var response = failure.response
      response.fields.append(answer.fields)
      return writer.send(response)
    }
    let completion = answer.objects.completion(
      content: state.content,
      reasoning: state.reasoning,
      finishReason: state.finishReason,
      usage: ChatObjects.usage(state.usage),
      session: answer.session?.id
    )
    writer.send(.json(completion, fields: answer.fields))
  }

  /// What a failed turn is told as.
  private static func error(_ failure: EngineError, _ answer: ChatAnswer, _ request: Request) -> APIError {
    // Its own client has ended it.
    if request.isClientGone, failure == .turnFailed(.interrupted) { return APIError(.cancelled, hasStarted: true) }
    var error = APIError(failure, hasStarted: true)
    if let doubt = answer.modelDoubt, error.type == "codex_error", [400, 404].contains(error.status) {
      error.message += " \(doubt)"
    }
    return error
  }

  /// Makes sure that the session is on disk before the client sees the end of the turn. Returns what failed.
  private func settle(
    _ failure: EngineError?,
    _ usage: TokenUsage,
    _ answer: ChatAnswer,
    _ request: Request
  ) async -> APIError? {
    request.onClientGone = nil
    let error = failure.map { Self.error($0, answer, request) }
    if let error { journal.failed(error, request) }
    metrics.turnEnded(
      outcome: error.map { $0.code ?? "failed" } ?? "completed", duration: Loop.now - request.receivedAt,
      firstToken: answer.firstText)
    metrics.used(
      input: usage.input, cachedInput: usage.cachedInput, output: usage.output, reasoning: usage.reasoningOutput)
    if let session = answer.session {
      sessions.touch(session)
      if await !sessions.isSaved(session), error == nil {
        return .stateNotSaved(sessions.writeFailure ?? "unknown reason", hasStarted: true)
      }
    }
    if let error, !request.isClientGone {
      Log.warning(
        "a turn failed",
        ["request": request.id, "code": error.code ?? "", "thread": answer.turn.threadID?.raw ?? ""])
    }
    return error
  }
}
