// The end of an answer: its session is saved before the client gets the end, and the turn's places are given back.

/// Completes answers.
@LoopActor
final class AnswerCompletion {
  /// The reason of a failed turn is cut to this in the log, because a model provider may send a page of text.
  private static let maxReasonCharacters = 400

  /// How a turn has ended.
  struct Result {
    /// Nil if the turn has not failed.
    let failure: EngineError?
    /// Nil if nobody knows it yet.
    let usage: TokenUsage?
    /// The calls that the answer has ended with, if its turn waits for what they return.
    let openCalls: OpenCalls?
    let ending: AnswerEnding
    /// Whether the engine's thread has all of the answer.
    let isWhole: Bool
    /// What the client has seen of the answer: the assistant's message and its calls. Nil if that was too much to be kept.
    let seen: @LoopActor () -> [Conversation.Item]?
    /// What is kept of the answer; nil for a dialect that keeps none.
    let rendered: @LoopActor (ResponseState) -> RenderedResponse?

    init(
      _ failure: EngineError?, _ usage: TokenUsage?, _ openCalls: OpenCalls?, _ ending: AnswerEnding,
      isWhole: Bool, rendered: @escaping @LoopActor (ResponseState) -> RenderedResponse? = { _ in nil },
      seen: @escaping @LoopActor () -> [Conversation.Item]?
    ) {
      self.ending = ending
      self.rendered = rendered
      self.failure = failure
      self.usage = usage
      self.openCalls = openCalls
      self.isWhole = isWhole
      self.seen = seen
    }
  }

  private let sessions: Sessions
  private let places: ThreadPlaces
  private let leases: TurnLeases
  private let metrics: Metrics
  private let registry: AnswerRegistry
  private let log: RequestLog

  init(
    sessions: Sessions, places: ThreadPlaces, leases: TurnLeases, metrics: Metrics, registry: AnswerRegistry,
    log: RequestLog
  ) {
    self.sessions = sessions
    self.places = places
    self.leases = leases
    self.metrics = metrics
    self.registry = registry
    self.log = log
  }

  /// Records how a turn has ended, and saves its session to disk. Only then calls `tell`, which sends the client the end
  /// of the answer: with the failure, or nil. `entry` is the answer's id in the registry.
  func complete(
    _ answer: Answer, _ entry: Int, _ result: Result, _ readers: AnswerReaders,
    tell: @escaping @LoopActor (APIError?) -> Void
  ) {
    let failure = recordEnd(of: answer, result, readers)
    let end = { @LoopActor (unsaved: APIError?) in
      tell(failure ?? unsaved)
      self.registry.remove(entry)
      answer.lease.end()
    }
    if answer.steering == .handedOver { return handOver(answer, entry, result, tell) }
    if let calls = result.openCalls { return park(answer, calls, result, end) }
    if answer.turn.hasTools || answer.origin.resumedFrom != nil {
      let isComplete = result.failure == nil
      Loop.spawn { await self.leases.ended(answer.turn, answer.origin, isComplete: isComplete) }
    }
    if answer.session == nil, answer.keeper == nil { return end(nil) }
    Loop.spawn { end(await self.keep(answer, result, failure)) }
  }

  /// Notes where the answer stands in its thread, so that its client's history leads there, and saves its session; then keeps
  /// the answer, if it has a name.
  private func keep(_ answer: Answer, _ result: Result, _ failure: APIError? = nil) async -> APIError? {
    let unsaved = await keepInSession(answer, result)
    guard let keeper = answer.keeper else { return unsaved }
    let failure = failure ?? unsaved
    let state =
      failure.map { $0.isCancellation ? .cancelled : .failed($0) } ?? ResponseState(result.ending, result.usage)
    guard let response = result.rendered(state) else { return unsaved }
    var place: StoredResponse.Place?
    if let noted = answer.noted {
      place = await places.place(of: noted, hasCalls: result.openCalls != nil, sessions)
    }
    let unkept = await keeper.ended(KeptEnd(state: state, place: place, response: response))
    return unsaved ?? unkept
  }

  private func keepInSession(_ answer: Answer, _ result: Result) async -> APIError? {
    guard let session = answer.session else { return nil }
    if let noted = answer.noted {
      await places.ended(noted, result.seen(), isWhole: result.isWhole, hasEffects: answer.turn.hasEffects)
    }
    return await save(session)
  }

  /// Completes an answer whose turn goes on in the next one, which has its places.
  private func handOver(
    _ answer: Answer, _ entry: Int, _ result: Result, _ tell: @escaping @LoopActor (APIError?) -> Void
  ) {
    let noting = Waiter<Void>()
    answer.handedOver = noting
    Loop.spawn {
      let unsaved = await self.keep(answer, result)
      noting.finish()
      tell(unsaved)
      self.registry.remove(entry)
    }
  }

