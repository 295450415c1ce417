// From a chat request and its session to a turn that runs: which thread, with which history.
// Knows when a session's thread can go on and what to do when it cannot.

/// Starts turns for chat requests.
@LoopActor
final class TurnStarter {
  /// Why a session goes on with a new thread; the value of `x-bridge-session-restarted`.
  enum Restart: String, Sendable {
    /// Codex does not know the thread any more.
    case threadLost = "thread-lost"
    /// The session has no thread of the request's model, or one that has missed what was said since.
    case modelChanged = "model-changed"
  }

  /// A turn that the engine has accepted.
  struct Started {
    let turn: Turn
    /// What the answer calls the model.
    let modelName: String
    /// Why the model may not exist, to be told if the turn is refused.
    let modelDoubt: String?
    /// The field whose effort the model does not have, when its lowest was taken instead.
    let ignoredField: String?
    let restarted: Restart?

    fileprivate init(_ turn: Turn, _ selection: ModelSelection, restarted: Restart?) {
      self.turn = turn
      modelName = selection.shownName
      modelDoubt = selection.doubt
      ignoredField = selection.ignoredField
      self.restarted = restarted
    }
  }

  private let engine: any TurnEngine
  private let sessions: Sessions
  private let models: ModelDirectory
  private let images: ImageResolver
  private let interruptsOnDisconnect: Bool

  init(
    engine: any TurnEngine,
    sessions: Sessions,
    models: ModelDirectory,
    images: ImageResolver,
    configuration: Configuration
  ) {
    self.images = images
    self.engine = engine
    self.sessions = sessions
    self.models = models
    interruptsOnDisconnect = configuration[Settings.onDisconnect] == .interrupt
  }

  /// Throws what Codex's list, where it is at hand, says of a request's model, so that it need not wait to be refused. A
  /// session's own model may be another when its turn comes.
  func check(_ chat: ChatRequest, session: SessionKey?) throws(APIError) {
    if chat.model != nil || session == nil { try models.check(chat.model, effort: chat.effort) }
  }

  /// Starts the turn of a request; with a session, on its thread, and the session is bound to that thread.
  /// The caller holds the session's permit. `knowsSession`: the session was there when the request came. What was said in
  /// one that another request has begun meanwhile, such as for another model, is not known to whoever asked.
  func start(
    _ chat: ChatRequest, session: SessionKey?, knowsSession: Bool, _ request: Request
  ) async throws(APIError) -> Started {
    let record = if let session { try await record(session) } else { nil as SessionRecord? }
    let selection = try await selection(chat, record)
    guard let session else {
      let plan = try await beside(chat, request) { chat throws(APIError) in
        try TurnPlanner.oneOff(chat, selection)
      }
      let turn = try await start(plan, chat, request)
      return Started(turn, selection, restarted: nil)
    }
    let (turn, restarted) = try await startInSession(
      chat, session, record, selection, request, knowsSession: knowsSession)
    return Started(turn, selection, restarted: restarted)
  }

