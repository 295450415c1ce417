// The one road of a request that wants a turn, from what is asked to the answer that goes on by itself.
// Reads top to bottom: parameters and session named, an earlier answer joined if it is the same request, engine and model checked,
// images read, the turn found that outputs belong to, places waited for, the turn started or resumed, the answer begun.
// `AnswerCompletion` completes it.

/// Answers what clients of every dialect ask.
@LoopActor
final class TurnPipeline {
  private let engine: any TurnEngine
  private let naming: SessionNaming
  private let finder: ConversationFinder
  private let tasks: BackgroundTasks
  private let starter: TurnStarter
  private let steerer: TurnSteerer
  private let images: ImageResolver
  private let admission: Admission
  private let leases: TurnLeases
  private let registry: AnswerRegistry
  private let log: RequestLog
  private let beginning: AnswerBeginning
  private let queueNoticeInterval: Duration
  private let startWait: Duration
  private let strictParameters: Bool

  init(
    engine: any TurnEngine,
    sessions: Sessions,
    starter: TurnStarter,
    finder: ConversationFinder,
    images: ImageResolver,
    admission: Admission,
    leases: TurnLeases,
    metrics: Metrics,
    registry: AnswerRegistry,
    log: RequestLog,
    configuration: Configuration
  ) {
    self.engine = engine
    self.starter = starter
    self.finder = finder
    self.images = images
    self.admission = admission
    self.leases = leases
    self.registry = registry
    self.log = log
    steerer = TurnSteerer(sessions: sessions, registry: registry, points: finder.points)
    naming = SessionNaming(configuration: configuration)
    tasks = BackgroundTasks(configuration)
    let completion = AnswerCompletion(
      sessions: sessions, places: starter.places, leases: leases, metrics: metrics, registry: registry,
      log: log)
    let silence = configuration.paces.keepAlive
    beginning = AnswerBeginning(
      completion: completion, registry: registry, keepAlive: StreamKeepAlive(interval: silence),
      openings: StreamOpenings(maxSilence: silence))
    queueNoticeInterval = configuration.paces.queueNotice
    startWait = configuration.paces.startWait
    strictParameters = configuration[Settings.strictParameters]
  }

  /// Answers what is asked in the words of a dialect. Returns once the request was refused, or the turn runs: from then on
  /// its events drive the answer.
  func run(
    _ ask: Ask, as dialect: any AnswerDialect, keptBy keeper: (any AnswerKeeper)? = nil, _ request: Request,
    _ writer: ResponseWriter
  ) async {
    let accepted: Accepted
    do throws(APIError) {
      accepted = try accept(ask, request)
    } catch {
      keeper?.refused(error)
      return refuse(error, request, writer)
    }
    let reader = AnswerReader(request, writer, dialect, keeper: keeper)
    let names = accepted.names
    guard let readers = registry.enter(reader, session: names.session, user: names.user) else { return }
    log.add(
      request, api: dialect.apiName, model: accepted.ask.model, session: names.session, source: names.source)
    let answer: Answer
    do throws(APIError) {
      answer = try await start(accepted, readers)
    } catch {
      return refuse(error, readers)
    }
    log.began(request, answer)
    // Codex has it now; the turn may go on for hours.
    request.forgetContent()
    beginning.begin(answer, readers)
  }

  /// Throws what is known to be wrong with an ask before it is let in.
  func check(_ ask: Ask) throws(APIError) { try starter.check(ask, session: nil) }

  /// Answers a request that cannot be decoded, or whose turn has not started.
  func refuse(_ error: APIError, _ request: Request, _ writer: ResponseWriter) {
    log.refused(request, error, isUnwanted: request.isClientGone)
    writer.send(error.response)
  }

  /// Answers all that have waited for a turn which has not started.
  private func refuse(_ error: APIError, _ readers: AnswerReaders) {
    log.refused(readers.first.request, error, isUnwanted: readers.isClientGone)
    readers.keeper?.refused(error)
    for reader in [readers.first] + registry.refused(readers) {
      if reader.writer.hasBegun {
        // Its client was told that it waits.
        reader.writer.finish { reader.dialect.appendFailure(error, to: &$0) }
      } else {
        reader.writer.send(error.response)
      }
    }
  }

  // MARK: Up to the turn