  /// Parks the turn of an answer, and tells the client once it can go on whatever happens.
  private func park(
    _ answer: Answer, _ calls: OpenCalls, _ result: Result, _ end: @escaping @LoopActor (APIError?) -> Void
  ) {
    let events = leases.hold(answer.turn)
    var open = OpenTurn(
      owner: answer.turn.owner, session: answer.session, callIDs: calls.calls.map(\.id),
      thread: answer.turn.threadID ?? ThreadID(""), turnID: answer.turn.recording.turnID,
      said: answer.said, saidBefore: answer.origin.saidBefore, items: [])
    Loop.spawn {
      if let session = answer.session { open.sessionTurns = await self.turns(of: session) + 1 }
      let parked = ParkedTurn(answer.turn, open, calls.calls, answer.origin, events)
      parked.isPassing = answer.isPassing
      // Of a turn without functions, whose answer was made to be a call, nothing is left to go on with.
      if answer.turn.hasTools {
        await self.leases.park(parked)
      } else {
        await self.leases.ended(answer.turn, answer.origin, isComplete: true)
      }
      end(await self.keep(answer, result))
    }
  }

  /// Records the end of an answer in metrics, logs and the list of requests. Returns the failure as the client gets it.
  private func recordEnd(of answer: Answer, _ result: Result, _ readers: AnswerReaders) -> APIError? {
    readers.turnEnded()
    answer.turn.contentWasRead()
    let isUnwanted = readers.isClientGone || answer.keeper?.isCancelled == true
    let error = result.failure.map { Self.error($0, answer: answer, isUnwanted: isUnwanted) }
    let state = Self.state(of: answer, result, isUnwanted: isUnwanted)
    let usage = result.usage ?? TokenUsage()
    metrics.turnEnded(
      EndedTurn(
        result: error.map { $0.isCancellation ? .cancelled : .failed } ?? .completed,
        outcome: error.map { $0.code ?? "failed" } ?? state.rawValue, duration: Loop.now - answer.askedAt,
        firstToken: answer.firstText,
        tokens: TokenCounts(
          input: usage.input, cachedInput: usage.cachedInput, output: usage.output,
          reasoning: usage.reasoningOutput),
        model: answer.turn.request.model ?? answer.identity.model, owner: answer.turn.owner))
    log.ended(readers.first.request, answer, state, usage: result.usage, error)
    if let error, !isUnwanted { Self.log(error, answer: answer, requestID: readers.id) }
    return error
  }

  /// How the request is listed that a turn has ended for.
  private static func state(of answer: Answer, _ result: Result, isUnwanted: Bool) -> RequestLog.End.State {
    if answer.steering == .handedOver { return .steered }
    guard let failure = result.failure else { return result.openCalls == nil ? .completed : .toolCalls }
    if isUnwanted { return .left }
    return failure == .turnFailed(.interrupted) ? .stopped : .failed
  }

  /// The error that the client of a failed turn gets.
  private static func error(_ failure: EngineError, answer: Answer, isUnwanted: Bool) -> APIError {
    // The turn was interrupted because its client has left or has said so: that is no failure of Codex.
    if isUnwanted, failure == .turnFailed(.interrupted) { return APIError(.cancelled, hasStarted: true) }
    var error = APIError(failure, hasStarted: true)
    if let doubt = answer.modelDoubt, error.type == "codex_error", [400, 404].contains(error.status) {
      error.message += " \(doubt)"
    }
    return error
  }

  private static func log(_ error: APIError, answer: Answer, requestID: String) {
    Log.warning(
      "a turn failed",
      [
        "request": requestID, "code": error.code ?? "",
        "reason": error.message.shortened(to: maxReasonCharacters), "session": answer.session?.id ?? "",
        "model": answer.identity.model, "thread": answer.turn.threadID?.raw ?? "",
      ])
  }

  /// How many turns a session has had before this one.
  private func turns(of session: SessionKey) async -> Int {
    do throws(RepositoryError) {
      return try await sessions.record(session)?.turns ?? 0
    } catch {
      return 0
    }
  }

  /// Saves a session. Returns why it could not be saved, nil if it was.
  private func save(_ session: SessionKey) async -> APIError? {
    await sessions.touch(session)
    do throws(RepositoryError) {
      try await sessions.commit(session)
      return nil
    } catch {
      return APIError(error, hasStarted: true)
    }
  }
}