  private func record(_ session: SessionKey) async throws(APIError) -> SessionRecord? {
    do throws(RepositoryError) {
      return try await sessions.record(session)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// A request that names no model goes on with its session's, with the effort that is configured for it.
  private func selection(_ chat: ChatRequest, _ record: SessionRecord?) async throws(APIError) -> ModelSelection {
    let selection = try await models.select(chat.model, effort: chat.effort)
    guard chat.model == nil, let model = record?.model, model != selection.resolved else { return selection }
    do throws(APIError) {
      return try await models.select(model, effort: chat.effort)
    } catch {
      // Codex has dropped the model since; the default takes over.
      return selection
    }
  }

  /// Continues the session's thread of the model where that is possible, else starts a new one. Returns why it was not.
  private func startInSession(
    _ chat: ChatRequest,
    _ session: SessionKey,
    _ record: SessionRecord?,
    _ selection: ModelSelection,
    _ request: Request,
    knowsSession: Bool
  ) async throws(APIError) -> (Turn, Restart?) {
    guard let record else { return (try await startFirst(chat, session, selection, after: nil, request), nil) }
    guard let thread = record.thread(of: selection.resolved), record.isUpToDate(thread, for: chat) else {
      guard knowsSession else {
        return (try await startFirst(chat, session, selection, after: nil, request), nil)
      }
      Log.info(
        "a session changes its model and continues on a new thread",
        ["request": request.id, "session": session.id, "model": selection.shownName])
      return (try await startFirst(chat, session, selection, after: record.current, request), .modelChanged)
    }
    var next = selection
    // A thread keeps the effort of its last turn; a request that names none means the default again.
    next.effort = await models.effort(selection)
    let plan = try await beside(chat, request) { [next] chat throws(APIError) in
      try TurnPlanner.nextOfSession(chat, next, on: thread, prompt: record.prompt)
    }
    let told = try await instructions(of: chat, request)
    let place = try await images.unpackingPlace(for: chat, request)
    do throws(EngineError) {
      let turn = try await startAtEngine(plan, request, place)
      await noteTurn(chat, told, session, thread, record, selection)
      return (turn, nil)
    } catch .threadNotFound(let id) {
      Log.warning(
        "a session's thread cannot be used any more; a new one is started",
        ["request": request.id, "session": session.id, "thread": id])
      return (try await startFirst(chat, session, selection, after: thread, request), .threadLost)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// What a further turn tells of a session: which of its threads is used, its model, where nobody knew it, and a changed
  /// system prompt.
  private func noteTurn(
    _ chat: ChatRequest,
    _ instructions: Instructions?,
    _ session: SessionKey,
    _ thread: ThreadRecord,
    _ record: SessionRecord,
    _ selection: ModelSelection
  ) async {
    var thread = thread
    thread.model = selection.resolved
    if let instructions { thread.instructions = instructions.checksum }
    await sessions.update(session) { [thread] known in
      // The session may have been forgotten, or begun anew, while the turn was being started.
      guard var changed = known, changed.thread == record.thread else { return nil }
      if let instructions, changed.prompt != instructions.prompt { changed.prompt = instructions.prompt }
      if thread != changed.current { changed.use(thread) }
      return changed == known ? nil : changed
    }
    await sessions.setAnswers(TurnPlanner.answers(chat), on: thread.id, of: session)
  }

  /// The messages of threads whose conversation goes on in a new one. Codex would summarise a thread whose model changes; a
  /// new thread with the same history keeps every word. A client that sends its history itself is believed.
  /// Returns the threads that could be read, too.
  private func history(
    after thread: ThreadRecord?, unlessIn chat: ChatRequest
  ) async -> (items: [TurnRequest.HistoryItem], threads: [ThreadID]) {
    guard let thread, TurnPlanner.answers(chat) == 0 else { return ([], []) }
    var history: (items: [TurnRequest.HistoryItem], threads: [ThreadID]) = ([], [])
    for id in (thread.previous + [thread.id]).suffix(SessionRecord.maxThreads) {
      do throws(EngineError) {
        history.items += try await engine.history(of: id)
        history.threads.append(id)
      } catch {
        Log.warning("an earlier thread of a session cannot be read", ["thread": id, "error": error])
      }
    }
    return history
  }

  /// Starts a thread for a session, in which the conversation of the thread `before` goes on.
  private func startFirst(
    _ chat: ChatRequest,
    _ session: SessionKey,
    _ selection: ModelSelection,
    after before: ThreadRecord?,
    _ request: Request
  ) async throws(APIError) -> Turn {
    // A turn whose session could not be found again after a restart is not worth starting.
    if let failure = sessions.failure { throw APIError(failure, hasStarted: false) }
    let chat = try await images.resolveRest(of: chat, for: request)
    var plan = try await beside(chat, request) { chat throws(APIError) in
      try TurnPlanner.firstOfSession(chat, selection)
    }
    let own = try await instructions(of: chat, request)
    let earlierPrompt = own == nil ? try await record(session)?.prompt : nil
    if let earlierPrompt { plan.instructions = earlierPrompt.text }
    let told = own ?? earlierPrompt.map { Instructions($0.text) }
    let earlier = await history(after: before, unlessIn: chat)
    plan.history = earlier.items + plan.history
    let turn = try await start(plan, chat, request)
    guard let id = turn.threadID else { return turn }
    let thread = ThreadRecord(
      id: id, previous: earlier.threads, model: selection.resolved,
      instructions: told?.checksum, answers: TurnPlanner.answers(chat))
    await bind(session, thread, prompt: told?.prompt)
    return turn
  }

  /// Makes a new thread the one that a session uses. It takes the place of the one its model had, which is lost or has
  /// missed something.
  private func bind(_ session: SessionKey, _ thread: ThreadRecord, prompt: SessionPrompt?) async {
    let now = unixTime()
    await sessions.update(session) { known in
      guard var record = known else {
        return SessionRecord(current: thread, prompt: prompt, createdAt: now, usedAt: now, turns: 0)
      }
      record.use(thread)
      record.prompt = prompt
      record.usedAt = now
      return record
    }
  }

  /// What is remembered of a system prompt.
  private struct Instructions: Sendable {
    /// What it is known by.
    let checksum: String
    /// Nil if it is too long to be kept.
    let prompt: SessionPrompt?

    init(_ text: String) {
      checksum = SessionPrompt.checksum(of: text)
      prompt = SessionPrompt(text)
    }
  }

  /// What is to be remembered of a request's system prompt; nil if it has none.
  private func instructions(of chat: ChatRequest, _ request: Request) async throws(APIError) -> Instructions? {
    try await beside(chat, request) { chat throws(APIError) in
      TurnPlanner.instructions(chat).map(Instructions.init)
    }
  }

  /// Does with a request what would hold up the loop if it is large.
  private func beside<T: Sendable>(
    _ chat: ChatRequest, _ request: Request,
    _ work: @escaping @Sendable (ChatRequest) throws(APIError) -> T
  ) async throws(APIError) -> T {
    guard chat.isLarge else { return try work(chat) }
    return try await HeavyWork.run(for: request.principal) { () -> Result<T, APIError> in
      do throws(APIError) {
        return .success(try work(chat))
      } catch {
        return .failure(error)
      }
    }.get()
  }

  private func start(_ plan: TurnRequest, _ chat: ChatRequest, _ request: Request) async throws(APIError) -> Turn {
    let place = try await images.unpackingPlace(for: chat, request)
    do throws(EngineError) {
      return try await startAtEngine(plan, request, place)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// `place` is given back when the engine has unpacked the images, or has refused the turn.
  private func startAtEngine(
    _ plan: TurnRequest, _ request: Request, _ place: PermitQueue.Ticket?
  ) async throws(EngineError) -> Turn {
    let turn = Turn(plan, requestID: request.id, owner: request.principal)
    turn.onContentRead = { place?.release() }
    if interruptsOnDisconnect { request.onClientGone = { turn.interrupt() } }
    do throws(EngineError) {
      try await engine.start(turn)
    } catch {
      turn.contentWasRead()
      // The client is not told where on this machine Codex has met trouble.
      if case .rejected(let reason) = error {
        Log.warning("Codex refused a turn", ["request": request.id, "reason": reason])
      }
      throw error
    }
    return turn
  }
}

extension SessionRecord {
  /// Whether a thread has seen all of a conversation. That of another model has not if more answers were given since,
  /// which shows where a client sends its history.
  fileprivate func isUpToDate(_ thread: ThreadRecord, for chat: ChatRequest) -> Bool {
    let answers = TurnPlanner.answers(chat)
    guard thread.id != current.id, answers > 0, let before = thread.answers else { return true }
    return answers == before + 1
  }
}