  /// What is asked, with the session that it names.
  private struct Accepted {
    let ask: Ask
    let names: SessionNaming.Names
  }

  private func accept(_ asked: Ask, _ request: Request) throws(APIError) -> Accepted {
    var asked = asked
    if tasks.isTask(asked) { asked.isTask = true }
    let names = try naming.names(of: asked, request)
    asked.startsAnew = asked.startsAnew || names.startsAnew
    asked.user = names.user
    if names.isTask {
      asked = asked.asTask
      request.profile = .chat
    }
    if !asked.webSearchFields.isEmpty, try !starter.profile(of: request).webSearch {
      asked.ignored += asked.webSearchFields
    }
    try refuseIgnored(asked)
    return Accepted(ask: asked, names: names)
  }

  private func start(_ accepted: Accepted, _ readers: AnswerReaders) async throws(APIError) -> Answer {
    var asked = accepted.ask
    let names = accepted.names
    // While draining too: only clients that had connected before are left, and their requests were on their way.
    if let unavailability = engine.unavailability, unavailability != .starting {
      throw APIError(.unavailable(unavailability), hasStarted: false)
    }
    let bringsOutputs = !asked.isTask && !asked.conversation.newOutputs.isEmpty
    var place = ConversationPlace(session: names.session, source: names.source)
    if let keeper = readers.keeper, !names.isTask { try await goOn(from: keeper, &asked, &place, readers) }
    defer { finder.release(place.claimed) }
    if place.session != nil || names.mayBeFound && (!finder.isOff || asked.isKept) {
      place.history = try await starter.history(of: asked, readers)
    }
    // Outputs say themselves which turn they belong to.
    if !bringsOutputs, place.history != nil { await finder.find(&place, for: asked, readers, among: registry) }
    if let session = place.session { place.isKnown = try await starter.record(session) != nil }
    try starter.check(asked, session: place.session)
    // Before the queue: a slow image server must not hold a place that others could use. A session that is known sends
    // what is new only, as does a turn that goes on; images before it need not be fetched again.
    let firstItem = place.isKnown || bringsOutputs ? asked.conversation.firstNewItem : 0
    let checked =
      if asked.conversation.items[firstItem...].contains(where: \.hasImages) {
        try await resolveImages(asked, from: firstItem, readers)
      } else {
        IllustratedAsk(asked, uncheckedItems: firstItem)
      }
    let opening = TurnOpening(checked, names, place, readers)
    guard !bringsOutputs else { return try await bring(opening) }
    if readers.first.request.wantsSteering, let answer = try await steer(opening) { return answer }
    return try await startTurn(opening, resuming: nil)
  }

  /// Finds where a request goes on that names an answer. What was said up to there comes before its items if no thread can go on.
  private func goOn(
    from keeper: any AnswerKeeper, _ asked: inout Ask, _ place: inout ConversationPlace, _ readers: AnswerReaders
  ) async throws(APIError) {
    guard asked.conversation.isContinuation, place.session == nil else { return }
    if asked.isKept, let previous = keeper.previous, await finder.find(previous, &place, for: readers) {
      return
    }
    guard let history = try await keeper.history() else { return }
    asked = asked.following(history)
  }

  /// Gives outputs to the turn that they belong to.
  private func bring(_ opening: TurnOpening) async throws(APIError) -> Answer {
    let readers = opening.readers
    let claim = await leases.claim(
      opening.ask, by: readers.principal, session: opening.place.session, try starter.profile(of: readers))
    switch claim {
    case .none:
      await finder.find(&opening.place, for: opening.ask, readers, among: registry)
      defer { finder.release(opening.place.claimed) }
      if let session = opening.place.session { opening.place.isKnown = try await starter.record(session) != nil }
      return try await startTurn(opening, resuming: nil)
    case .draining: throw APIError(.unavailable(.draining), hasStarted: false)
    case .incomplete(let callID): throw .missingOutput(of: callID)
    case .goesOn: throw .turnGoesOn
    case .live(let parked):
      opening.place.belongs(to: parked.open)
      try await leaveOutKnown(to: parked.open, opening)
      if let answer = await goOn(with: parked, opening) { return answer }
      leases.giveBack(parked.open)
      return try await resume(await leases.suspended(parked), opening)
    case .suspended(let open):
      opening.place.belongs(to: open)
      try await leaveOutKnown(to: open, opening)
      if open.isResumed, readers.first.request.isMarkedRetry {
        leases.giveBack(open)
        throw .turnLost
      }
      return try await resume(open, opening)
    }
  }

