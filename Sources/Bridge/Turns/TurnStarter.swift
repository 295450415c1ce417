// From what is asked to a turn that runs: which model, what the turn does to a thread, what is remembered of it.

/// Starts turns.
@LoopActor
final class TurnStarter {
  private let engine: any TurnEngine
  private let sessions: Sessions
  private let models: ModelDirectory
  private let images: ImageResolver
  private let profiles: Profiles
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
    profiles = Profiles(configuration)
    interruptsOnDisconnect = configuration[Settings.onDisconnect] == .interrupt
  }

  /// Throws what Codex's list, where it is at hand, says of a request's model, so that it need not wait to be refused. A
  /// session's own model may be another when its turn comes.
  func check(_ ask: Ask, session: SessionKey?) throws(APIError) {
    if ask.model != nil || session == nil { try models.check(ask.model, effort: ask.effort) }
  }

  /// Starts the turn of a request; with a session, on its thread, and the session is bound to that thread.
  /// The caller holds the session's permit. `knowsSession`: the session was there when the request came. `open` is the turn that
  /// the ask brings outputs for, if that does not run any more.
  func start(
    _ ask: IllustratedAsk, session: SessionKey?, knowsSession: Bool, resuming open: OpenTurn? = nil,
    _ caller: any Caller
  ) async throws(APIError) -> Started {
    let record = if let session { try await record(session) } else { SessionRecord?.none }
    let selection = try await selection(ask.ask, record)
    guard let session else {
      let turn = try await startAlone(ask, selection, resuming: open, caller)
      return Started(
        turn, selection, ask.ask, tools: ask.ask.toolSet, resuming: open, state: open == nil ? .new : .continued)
    }
    let ask = SessionAsk(ask, session, record, selection, caller, open)
    switch ask.continuation(knowsSession: knowsSession) {
    case .first: return try await startFirst(ask, after: nil, because: nil)
    case .next(let thread, let prompt):
      return try await startNext(ask, on: thread, prompt: prompt)
    case .modelChanged(let before):
      Log.info(
        "a session changes its model and continues on a new thread",
        ["request": caller.id, "session": session.id, "model": selection.shownName])
      return try await startFirst(ask, after: before, because: .modelChanged)
    case .toolsChanged(let before):
      Log.info(
        "a session brings other functions and continues on a new thread",
        ["request": caller.id, "session": session.id])
      return try await startFirst(ask, after: before, because: .toolsChanged)
    }
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

  /// Continues a thread of the session; if Codex does not have it any more, a new one.
  private func startNext(
    _ ask: SessionAsk, on thread: ThreadRecord, prompt: SessionPrompt?
  ) async throws(APIError) -> Started {
    let told = try await instructions(of: ask)
    let late: LateOutputs
    switch await ThreadHistory(engine: engine).way(
      of: ask, on: thread, mayLeave: sessions.failure == nil,
      changesPrompt: told.map { $0.checksum != thread.instructions } ?? false)
    {
    case .thread(let outputs): late = outputs
    case .copy(let items):
      if let started = try await startCopy(of: thread, items, ask) { return started }
      late = LateOutputs(calls: items.answeredCalls, arePlaced: !items.areChanged)
    }
    var selection = ask.selection
    // A thread keeps the effort of its last turn; a request that names none means the default again.
    selection.effort = await models.effort(selection)
    let open = ask.openTurn(on: thread)
    let plan = try await beside(ask.illustrated, ask.caller) {
      [selection, profile = ask.caller.profile] asked throws(APIError) in
      guard let open else {
        return try TurnPlanner.nextOfSession(
          asked, selection, on: thread, prompt: prompt, late: late, profile: profile)
      }
      return try TurnPlanner.resumed(
        asked, selection, from: open, on: .reverted(open.thread, before: open.turnID), prompt: prompt,
        after: thread, profile: profile)
    }
    let place = ask.illustrated.largestImage > 0 ? try await unpackingPlace(for: ask.illustrated, ask.caller) : nil
    do throws(EngineError) {
      let turn = try await startAtEngine(plan, ask.caller, place)
      await noteTurn(ask, told, thread)
      return Started(
        turn, ask.selection, ask.illustrated.ask, tools: thread.tools, resuming: ask.open, state: .continued)
    } catch .threadNotFound(let id) {
      Log.warning(
        "a session's thread cannot be used any more; a new one is started",
        ["request": ask.caller.id, "session": ask.session.id, "thread": id])
      return try await startFirst(ask, after: thread, because: .threadLost)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  /// What a further turn tells of a session: which of its threads is used, its model, where nobody knew it, and a changed
  /// system prompt.
  private func noteTurn(_ ask: SessionAsk, _ instructions: Instructions?, _ thread: ThreadRecord) async {
    var thread = thread
    thread.model = ask.selection.resolved
    if let instructions { thread.instructions = instructions.checksum }
    let before = ask.record?.thread
    await sessions.update(ask.session) { [thread] known in
      // The session may have been forgotten, or begun anew, while the turn was being started.
      guard var changed = known, changed.thread == before else { return nil }
      if let instructions, changed.prompt != instructions.prompt { changed.prompt = instructions.prompt }
      if thread != changed.current { changed.use(thread) }
      return changed == known ? nil : changed
    }
    await sessions.setAnswers(ask.conversation.answerCount, on: thread.id, of: ask.session)
  }

  /// Starts a thread for a session, in which the conversation of the thread `before` goes on, for a reason.
  private func startFirst(
    _ asked: SessionAsk, after before: ThreadRecord?, because restart: SessionRestart?
  ) async throws(APIError) -> Started {
    // A turn whose session could not be found again after a restart is not worth starting.
    if let failure = sessions.failure { throw APIError(failure, hasStarted: false) }
    var ask = asked
    if asked.illustrated.uncheckedItems > 0 {
      ask.illustrated = try await resolveRest(of: asked.illustrated, asked.caller)
    }
    let earlier = ThreadHistory(engine: engine)
    var items: ThreadItems?
    if restart == .toolsChanged, let before { items = await earlier.items(of: before, for: ask) }
    var first = try await planFirst(ask, after: before, items)
    if items == nil {
      let messages = await earlier.messages(upTo: before, unlessIn: ask.conversation)
      first.plan.history = messages.items + first.plan.history
      first.previous = messages.threads
    }
    let turn = try await start(first.plan, ask.illustrated, ask.caller)
    return await bindFirst(turn, first, ask, because: restart)
  }

  /// Starts a copy of a session's thread in its place. Nil if Codex does not take the items, whose form it does not promise.
  private func startCopy(
    of thread: ThreadRecord, _ items: ThreadItems, _ ask: SessionAsk
  ) async throws(APIError) -> Started? {
    var first = try await planFirst(ask, after: thread, items)
    first.previous = thread.previous
    first.isCopy = true
    let place = ask.illustrated.largestImage > 0 ? try await unpackingPlace(for: ask.illustrated, ask.caller) : nil
    let turn: Turn
    do throws(EngineError) {
      turn = try await startAtEngine(first.plan, ask.caller, place)
    } catch .rejected {
      return nil
    } catch {
      throw APIError(error, hasStarted: false)
    }
    let started = await bindFirst(turn, first, ask, because: nil)
    delete(thread.id, of: ask.session)
    return started
  }

  /// Deletes a thread whose items another one of the session has, once that is on the disk.
  private func delete(_ thread: ThreadID, of session: SessionKey) {
    Loop.spawn { [sessions, engine] in
      do throws(RepositoryError) {
        try await sessions.commit(session)
      } catch {
        return
      }
      await engine.delete(thread)
    }
  }

  /// The first turn of a new thread.
  private struct FirstTurn {
    var plan: TurnRequest
    let told: Instructions?
    /// Threads whose messages are put into it.
    var previous: [ThreadID]
    /// Whether it takes the place of a thread with all that is in there.
    var isCopy = false
  }

  /// Plans the first turn of a new thread. `items` are those of the thread `before`, where they could be told.
  private func planFirst(
    _ ask: SessionAsk, after before: ThreadRecord?, _ items: ThreadItems?
  ) async throws(APIError) -> FirstTurn {
    var plan = try await beside(ask.illustrated, ask.caller) {
      [selection = ask.selection, open = ask.open, profile = ask.caller.profile] asked throws(APIError) in
      if let items, let before {
        let open = open.flatMap { $0.thread == before.id ? $0 : nil }
        return try TurnPlanner.rebuilt(
          asked, selection, from: items, resuming: open, after: before, profile: profile)
      }
      guard let open else { return try TurnPlanner.firstOfSession(asked, selection) }
      return try TurnPlanner.resumed(asked, selection, from: open, on: .persistent, prompt: nil)
    }
    let own = try await instructions(of: ask)
    let earlierPrompt = own == nil ? try await record(ask.session)?.prompt : nil
    if let earlierPrompt { plan.instructions = earlierPrompt.text }
    return FirstTurn(
      plan: plan, told: own ?? earlierPrompt.map { Instructions($0.text) },
      previous: before.map { $0.previous + [$0.id] } ?? [])
  }

  /// Makes the thread of a first turn the session's.
  private func bindFirst(
    _ turn: Turn, _ first: FirstTurn, _ ask: SessionAsk, because restart: SessionRestart?
  ) async -> Started {
    let tools = ask.illustrated.ask.toolSet
    if let id = turn.threadID {
      let thread = ThreadRecord(
        id: id, previous: Array(first.previous.suffix(SessionRecord.maxThreads)), model: ask.selection.resolved,
        instructions: first.told?.checksum, tools: tools, answers: ask.conversation.answerCount)
      await bind(
        ask.session, thread, title: SessionTitle.first(of: ask.conversation), prompt: first.told?.prompt)
    }
    return Started(
      turn, ask.selection, ask.illustrated.ask, tools: tools, resuming: ask.open,
      state: first.isCopy ? .continued : .new, restarted: restart)
  }

  /// Makes a new thread the one that a session uses. It takes the place of the one its model had, which is lost or has
  /// missed something. `title` is that of a session that begins.
  private func bind(_ session: SessionKey, _ thread: ThreadRecord, title: String?, prompt: SessionPrompt?) async {
    let now = unixTime()
    await sessions.update(session) { known in
      guard var record = known else {
        return SessionRecord(
          current: thread, title: title, prompt: prompt, createdAt: now, usedAt: now, turns: 0)
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
  private func instructions(of ask: SessionAsk) async throws(APIError) -> Instructions? {
    try await beside(ask.illustrated, ask.caller) { asked throws(APIError) in
      asked.conversation.instructions.map(Instructions.init)
    }
  }

  /// Does with a request what would hold up the loop if it is large.
  private func beside<T: Sendable>(
    _ asked: IllustratedAsk, _ caller: any Caller,
    _ work: @escaping @Sendable (Ask) throws(APIError) -> T
  ) async throws(APIError) -> T {
    guard asked.ask.isLarge else { return try work(asked.ask) }
    return try await HeavyWork.run(for: caller.principal) { () -> Result<T, APIError> in
      do throws(APIError) {
        return .success(try work(asked.ask))
      } catch {
        return .failure(error)
      }
    }.get()
  }

  private func resolveRest(
    of ask: IllustratedAsk, _ caller: any Caller
  ) async throws(APIError) -> IllustratedAsk {
    do throws(ImageError) {
      return try await images.resolveRest(of: ask, for: caller)
    } catch {
      throw APIError(error)
    }
  }

  private func unpackingPlace(
    for ask: IllustratedAsk, _ caller: any Caller
  ) async throws(APIError) -> PermitQueue.Ticket? {
    do throws(ImageError) {
      return try await images.unpackingPlace(weight: ask.largestImage, for: caller)
    } catch {
      throw APIError(error)
    }
  }

  private func start(
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
  private func startAtEngine(
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
