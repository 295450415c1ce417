// Streams an answer to its client. Each event is rendered and written as it comes in, so no task waits for the turn. When
// the connection has no room, events wait in the turn's stream.

/// Writes the events of one turn in the words of one API. The turn's stream holds it until the turn ends.
@LoopActor
final class AnswerStream: TurnReader, KeptAliveStream {
  private let turn: Turn
  private let renderer: any AnswerRenderer
  private let writer: ResponseWriter
  private let keepAlive: StreamKeepAlive
  private var hasStarted = false
  /// Whether anything was written since `StreamKeepAlive` last checked.
  private var hasWritten = true
  /// How many checks of `StreamKeepAlive` in a row have found that nothing was written.
  private var silentChecks = 0
  /// Whether `onText` was called. Kept here, because looking at the `Answer` for each token would load it from memory.
  private var hasSeenText = false
  /// Called with the first piece of the answer's text.
  private let onText: @LoopActor () -> Void
  /// Called once, when the turn has ended; nil from then on.
  private var onEnd: (@LoopActor (AnswerStream) -> Void)?
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var state = AnswerState()
  /// Not checked either, for the same reason.
  @exclusivity(unchecked) private var log = AnswerLog()

  /// `onText` is called with the first piece of the answer's text. `onEnd` is called when the turn has ended, and has to
  /// call `end`, which ends the stream.
  init(
    of turn: Turn, renderer: any AnswerRenderer, writer: ResponseWriter, keepAlive: StreamKeepAlive,
    onText: @escaping @LoopActor () -> Void, onEnd: @escaping @LoopActor (AnswerStream) -> Void
  ) {
    self.turn = turn
    self.renderer = renderer
    self.writer = writer
    self.keepAlive = keepAlive
    self.onText = onText
    self.onEnd = onEnd
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage? { state.usage }
  /// The calls that the answer has ended with.
  var openCalls: OpenCalls? { state.openCalls }

  /// What the client sees of the answer, put together by `whole`; nil if that was too much to be kept.
  func seen(in whole: any WholeAnswerRenderer) -> [Conversation.Item]? { log.seen(in: whole) }

  /// Writes the beginning of the answer and `events`. From then on the turn's events drive it, until the turn ends. The
  /// head of the response has to be sent before.
  func start(with events: [TurnEvent] = []) {
    writeStart()
    keepAlive.add(self)
    turn.events.reader = self
    apply(events)
    takeGathered()
  }

  private func writeStart() {
    hasStarted = true
    writer.write { renderer.appendStart(to: &$0) }
  }

  /// Ends the stream, with a failure if there is one. The head of the response has to be sent before.
  func end(_ failure: APIError?) {
    if !hasStarted { writeStart() }
    writer.finish { buffer in
      if let failure { return renderer.appendFailure(failure, to: &buffer) }
      renderer.appendEnd(state.ending, usage: state.usage, to: &buffer)
    }
  }

  // MARK: The turn

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard hasRoom() else { return false }
    // First: to write it may end the turn.
    log.append(text, channel)
    if log.isOverfull { log.drop(before: log.end) }
    write { state, buffer in state.stream(text, channel, renderer, &buffer) }
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    guard hasRoom() else { return false }
    apply([event])
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { apply(rest) }

  func fellBehind() {
    Log.warning("a client does not read its stream; dropped", ["request": turn.requestID])
    writer.abort()
    turn.interrupt()
  }

  private func takeGathered() {
    if hasRoom() { apply(turn.events.gathered()) }
  }

  private func apply(_ events: [TurnEvent]) {
    guard !events.isEmpty else { return }
    for event in events { log.append(event) }
    if log.isOverfull { log.drop(before: log.end) }
    write { state, buffer in
      for event in events { state.stream(event, renderer, &buffer) }
    }
    guard state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    keepAlive.remove(self)
    onEnd(self)
  }

  @inline(__always)
  private func write(_ apply: (inout AnswerState, inout ByteBuffer) -> Void) {
    if writer.write({ apply(&state, &$0) }) { hasWritten = true }
    if !hasSeenText, state.hasText {
      hasSeenText = true
      onText()
    }
    if state.wantsEnd { turn.interrupt() }
  }

  /// Whether something may be written. If not, gathered events are fetched once the connection has room again.
  @inline(__always)
  private func hasRoom() -> Bool {
    guard writer.hasNoRoom else { return true }
    // The bytes may only be waiting to be sent together with those of other connections; sending them may make room.
    writer.flush()
    guard writer.hasNoRoom else { return true }
    waitForRoom()
    return false
  }

  /// May be called while it waits already: the new action replaces the one before it.
  private func waitForRoom() { writer.whenRoom { self.takeGathered() } }

  func breakSilence(of maxSilentChecks: Int) {
    silentChecks = hasWritten ? 0 : silentChecks + 1
    hasWritten = false
    guard silentChecks >= maxSilentChecks else { return }
    writer.write { $0.append(comment: "keep-alive") }
    hasWritten = true
  }
}
