// The turns of sessions: on a thread that the session has, or on a new one, and what is remembered of it.

extension TurnStarter {
  /// Starts a turn of a session.
  func startInSession(_ ask: SessionAsk, knowsSession: Bool) async throws(APIError) -> Started {
    let fields: Log.Fields = ["request": ask.caller.id, "session": ask.session.id]
    switch ask.continuation(knowsSession: knowsSession) {
    case .first: return try await startFirst(ask, after: nil, because: nil)
    case .next(let thread, let prompt):
      let found =
        ask.conversation.isContinuation ? await places.head(of: thread, ask.history) : await place(of: ask, thread)
      if case .nowhere = found.place.place {
        Log.info("a conversation has changed from its beginning and continues on a new thread", fields)
        return try await startFirst(ask, after: found, because: .historyChanged)
      }
      return try await startNext(ask, at: found, prompt: prompt)
    case .modelChanged(let before):
      Log.info("a session changes its model and continues on a new thread", fields)
      return try await startFirst(ask, after: .init(thread: before), because: .modelChanged)
    case .toolsChanged(let before):
      Log.info("a session brings other functions and continues on a new thread", fields)
      return try await startFirst(ask, after: await place(of: ask, before), because: .toolsChanged)
    }
  }

  /// Starts a turn that goes on from an answer which it names.
  func startKept(_ ask: SessionAsk, at kept: KeptPlace) async throws(APIError) -> Started {
    switch kept {
    case .rebuilt(let restart): return try await startFirst(ask, after: nil, because: restart)
    case .thread(let found):
      let restart: SessionRestart? =
        found.thread.model != ask.selection.resolved
        ? .modelChanged : found.thread.tools.includes(ask.offeredTools) ? nil : .toolsChanged
      guard let restart else {
        return try await startNext(ask, at: found, prompt: try await record(ask.session)?.prompt)
      }
      // Of a thread that goes on elsewhere, what follows the answer there cannot be told apart.
      guard case .head = found.place.place else { throw .threadIsGone }
      return try await startFirst(ask, after: found, because: restart)
    }
  }

  /// Continues a thread of the session; if Codex does not have it any more, a new one.
  func startNext(
    _ ask: SessionAsk, at wanted: ThreadPlaces.Found, prompt: SessionPrompt?
  ) async throws(APIError) -> Started {
    let settled = await settle(wanted, ask)
    let found = settled.found
    let thread = found.thread
    let told = try await instructions(of: ask)
    var late = LateOutputs()
    if case .head = found.place.place {
      switch await ThreadHistory(engine: engine).way(
        of: ask, on: thread, mayLeave: sessions.failure(of: ask.session) == nil,
        changesPrompt: told.map { $0.checksum != thread.instructions } ?? false)
      {
      case .thread(let outputs): late = outputs
      case .copy(let items):
        if let started = try await startCopy(of: found, items, ask) { return started }
        late = LateOutputs(calls: items.answeredCalls, arePlaced: !items.areChanged)
      }
    }
    var selection = ask.selection
    // A thread keeps the effort of its last turn; a request that names none means the default again.
    selection.effort = await models.effort(selection)
    let open = ask.openTurn(on: thread) ?? settled.open
    var plan = try await beside(ask.illustrated, ask.caller) {
      [selection, late, profile = ask.caller.profile] asked throws(APIError) in
      guard let open else {
        return try TurnPlanner.nextOfSession(
          asked, selection, on: thread, at: found.place, prompt: prompt, late: late, profile: profile)
      }
      return try TurnPlanner.resumed(
        asked, selection, from: open, on: .reverted(open.thread, before: open.turnID), prompt: prompt,
        after: thread, profile: profile)
    }
    if !settled.items.isEmpty { plan.base = settled.items }
    if found.isKnown, case .head = found.place.place { plan.lastTurn = found.points.last?.turnID }
    plan.keepsBranch = ask.openTurn(on: thread) == nil && found.undone.contains { $0.answered != nil }
    let place = ask.illustrated.largestImage > 0 ? try await unpackingPlace(for: ask.illustrated, ask.caller) : nil
    do throws(EngineError) {
      let turn = try await startAtEngine(plan, ask.caller, place)
      if found.undone.contains(where: \.hasEffects) { turn.events.push(.effectsStay) }
      if ask.record == nil {
        await bind(ask, on: turn.threadID, previous: thread.previous, tools: thread.tools, told)
      } else {
        await noteTurn(ask, told, found, turn)
      }
      return Started(
        turn, ask.selection, ask.illustrated.ask, tools: thread.tools, resuming: ask.open,
        state: found.place.place.state, noted: await note(turn, ask, at: found))
    } catch {
      return try await startInstead(ask, at: found, after: error)
    }
  }

  /// Starts a turn whose thread the engine has refused, on a new one where that can be.
  private func startInstead(
    _ ask: SessionAsk, at found: ThreadPlaces.Found, after error: EngineError
  ) async throws(APIError) -> Started {
    switch error {
    // What was said before is not among the items.
    case .threadNotFound where ask.conversation.isContinuation: throw .threadIsGone
    case .rejected where ask.conversation.isContinuation && found.place.place.state == .forked: throw .threadIsGone
    case .threadNotFound(let id):
      Log.warning(
        "a session's thread cannot be used any more; a new one is started",
        ["request": ask.caller.id, "session": ask.session.id, "thread": id])
      return try await startFirst(ask, after: found, because: .threadLost)
    default: throw APIError(error, hasStarted: false)
    }
  }

