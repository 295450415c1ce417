// A streamed answer on its way to its client: each piece is rendered and written where it comes in, with no task that waits.
// Owns what is known of the answer while it streams; the connection's backpressure decides when it has to wait.

/// Writes one turn as the events of a chat completion stream. Held by the turn's stream while that goes on.
@LoopActor
final class AnswerStream: TurnReader {
  private let answer: ChatAnswer
  private let renderer: ChatChunkRenderer
  private let writer: ResponseWriter
  private let keepAlive: StreamKeepAlive
  private var hasStarted = false
  private var hasWritten = true
  /// How often in a row `StreamKeepAlive` has found that nothing was.
  private var silentLooks = 0
  /// Known here too: the answer would have to be fetched from memory for each token.
  private var hasSeenText = false
  /// Called once, when the turn has ended. Nil from then on.
  private var onEnd: (@LoopActor (AnswerStream) -> Void)?
  /// Unchecked: it is a value, and what works on it calls nobody who could look at it meanwhile.
  @exclusivity(unchecked) private var state: StreamedAnswer

  /// `onEnd` is called when the turn has ended, and has to see to it that `end` tells the client.
  init(
    _ answer: ChatAnswer, _ writer: ResponseWriter, keepAlive: StreamKeepAlive,
    onEnd: @escaping @LoopActor (AnswerStream) -> Void
  ) {
    self.answer = answer
    self.writer = writer
    self.keepAlive = keepAlive
    self.onEnd = onEnd
    renderer = ChatChunkRenderer(answer.objects)
    state = StreamedAnswer(stops: answer.stops)
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage { state.usage }

  /// Writes the beginning and `events`, and goes on by itself, up to the end of the turn. The head has been sent.
  func start(with events: [TurnEvent] = []) {
    writeStart()
    keepAlive.add(self)
    answer.turn.events.reader = self
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
      guard let failure else {
        state.appendRest(renderer, &buffer)
        return renderer.appendEnd(state.finishReason, usage: ChatObjects.usage(state.usage), to: &buffer)
      }
      ChatChunkRenderer.appendFailure(failure, to: &buffer)
    }
  }

  // MARK: The turn

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard hasRoom() else { return false }
    write { state, buffer in state.apply(text, channel, renderer, &buffer) }
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    guard hasRoom() else { return false }
    apply([event])
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) { apply(rest) }

  func fellBehind() {
    Log.warning("a client does not read its stream; dropped", ["request": answer.turn.requestID])
    writer.abort()
    answer.turn.interrupt()
  }

  private func takeGathered() {
    if hasRoom() { apply(answer.turn.events.gathered()) }
  }

  private func apply(_ events: [TurnEvent]) {
    guard !events.isEmpty else { return }
    write { state, buffer in
      for event in events { state.apply(event, renderer, &buffer) }
    }
    guard state.hasEnded, let onEnd else { return }
    self.onEnd = nil
    keepAlive.remove(self)
    onEnd(self)
  }

  @inline(__always)
  private func write(_ apply: (inout StreamedAnswer, inout ByteBuffer) -> Void) {
    if writer.write({ apply(&state, &$0) }) { hasWritten = true }
    if !hasSeenText, state.hasText {
      hasSeenText = true
      answer.sawText()
    }
    if state.wantsEnd { answer.turn.interrupt() }
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
