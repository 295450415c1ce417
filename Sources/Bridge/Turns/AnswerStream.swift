// A streamed answer on its way to its client: each piece is rendered and written where it comes in, with no task that waits.
// Owns what is known of the answer while it streams; the connection's backpressure decides when it has to wait.

/// Writes one turn in the words of one API. Held by the turn's stream while that goes on.
@LoopActor
final class AnswerStream: TurnReader, KeptAliveStream {
  private let turn: Turn
  private let renderer: any AnswerRenderer
  private let writer: ResponseWriter
  private let keepAlive: StreamKeepAlive
  private var hasStarted = false
  private var hasWritten = true
  /// How often in a row `StreamKeepAlive` has found that nothing was.
  private var silentLooks = 0
  /// Known here too: the answer would have to be fetched from memory for each token.
  private var hasSeenText = false
  /// Called with the first piece of the answer's text.
  private let onText: @LoopActor () -> Void
  /// Called once, when the turn has ended. Nil from then on.
  private var onEnd: (@LoopActor (AnswerStream) -> Void)?
  /// Unchecked: it is a value, and what works on it calls nobody who could look at it meanwhile.
  @exclusivity(unchecked) private var state = AnswerState()

  /// `onText` is called with the first piece of the answer's text, `onEnd` when the turn has ended; it has to see to it that
  /// `end` tells the client.
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

  /// Writes the beginning and `events`, and goes on by itself, up to the end of the turn. The head has been sent.
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

  /// The end that every client understands, or the failure. The head has been sent.
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

  /// Whether something may be written. If not, what gathers is fetched once the client has read on.
  @inline(__always)
  private func hasRoom() -> Bool {
    guard writer.hasNoRoom else { return true }
    // It may only wait for its turn to be sent, beside many others, and that is not the client's fault.
    writer.flush()
    guard writer.hasNoRoom else { return true }
    waitForRoom()
    return false
  }

  /// To wait a second time only takes the place of the first.
  private func waitForRoom() { writer.whenRoom { self.takeGathered() } }

  /// Called at equal intervals. Writes a comment when that many calls in a row have found nothing written since the last.
  func breakSilence(of maxSilentLooks: Int) {
    silentLooks = hasWritten ? 0 : silentLooks + 1
    hasWritten = false
    guard silentLooks >= maxSilentLooks else { return }
    writer.write { $0.append(comment: "keep-alive") }
    hasWritten = true
  }
}
