// From a chat request and its session to a turn that runs: which thread, with which history.
// Knows when a session's thread can go on and what to do when it cannot.

/// Starts turns for chat requests.
@LoopActor
final class TurnStarter {
  /// Why a session goes on with a new thread; the value of `x-bridge-session-restarted`.
  enum Restart: String, Sendable {
    /// Codex does not know the thread any more.
    case threadLost = "thread-lost"
    /// The request names another model than the thread was made for.
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

  /// Threads of a session that are read again when its model changes once more.
  private static let maxPreviousThreads = 8

  private let engine: any TurnEngine
  private let sessions: SessionStore
  private let models: ModelDirectory
  private let images: ImageResolver
  private let interruptsOnDisconnect: Bool

  init(
    engine: any TurnEngine,
    sessions: SessionStore,
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
  /// The caller holds the session's permit.
  func start(_ chat: ChatRequest, session: SessionKey?, _ request: Request) async throws(APIError) -> Started {
    let record = session.flatMap { sessions.record($0) }
    let selection = try await selection(chat, record)
    guard let session else {
      let plan = try await beside(chat, request) { chat throws(APIError) in
        try TurnPlanner.oneOff(chat, selection)
      }
      let turn = try await start(plan, chat, request)
      return Started(turn, selection, restarted: nil)
    }
    let (turn, restarted) = try await startInSession(chat, session, record, selection, request)
    return Started(turn, selection, restarted: restarted)
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

  /// Continues the session's thread where that is possible, else starts a new one. Returns why it was not.
  private func startInSession(
    _ chat: ChatRequest,
    _ session: SessionKey,
    _ record: SessionRecord?,
    _ selection: ModelSelection,
    _ request: Request
  ) async throws(APIError) -> (Turn, Restart?) {
    guard let record else { return (try await startFirst(chat, session, selection, request), nil) }
    // Maps of the original project say nothing of models; its threads are taken as they are.
    guard record.model == nil || record.model == selection.resolved else {
      Log.info(
        "a session changes its model and continues on a new thread",
        ["request": request.id, "session": session.id, "model": selection.shownName])
      let previous = Array((record.previous + [record.thread]).suffix(Self.maxPreviousThreads))
      return (try await startFirst(chat, session, selection, previous: previous, request), .modelChanged)
    }
    var next = selection
    // A thread keeps the effort of its last turn; a request that names none means the default again.
    next.effort = await models.effort(selection)
    let plan = try await beside(chat, request) { [next] chat throws(APIError) in
      try TurnPlanner.nextOfSession(chat, next, record: record)
    }
    let instructions = try await fingerprint(of: chat, request)
    let place = try await images.unpackingPlace(for: chat, request)
    do throws(EngineError) {
      let turn = try await startAtEngine(plan, request, place)
      noteChanges(instructions, session, record, selection)
      return (turn, nil)
    } catch .threadNotFound(let thread) {
      Log.warning(
        "Codex no longer knows a session's thread; a new one is started",
        ["request": request.id, "session": session.id, "thread": thread])
      return (try await startFirst(chat, session, selection, request), .threadLost)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// What a further turn tells of a session: its model, where nobody knew it, and a changed system prompt.
  private func noteChanges(
    _ instructions: String?,
    _ session: SessionKey,
    _ record: SessionRecord,
    _ selection: ModelSelection
  ) {
    // The session may have been forgotten, or have moved on, while the turn was being started.
    guard var changed = sessions.record(session), changed.thread == record.thread else { return }
    changed.model = selection.resolved
    if let instructions { changed.instructions = instructions }
    if changed != sessions.record(session) { sessions.bind(session, changed) }
  }

  /// The messages of a session's earlier threads. Codex would summarise a thread whose model changes; a new thread
  /// with the same history keeps every word. A client that sends its history itself is believed.
  private func history(_ previous: [ThreadID], unlessIn chat: ChatRequest) async -> [TurnRequest.HistoryItem] {
    if chat.messages.contains(where: { $0.role == .assistant }) { return [] }
    var history: [TurnRequest.HistoryItem] = []
    for thread in previous {
      do throws(EngineError) {
        history += try await engine.history(of: thread)
      } catch {
        Log.warning("an earlier thread of a session cannot be read", ["thread": thread, "error": error])
      }
    }
    return history
  }

  private func startFirst(
    _ chat: ChatRequest,
    _ session: SessionKey,
    _ selection: ModelSelection,
    previous: [ThreadID] = [],
    _ request: Request
  ) async throws(APIError) -> Turn {
    // A turn whose session could not be found again after a restart is not worth starting.
    if let failure = sessions.writeFailure { throw .stateNotSaved(failure, hasStarted: false) }
    let chat = try await images.resolveRest(of: chat, for: request)
    var plan = try await beside(chat, request) { chat throws(APIError) in
      try TurnPlanner.firstOfSession(chat, selection)
    }
    let instructions = try await fingerprint(of: chat, request)
    plan.history = await history(previous, unlessIn: chat) + plan.history
    let turn = try await start(plan, chat, request)
    if let thread = turn.threadID {
      let now = unixTime()
      sessions.bind(
        session,
        SessionRecord(
          thread: thread,
          previous: previous,
          model: selection.resolved,
          instructions: instructions,
          createdAt: sessions.record(session)?.createdAt ?? now,
          usedAt: now,
          turns: sessions.record(session)?.turns ?? 0
        ))
    }
    return turn
  }

  /// What a request's system prompt is known by; nil if it has none.
  private func fingerprint(of chat: ChatRequest, _ request: Request) async throws(APIError) -> String? {
    try await beside(chat, request) { chat throws(APIError) in
      TurnPlanner.instructions(chat).map(ThreadMap.fingerprint)
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
      throw error
    }
    return turn
  }
}
