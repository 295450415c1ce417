// From what is asked to a turn that runs: which model, what the turn does to a thread, what is remembered of it.

/// Starts turns.
@LoopActor
final class TurnStarter {
  let engine: any TurnEngine
  let sessions: Sessions
  let models: ModelDirectory
  /// Where the turns of sessions stand in their threads.
  let places: ThreadPlaces
  private let images: ImageResolver
  private let profiles: Profiles
  private let interruptsOnDisconnect: Bool

  init(
    engine: any TurnEngine,
    sessions: Sessions,
    models: ModelDirectory,
    images: ImageResolver,
    places: ThreadPlaces,
    configuration: Configuration
  ) {
    self.images = images
    self.places = places
    self.engine = engine
    self.sessions = sessions
    self.models = models
    profiles = Profiles(configuration)
    interruptsOnDisconnect = configuration[Settings.onDisconnect] == .interrupt
  }

  /// Throws what Codex's list, where it is at hand, says of a request's model, so that it need not wait to be refused. A
  /// session's own model may be another when its turn comes.
  func check(_ ask: Ask, session: SessionKey?) throws(APIError) {
    if ask.model != nil || session == nil { try models.check(ask.model, effort: ask.effort) }
  }

  /// Starts the turn of a request; with a session, on its thread, and the session is bound to that thread.
  /// The caller holds the session's permit. `open` is the turn that the ask brings outputs for, if that does not run any more.
  func start(
    _ ask: IllustratedAsk, in place: ConversationPlace, resuming open: OpenTurn? = nil, _ caller: any Caller
  ) async throws(APIError) -> Started {
    let session = place.session
    let record = if let session { try await record(session) } else { SessionRecord?.none }
    let selection = try await selection(ask.ask, record)
    guard let session else {
      let turn = try await startAlone(ask, selection, resuming: open, caller)
      return Started(
        turn, selection, ask.ask, tools: ask.ask.toolSet, resuming: open, state: open == nil ? .new : .continued)
    }
    let history = if let known = place.history { known } else { try await history(of: ask.ask, caller) }
    let asked = SessionAsk(ask, session, record, selection, history, caller, open)
    if let kept = place.kept { return try await startKept(asked, at: kept) }
    if let other = place.branch, record == nil, let branch = await branch(of: other, for: asked) {
      return try await startNext(asked, at: branch, prompt: nil)
    }
    return try await startInSession(asked, knowsSession: place.isKnown)
  }

  /// The places of what a request brings.
  func history(of ask: Ask, _ caller: any Caller) async throws(APIError) -> History {
    try await beside(ask, caller) { [owner = caller.principal] ask throws(APIError) in
      History(ask.conversation, of: owner, user: ask.user, cacheKey: ask.cacheKey, isLarge: ask.isLarge)
    }
  }

  /// Notes that a turn goes on with what is asked in a place. `onlyLast`: it was told the last message alone.
  func note(_ turn: Turn, in place: ConversationPlace, onlyLast: Bool) async -> NotedTurn? {
    guard let session = place.session, let history = place.history, let id = turn.threadID else { return nil }
    let found = await places.head(of: ThreadRecord(id: id), history)
    return await places.began(
      history, after: found.points, known: found.known, by: turn, in: session, onlyLast: onlyLast)
  }

  /// What is known of a session; nil for nothing.
  func record(_ session: SessionKey) async throws(APIError) -> SessionRecord? {
    do throws(RepositoryError) {
      return try await sessions.record(session)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// A request that names no model goes on with its session's, with the effort that is configured for it.
  private func selection(_ ask: Ask, _ record: SessionRecord?) async throws(APIError) -> ModelSelection {
    if ask.isTask { return try await models.selectForTask(ask.model) }
    let selection = try await models.select(ask.model, effort: ask.effort)
    guard ask.model == nil, let model = record?.model, model != selection.resolved else { return selection }
    do throws(APIError) {
      return try await models.select(model, effort: ask.effort)
    } catch {
      // Codex has dropped the model since; the default takes over.
      return selection
    }
  }

  private func startAlone(
    _ ask: IllustratedAsk, _ selection: ModelSelection, resuming open: OpenTurn?, _ caller: any Caller
  ) async throws(APIError) -> Turn {
    let ask = ask.uncheckedItems > 0 ? try await resolveRest(of: ask, caller) : ask
    let plan = try await beside(ask, caller) { ask throws(APIError) in
      guard let open else { return try TurnPlanner.oneOff(ask, selection) }
      return try TurnPlanner.resumed(ask, selection, from: open, on: .ephemeral, prompt: nil)
    }
    return try await start(plan, ask, caller)
  }

  /// Does with a request what would hold up the loop if it is large.
  func beside<T: Sendable>(
    _ asked: IllustratedAsk, _ caller: any Caller,
    _ work: @escaping @Sendable (Ask) throws(APIError) -> T
  ) async throws(APIError) -> T { try await beside(asked.ask, caller, work) }

  private func beside<T: Sendable>(
    _ ask: Ask, _ caller: any Caller, _ work: @escaping @Sendable (Ask) throws(APIError) -> T
  ) async throws(APIError) -> T {
    guard ask.isLarge else { return try work(ask) }
    return try await HeavyWork.run(for: caller.principal) { () -> Result<T, APIError> in
      do throws(APIError) {
        return .success(try work(ask))
      } catch {
        return .failure(error)
      }
    }.get()
  }

  func resolveRest(
    of ask: IllustratedAsk, _ caller: any Caller
  ) async throws(APIError) -> IllustratedAsk {
    do throws(ImageError) {
      return try await images.resolveRest(of: ask, for: caller)
    } catch {
      throw APIError(error)
    }
  }

  func unpackingPlace(
    for ask: IllustratedAsk, _ caller: any Caller
  ) async throws(APIError) -> PermitQueue.Ticket? {
    do throws(ImageError) {
      return try await images.unpackingPlace(weight: ask.largestImage, for: caller)
    } catch {
      throw APIError(error)
    }
  }

  func start(
    _ plan: TurnRequest, _ ask: IllustratedAsk, _ caller: any Caller
  ) async throws(APIError) -> Turn {
    let place = ask.largestImage > 0 ? try await unpackingPlace(for: ask, caller) : nil
    do throws(EngineError) {
      return try await startAtEngine(plan, caller, place)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// The rights of whoever asks.
  func profile(of caller: any Caller) throws(APIError) -> TurnProfile {
    do throws(EngineError) {
      return try profiles.profile(of: caller.principal, caller.profile)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// Ends a turn when its caller leaves, unless it is to go on without.
  func interruptOnLeave(_ turn: Turn, _ caller: any Caller) {
    if interruptsOnDisconnect { caller.onClientGone { turn.interrupt() } }
  }

  /// `place` is given back when the engine has unpacked the images, or has refused the turn.
  func startAtEngine(
    _ plan: TurnRequest, _ caller: any Caller, _ place: PermitQueue.Ticket?
  ) async throws(EngineError) -> Turn {
    let turn = Turn(
      plan, profile: try profiles.profile(of: caller.principal, caller.profile), requestID: caller.id,
      owner: caller.principal)
    turn.onContentRead = { place?.release() }
    interruptOnLeave(turn, caller)
    do throws(EngineError) {
      try await engine.start(turn)
    } catch {
      turn.contentWasRead()
      // The client is not told where on this machine Codex has met trouble.
      if case .rejected(let reason) = error {
        Log.warning("Codex refused a turn", ["request": caller.id, "reason": reason])
      }
      throw error
    }
    return turn
  }
}
