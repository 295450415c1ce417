// Tells a streamed answer to its readers, and keeps what it has told for those who join. Each event is rendered and written as it
// comes in, so no task waits for the turn. What a reader has no room for it gets from the log later.

/// Tells the events of one turn in the words of one API. The turn's stream holds it until the turn ends.
@LoopActor
final class AnswerStream: TurnReader {
  private let answer: Answer
  private let keepAlive: StreamKeepAlive
  /// The reader for whom the turn was started. It is told everything even when its client has gone: what it makes of the events
  /// is the state of the answer.
  private let first: AnswerStreamReader
  /// Not checked for overlapping access, as `hasSeenText` and `log`: they are values, and the code that changes them never re-enters
  /// this object (Decisions).
  @exclusivity(unchecked) private var joined: [AnswerStreamReader] = []
  private var hasStarted = false
  /// Whether the answer knows of its first text. Kept here, because looking at the `Answer` for each token would load it from
  /// memory.
  @exclusivity(unchecked) private var hasSeenText = false
  /// Called once, when the turn has ended; nil from then on.
  private var onEnd: (@LoopActor (AnswerStream) -> Void)?
  @exclusivity(unchecked) private var log: AnswerLog

  /// `log` is an empty one. `onEnd` is called when the turn has ended, and has to call `end`, which ends the stream.
  init(
    _ answer: Answer, to reader: AnswerReader, _ log: AnswerLog, keepAlive: StreamKeepAlive,
    onEnd: @escaping @LoopActor (AnswerStream) -> Void
  ) {
    self.answer = answer
    self.keepAlive = keepAlive
    self.onEnd = onEnd
    self.log = log
    first = AnswerStreamReader(
      reader.dialect.renderer(answer.identity, stops: answer.stops), reader.writer, answer.fields)
  }

  var failure: EngineError? { first.state.failure }
  var usage: TokenUsage? { first.state.usage }
  /// Whether the engine's thread has all of the answer.
  var isWhole: Bool { first.state.isWhole }
  /// The calls that the answer has ended with.
  var openCalls: OpenCalls? { first.state.openCalls }

  var ending: AnswerEnding { first.state.ending }
  /// The answer as it ends; nil for a dialect that keeps none.
  func kept(_ state: ResponseState) -> RenderedResponse? { first.kept(state) }

  /// What the client sees of the answer, put together by `whole`; nil if that was too much to be kept.
  func seen(in whole: any WholeAnswerRenderer) -> [Conversation.Item]? {
    log.byteCount <= AnswerLog.maxSeenBytes ? log.seen(in: whole) : nil
  }

  /// What may be told again; nil if that was too much to be kept.
  var kept: KeptAnswer? {
    log.isWhole ? .stream(log, answer.identity, stops: answer.stops, answer.fields) : nil
  }

  /// Writes the beginning of the answer and `events`. From then on the turn's events drive it, until the turn ends.
  func start(with events: [TurnEvent] = []) {
    hasStarted = true
    for reader in [first] + joined { start(reader) }
    answer.turn.events.reader = self
    for event in events { apply(event) }
    if onEnd != nil { for event in answer.turn.events.gathered() { apply(event) } }
  }

  private func start(_ reader: AnswerStreamReader) {
    reader.start()
    if onEnd != nil { keepAlive.add(reader) }
    catchUp(reader)
  }

  /// Ends the stream, with a failure if there is one.
  func end(_ failure: APIError?) {
    for reader in [first] + joined { reader.finish(failure, after: log) }
    for reader in joined { keepAlive.remove(reader) }
    joined = []
  }

  // MARK: The turn

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    if joined.isEmpty, first.take(text, channel) {
      if log.limit > 0 { log.append(text, channel) }
    } else {
      tellAll(text, channel)
    }
    if log.isOverfull { dropOldest() }
    if !hasSeenText, channel == .answer { sawText() }
    // To end the turn may call this object again, so it comes last.
    if first.state.wantsEnd { answer.turn.interrupt() }
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    apply(event)
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { for event in rest { apply(event) } }

  /// Never called, because it takes every event. Readers that are too slow are dropped one by one.
  func fellBehind() {}

  private func apply(_ event: TurnEvent) {
    if let (text, channel) = event.text {
      _ = take(text.raw.utf8.span, channel)
      return
    }
    for reader in [first] + joined where !reader.take(event) { fallBehind(reader) }
    if log.limit > 0 || first.place != nil { log.append(event) }
    // The turn must not wait for a client that is slow.
    if event.endsAnswer { first.catchUp(with: log, whateverRoom: true) } else { dropSlowReaders() }
    if log.isOverfull { dropOldest() }
    if case .answerIsCommentary = event { sawText() }
    if first.state.wantsEnd { answer.turn.interrupt() }
    reportEnd()
  }

  private func reportEnd() {
    guard first.state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    keepAlive.remove(first)
    onEnd(self)
  }

  private func sawText() {
    hasSeenText = true
    answer.sawText()
  }

  // MARK: Readers that have no room

  private func tellAll(_ text: Span<UInt8>, _ channel: TextChannel) {
    for reader in [first] + joined where !reader.take(text, channel) { fallBehind(reader) }
    log.append(text, channel)
    dropSlowReaders()
  }

  /// Called before what the reader has not taken comes into the log.
  private func fallBehind(_ reader: AnswerStreamReader) {
    guard reader.place == nil else { return }
    reader.fallBehind(log)
    reader.writer.whenRoom { self.catchUp(reader) }
  }

  private func catchUp(_ reader: AnswerStreamReader) {
    // A copy, because writing may end the connection and with it the turn, whose end is added to the log.
    let told = log
    reader.catchUp(with: told)
    if reader.place != nil { reader.writer.whenRoom { self.catchUp(reader) } }
    if log.limit == 0 { dropOldest() }
    if first.state.wantsEnd { answer.turn.interrupt() }
  }

  private func dropSlowReaders() {
    for reader in [first] + joined where reader.isTooSlow(for: log) {
      Log.warning("a client does not read its stream; dropped", ["request": answer.turn.requestID])
      reader.writer.abort()
    }
  }

  /// Drops from the log of a long answer what all have got.
  private func dropOldest() {
    dropSlowReaders()
    let places = ([first] + joined).compactMap(\.place)
    log.drop(before: places.min() ?? log.end)
  }
}

extension AnswerStream: AnswerTeller {
  /// A turn that is told to end because its answer is complete will not fail for that.
  var isJoinable: Bool { log.isWhole && (!answer.turn.isInterrupted || first.state.wantsEnd) }

  var isStream: Bool { true }

  func join(_ reader: AnswerReader, _ fields: ResponseFields) {
    let joining = AnswerStreamReader(
      reader.dialect.renderer(answer.identity, stops: answer.stops), reader.writer,
      answer.fields.appending(fields), from: .start)
    joined.append(joining)
    if hasStarted { start(joining) }
  }

  func leave(_ writer: ResponseWriter) {
    for reader in joined where reader.writer === writer { keepAlive.remove(reader) }
    joined.removeAll { $0.writer === writer }
  }
}

extension TurnEvent {
  /// Whether nothing of the answer follows.
  fileprivate var endsAnswer: Bool {
    switch self {
    case .ended, .toolCalls: true
    default: false
    }
  }
}
