// POST /v1/chat/completions from the body to the last byte.
// Reads top to bottom: decode, wait for a turn, start it, answer. What a turn is made of is TurnPlanner's business.

/// Answers chat completion requests.
@LoopActor
final class ChatCompletionsHandler {
  private static let startPoll = Duration.milliseconds(10)
  /// Of why a turn has failed, in its log line. A provider may send a page of it.
  private static let maxReasonCharacters = 400

  private let engine: any TurnEngine
  private let sessions: SessionStore
  private let naming: SessionNaming
  private let starter: TurnStarter
  private let images: ImageResolver
  private let admission: Admission
  private let metrics: Metrics
  private let journal: DashboardJournal
  private let userIsSession: Bool
  private let ignoresTools: Bool
  private let strictParameters: Bool
  private let keepAlive: StreamKeepAlive
  private let openings: StreamOpenings
  private let queueNoticeInterval: Duration
  private let startWait: Duration
  private let shown: AnswerParagraphs.Shown

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
    naming = SessionNaming(configuration: configuration)
    self.starter = starter
    self.images = images
    self.admission = admission
    self.metrics = metrics
    self.journal = journal
    userIsSession = configuration[Settings.userIsSession]
    ignoresTools = configuration[Settings.clientTools] == .ignore
    strictParameters = configuration[Settings.strictParameters]
    keepAlive = StreamKeepAlive(interval: configuration[Settings.keepAliveInterval])
    openings = StreamOpenings(maxSilence: configuration[Settings.keepAliveInterval])
    queueNoticeInterval = configuration[Settings.queueNotice]
    startWait = configuration[Settings.startWait]
    shown = AnswerParagraphs.Shown(tools: configuration[Settings.showActivity])
  }

  /// Returns once the request was refused, or the turn runs: from then on its events drive the answer.
  func handle(_ request: Request, _ writer: ResponseWriter) async {
    guard let answer = await answer(to: request, writer) else { return }
    // Codex has it now; the turn may go on for hours.
    request.forgetContent()
    let entry = journal.began(answer)
    if answer.isStreamed {
      stream(answer, entry, request, writer)
    } else {
      gather(answer, entry, request, writer)
    }
  }

  // MARK: From the body to the turn

  /// Nil if the request was refused.
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
    let names = try naming.names(of: chat, request)
    let session = names.session
    let knowsSession = session.map { sessions.record($0) != nil } ?? false
    // While draining too: only clients that had connected before are left, and their requests were on their way.
    if let unavailability = engine.unavailability, unavailability != .starting {
      throw APIError(.unavailable(unavailability), hasStarted: false)
    }
    try starter.check(chat, session: session)
    // Before the queue: a slow image server must not hold a place that others could use.
    chat = try await images.resolve(chat, from: firstMessageSent(chat, session), for: request)
    let fields = Self.fields(names, ignored: chat.ignored)
    let places = try await enter(session, chat, request, writer, fields)
    do throws(APIError) {
      if let unavailability = await unavailability(after: startWait, request) {
        throw APIError(.unavailable(unavailability), hasStarted: false)
      }
      return try await start(chat, names, knowsSession: knowsSession, places, request)
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
    let chat = try await JSONBody.read(request) { [userIsSession, ignoresTools] body throws(APIError) in
      try ChatRequest(body, userIsSession: userIsSession, ignoresTools: ignoresTools)
    }
    if strictParameters, let name = chat.ignored.first {
      throw .invalid(
        "The parameter '\(name)' has no effect here (\(Settings.strictParameters.name)).", param: name)
    }
    return chat
  }

  /// A session that is known sends what is new only; images before it need not be fetched again.
  private func firstMessageSent(_ chat: ChatRequest, _ session: SessionKey?) -> Int {
    guard let session, sessions.record(session) != nil else { return 0 }
    return TurnPlanner.firstNewMessage(chat)
  }

  // MARK: Starting the turn

  /// Fields of the answer that are known before the turn starts.
  private static func fields(_ names: SessionNaming.Names, ignored: [String]) -> ResponseFields {
    var fields: ResponseFields = [:]
    let ignored = ignored + names.unfilled.filter { !ignored.contains($0) }
    if !ignored.isEmpty { fields.append("x-bridge-ignored", ignored.joined(separator: ", ")) }
    if let session = names.session { fields.append("x-bridge-session", session.id) }
    return fields
  }

  private func start(
    _ chat: ChatRequest,
    _ names: SessionNaming.Names,
    knowsSession: Bool,
    _ places: Admission.Places,
    _ request: Request
  ) async throws(APIError) -> ChatAnswer {
    let started = try await starter.start(chat, session: names.session, knowsSession: knowsSession, request)
    var fields = Self.fields(names, ignored: chat.ignored + [started.ignoredField].compactMap(\.self))
    if let restarted = started.restarted { fields.append("x-bridge-session-restarted", restarted.rawValue) }
    let identity = ChatAnswerIdentity(
      id: RandomID.make("chatcmpl-"), created: unixTime(), model: started.modelName)
    let objects = ChatObjects(identity: identity, includesUsage: chat.includesUsage)
    return ChatAnswer(
      started.turn, objects, isStreamed: chat.isStream, stops: chat.stop, places: places,
      fields: fields, askedAt: request.receivedAt, modelDoubt: started.modelDoubt)
  }

  // MARK: Answering

  private func stream(_ answer: ChatAnswer, _ entry: Int, _ request: Request, _ writer: ResponseWriter) {
    let begin = { @LoopActor in
      if !writer.hasBegun { writer.begin(status: 200, fields: EventStream.fields.appending(answer.fields)) }
    }
    let stream = AnswerStream(
      of: answer.turn, renderer: ChatRenderer(answer.objects, stops: answer.stops, shown: shown), writer: writer,
      keepAlive: keepAlive, onText: answer.sawText
    ) { stream in
      self.settle(stream.failure, stream.usage, answer, entry, request) { failure in
        if let failure, !writer.hasBegun { return writer.send(Self.response(failure, answer)) }
        begin()
        stream.end(failure)
      }
    }
    // Whoever was told that it waits has its head already.
    if writer.hasBegun { return stream.start() }
    writer.isDeferred = true
    StreamOpening(stream, of: answer.turn, openings, begin: begin).start()
  }

  private func gather(_ answer: ChatAnswer, _ entry: Int, _ request: Request, _ writer: ResponseWriter) {
    writer.isDeferred = true
    AnswerGatherer(
      of: answer.turn, renderer: ChatWholeAnswer(answer.objects, stops: answer.stops, shown: shown),
      onText: answer.sawText
    ) { gathered in
      self.settle(gathered.failure, gathered.usage, answer, entry, request) { failure in
        writer.send(Self.response(gathered, failure, answer))
      }
    }.start()
  }

  private static func response(_ failure: APIError, _ answer: ChatAnswer) -> Response {
    var response = failure.response
    response.fields.append(answer.fields)
    return response
  }

  private static func response(_ gathered: AnswerGatherer, _ failure: APIError?, _ answer: ChatAnswer) -> Response
  {
    if let failure { return response(failure, answer) }
    return .json(gathered.object(session: answer.session?.id), fields: answer.fields)
  }

  // MARK: The end

  /// Notes how a turn went, makes sure that its session is on disk, and only then has the client told the end: what
  /// failed, or nil. Gives back what the answer has held.
  private func settle(
    _ failure: EngineError?,
    _ usage: TokenUsage,
    _ answer: ChatAnswer,
    _ entry: Int,
    _ request: Request,
    tell: @escaping @LoopActor (APIError?) -> Void
  ) {
    let failure = note(failure, usage, answer, request)
    let end = { @LoopActor (unsaved: APIError?) in
      tell(failure ?? unsaved)
      self.journal.ended(entry)
      self.admission.leave(answer.places)
    }
    guard let session = answer.session else { return end(nil) }
    Loop.spawn { end(await self.save(session)) }
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

  /// Returns what failed.
  private func note(
    _ failure: EngineError?,
    _ usage: TokenUsage,
    _ answer: ChatAnswer,
    _ request: Request
  ) -> APIError? {
    request.onClientGone = nil
    answer.turn.contentWasRead()
    let error = failure.map { Self.error($0, answer, request) }
    if let error { journal.failed(error, request) }
    metrics.turnEnded(
      outcome: error.map { $0.code ?? "failed" } ?? "completed", duration: Loop.now - request.receivedAt,
      firstToken: answer.firstText)
    metrics.used(
      input: usage.input, cachedInput: usage.cachedInput, output: usage.output, reasoning: usage.reasoningOutput)
    if let error, !request.isClientGone {
      Log.warning(
        "a turn failed",
        [
          "request": request.id, "code": error.code ?? "",
          "reason": error.message.shortened(to: Self.maxReasonCharacters), "session": answer.session?.id ?? "",
          "model": answer.objects.identity.model, "thread": answer.turn.threadID?.raw ?? "",
        ])
    }
    return error
  }

  /// Returns why the session could not be written.
  private func save(_ session: SessionKey) async -> APIError? {
    sessions.touch(session)
    if await sessions.isSaved(session) { return nil }
    return .stateNotSaved(sessions.writeFailure ?? "unknown reason", hasStarted: true)
  }
}