  /// Leaves out what a turn knows of an ask that names the response which has called, and is sent again all the same.
  private func leaveOutKnown(to open: OpenTurn, _ opening: TurnOpening) async throws(APIError) {
    let items = opening.ask.conversation.items
    let news = open.news(in: opening.ask)
    guard opening.ask.conversation.isContinuation, news.count < items.count else { return }
    opening.ask(only: news)
    opening.place.history = try await starter.history(of: opening.ask, opening.readers)
  }

  /// Tells the session's running turn what is asked. Nil if the request has to run as a turn of its own.
  private func steer(_ opening: TurnOpening) async throws(APIError) -> Answer? {
    let request = opening.readers.first.request
    guard let session = opening.place.session else { return nil }
    let outcome = await steerer.steer(
      opening.ask, opening.place.history, in: session, try await starter.record(session),
      try starter.profile(of: request))
    switch outcome {
    case .nothingRuns: return nil
    case .refused:
      opening.ignoresSteering = true
      return nil
    case .nothingToTell: throw .turnWaits
    case .handedOver(let before):
      var fields = opening.fields()
      fields.append("x-bridge-steered", "true")
      await before.handedOver?.value()
      return await goOn(with: before.turn, before.origin, fields, before.lease, opening, onlyLast: true)
    }
  }

  /// Goes on with a turn from what is known of it.
  private func resume(
    _ open: OpenTurn?, _ opening: TurnOpening
  ) async throws(APIError) -> Answer {
    guard let open, try await isLatest(open, opening) else {
      return try await startTurn(opening, resuming: nil)
    }
    do throws(APIError) {
      return try await startTurn(opening, resuming: open)
    } catch {
      leases.giveBack(open)
      throw error
    }
  }

  /// Whether nothing has run in the turn's session since: to take the thread back would undo it.
  private func isLatest(_ open: OpenTurn, _ opening: TurnOpening) async throws(APIError) -> Bool {
    guard let session = opening.place.session, let record = try await starter.record(session),
      record.turns > open.sessionTurns
    else { return true }
    leases.giveBack(open)
    return false
  }

  /// Starts a turn; `open` is the one that it goes on with, if that does not run any more.
  private func startTurn(
    _ opening: TurnOpening, resuming open: OpenTurn?
  ) async throws(APIError) -> Answer {
    let (place, readers) = (opening.place, opening.readers)
    let lease = try await admit(opening)
    registry.starts(readers, isStreamed: opening.ask.isStreamed)
    do throws(APIError) {
      if engine.unavailability != nil { try await requireEngine(readers) }
      if let session = place.session { await leases.close(session) }
      if let open { await leases.markResumed(open) }
      return answer(opening, try await startOrRebuild(opening, in: place, resuming: open), lease)
    } catch {
      lease.end()
      throw error
    }
  }

  /// Starts a turn. Where the thread of the answer that it goes on from is gone, it goes on from what was said there.
  private func startOrRebuild(
    _ opening: TurnOpening, in place: ConversationPlace, resuming open: OpenTurn?
  ) async throws(APIError) -> TurnStarter.Started {
    let readers = opening.readers
    do throws(APIError) {
      return try await starter.start(opening.illustrated, in: place, resuming: open, readers)
    } catch {
      guard error.isOfGoneThread, let history = try await readers.keeper?.history() else { throw error }
      let asked = opening.illustrated
      let whole = IllustratedAsk(asked.ask.following(history), largestImage: asked.largestImage)
      var place = place
      place.kept = .rebuilt(.threadLost)
      place.history = try await starter.history(of: whole.ask, readers)
      return try await starter.start(whole, in: place, readers)
    }
  }

  /// Goes on with a turn that waits for the outputs that are brought; nil if it has ended meanwhile.
  private func goOn(with parked: ParkedTurn, _ opening: TurnOpening) async -> Answer? {
    let (session, readers) = (opening.place.session, opening.readers)
    let places = admission.enterAhead(session, readers)
    let lease = TurnLease(session: session) { [admission] in admission.leave(places) }
    await leases.markResumed(parked.open)
    guard parked.goOn(with: opening.ask) else {
      lease.end()
      return nil
    }
    return await goOn(with: parked.turn, parked.origin, opening.fields(), lease, opening)
  }