  /// What a further turn tells of a session: which of its threads is used, its model, where nobody knew it, and a changed
  /// system prompt.
  private func noteTurn(
    _ ask: SessionAsk, _ instructions: Instructions?, _ found: ThreadPlaces.Found, _ turn: Turn
  ) async {
    var thread = found.thread
    if let id = turn.threadID { thread.id = id }
    thread.model = ask.selection.resolved
    if let instructions { thread.instructions = instructions.checksum }
    let before = ask.record?.thread
    await sessions.update(ask.session) { [thread, branch = turn.keptBranch] known in
      // The session may have been forgotten, or begun anew, while the turn was being started.
      guard var changed = known, changed.thread == before else { return nil }
      if let instructions, changed.prompt != instructions.prompt { changed.prompt = instructions.prompt }
      if let branch {
        var kept = found.thread
        kept.id = branch
        changed.keep(kept)
      }
      if let key = ask.cacheKey { changed.cacheKey = key }
      if thread.id != changed.thread {
        changed.switchTo(thread)
      } else if thread != changed.current {
        changed.use(thread)
      }
      return changed == known ? nil : changed
    }
    await sessions.setAnswers(ask.conversation.answerCount, on: thread.id, of: ask.session)
  }

  /// Starts a thread for a session, in which the conversation of the thread `found` goes on, for a reason.
  private func startFirst(
    _ asked: SessionAsk, after found: ThreadPlaces.Found?, because restart: SessionRestart?
  ) async throws(APIError) -> Started {
    let before = found?.thread
    // A turn whose session could not be found again after a restart is not worth starting.
    if let failure = sessions.failure(of: asked.session) { throw APIError(failure, hasStarted: false) }
    var ask = asked
    if asked.illustrated.uncheckedItems > 0 {
      ask.illustrated = try await resolveRest(of: asked.illustrated, asked.caller)
    }
    let earlier = ThreadHistory(engine: engine)
    var items: ThreadItems?
    // Of a thread whose history has changed too the client has what is left.
    if restart == .toolsChanged, let found, case .head = found.place.place {
      items = await earlier.items(of: found.thread, for: ask)
    }
    var first = try await planFirst(ask, after: before, items)
    if items != nil { first.found = found }
    if items == nil {
      let messages = await earlier.messages(upTo: before, unlessIn: ask.conversation)
      first.plan.history = messages.items + first.plan.history
      first.previous = messages.threads
      if !messages.threads.isEmpty { first.found = found }
    }
    let turn = try await start(first.plan, ask.illustrated, ask.caller)
    return await bindFirst(turn, first, ask, because: restart)
  }

  /// Starts a copy of a session's thread in its place. Nil if Codex does not take the items, whose form it does not promise.
  private func startCopy(
    of found: ThreadPlaces.Found, _ items: ThreadItems, _ ask: SessionAsk
  ) async throws(APIError) -> Started? {
    let thread = found.thread
    var first = try await planFirst(ask, after: thread, items)
    first.previous = thread.previous
    first.isCopy = true
    first.found = found
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
    Loop.spawn { [sessions, engine, places] in
      do throws(RepositoryError) {
        try await sessions.commit(session)
      } catch {
        return
      }
      await engine.delete(thread, endingCommands: false)
      await places.points.forget([thread])
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
    /// Where it goes on in the thread whose items are put into it.
    var found: ThreadPlaces.Found?
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
    await bind(ask, on: turn.threadID, previous: first.previous, tools: tools, first.told)
    let noted = await places.began(
      ask.history, after: first.found.map { ThreadPlaces.copied($0.points) } ?? ThreadPoints(),
      known: first.found.map(\.known) ?? 0, by: turn, in: ask.session)
    return Started(
      turn, ask.selection, ask.illustrated.ask, tools: tools, resuming: ask.open,
      state: first.isCopy ? .continued : .new, restarted: restart, noted: noted)
  }

  /// Makes a new thread the one that a session uses. It takes the place of the one its model had, which is lost or has
  /// missed something.
  private func bind(
    _ ask: SessionAsk, on id: ThreadID?, previous: [ThreadID] = [], tools: ToolSet, _ told: Instructions?
  ) async {
    guard let id else { return }
    let thread = ThreadRecord(
      id: id, previous: Array(previous.suffix(SessionRecord.maxThreads)), model: ask.selection.resolved,
      instructions: told?.checksum, tools: tools, answers: ask.conversation.answerCount)
    let (title, now) = (SessionTitle.first(of: ask.conversation), unixTime())
    await sessions.update(ask.session) { known in
      guard var record = known else {
        return SessionRecord(
          current: thread, title: title, prompt: told?.prompt, cacheKey: ask.cacheKey,
          createdAt: now, usedAt: now, turns: 0)
      }
      record.use(thread)
      record.prompt = told?.prompt
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
}