  /// The next answer of a turn that runs. `onlyLast`: it was told the last message alone.
  private func goOn(
    with turn: Turn, _ origin: TurnOrigin, _ fields: ResponseFields, _ lease: TurnLease, _ opening: TurnOpening,
    onlyLast: Bool = false
  ) async -> Answer {
    let readers = opening.readers
    registry.starts(readers, isStreamed: opening.ask.isStreamed)
    turn.requestID = readers.id
    starter.interruptOnLeave(turn, readers)
    let identity = AnswerIdentity(
      id: opening.answerID, created: unixTime(), model: origin.shownModel)
    var fields = fields
    fields.append("x-bridge-session-state", SessionState.continued.rawValue)
    return Answer(
      turn, identity, to: opening.ask, lease: lease, fields: fields, origin: origin,
      noted: await starter.note(turn, in: opening.place, onlyLast: onlyLast), keeper: readers.keeper,
      askedAt: readers.first.request.receivedAt)
  }

  /// Whoever wants to be told of parameters without effect is not served with them.
  private func refuseIgnored(_ ask: Ask) throws(APIError) {
    guard strictParameters, let name = ask.ignored.first else { return }
    throw .invalid(
      "The parameter '\(name)' has no effect here (\(Settings.strictParameters.name)).", param: name)
  }

  /// An engine that starts is ready in a moment, mostly: waiting for it beats sending the client away.
  private func requireEngine(_ caller: any Caller) async throws(APIError) {
    if engine.unavailability == .starting {
      let leaving = caller.onClientGone { [engine] in engine.changes.send() }
      defer { caller.remove(leaving) }
      await engine.changes.wait(atMost: startWait) {
        self.engine.unavailability != .starting || caller.isClientGone
      }
    }
    if let unavailability = engine.unavailability {
      throw APIError(.unavailable(unavailability), hasStarted: false)
    }
  }

  private func resolveImages(
    _ ask: Ask, from firstItem: Int, _ caller: any Caller
  ) async throws(APIError) -> IllustratedAsk {
    do throws(ImageError) {
      return try await images.resolve(ask, from: firstItem, for: caller)
    } catch {
      throw APIError(error)
    }
  }

  /// Waits for the places of a turn. A client that streams is told meanwhile how many are before it.
  private func admit(_ opening: TurnOpening) async throws(APIError) -> TurnLease {
    let writer = opening.readers.first.writer
    guard opening.ask.isStreamed, queueNoticeInterval > .zero else { return try await admit(opening, notice: nil) }
    let notice = QueueNotice(writer, every: queueNoticeInterval) {
      writer.begin(status: 200, fields: EventStream.fields.appending(opening.fields()))
    }
    defer { notice.stop() }
    return try await admit(opening, notice: notice)
  }

  private func admit(_ opening: TurnOpening, notice: QueueNotice?) async throws(APIError) -> TurnLease {
    let session = opening.place.session
    let places = try await admission.enter(
      session, opening.readers, lane: opening.ask.isTask ? .tasks : .turns, notice: notice)
    return TurnLease(session: session) { [admission] in admission.leave(places) }
  }

  private func answer(_ opening: TurnOpening, _ started: TurnStarter.Started, _ lease: TurnLease) -> Answer {
    var fields = opening.fields(besides: started.ignoredField)
    fields.append("x-bridge-session-state", started.state.rawValue)
    if started.state == .forked, opening.place.branch != nil {
      fields.append("x-bridge-session-source", SessionNaming.foundByHistory)
    }
    if let restarted = started.restarted { fields.append("x-bridge-session-restarted", restarted.rawValue) }
    let identity = AnswerIdentity(
      id: opening.answerID, created: unixTime(), model: started.modelName)
    return Answer(
      started.turn, identity, to: opening.ask, lease: lease, fields: fields, origin: started.origin,
      noted: started.noted, keeper: opening.readers.keeper, askedAt: opening.readers.first.request.receivedAt,
      modelDoubt: started.modelDoubt, state: started.state)
  }
}
