// A streamed answer on its way to its client: each piece is rendered and written where it comes in.
// Owns what is known of the answer while it streams; the connection's backpressure decides when it has to wait.

/// Writes one turn as the events of a chat completion stream.
@LoopActor
final class AnswerStream: TextReader {
  private let answer: ChatAnswer
  private let renderer: ChatChunkRenderer
  private let writer: ResponseWriter
  private let keepAliveInterval: Duration
  private var keepAlive: LoopTimer?
  private var wroteAt = Loop.now
  /// Known here too: the answer would have to be fetched from memory for each token.
  private var hasSeenText = false
  /// Unchecked: it is a value, and what works on it calls nobody who could look at it meanwhile.
  @exclusivity(unchecked) private var state: StreamedAnswer

  /// After `keepAliveInterval` without a chunk it writes a comment.
  init(_ answer: ChatAnswer, _ writer: ResponseWriter, keepAliveInterval: Duration) {
    self.answer = answer
    self.writer = writer
    self.keepAliveInterval = keepAliveInterval
    renderer = ChatChunkRenderer(answer.objects)
    state = StreamedAnswer(stops: answer.stops)
  }

  var failure: EngineError? { state.failure }
  var usage: TokenUsage { state.usage }

  /// Writes the turn up to its end, which `end` then tells.
  func run() async {
    // What is done between two waits is done in functions of its own, never put back here by the compiler: this one would
    // keep the room for it while it waits.
    begin()
    let events = answer.turn.events
    while !state.hasEnded {
      write(await events.next())
      if writer.hasNoRoom { await writer.waitForRoom() }
    }
    stopKeepAlive()
  }

  @inline(never)
  private func begin() {
    writer.write { renderer.appendStart(to: &$0) }
    startKeepAlive()
    // A piece that finds room goes out at once: to resume the task for it would cost more than all the rest of it.
    answer.turn.events.reader = self
  }

  /// The end that every client understands, or the failure.
  func end(_ failure: APIError?) {
    writer.finish { buffer in
      guard let failure else {
        state.appendRest(renderer, &buffer)
        return renderer.appendEnd(state.finishReason, usage: ChatObjects.usage(state.usage), to: &buffer)
      }
      ChatChunkRenderer.appendFailure(failure, to: &buffer)
    }
  }

  @inline(never)
  private func write(_ events: [TurnEvent]) {
    write { state, buffer in
      for event in events { state.apply(event, renderer, &buffer) }
    }
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard !writer.hasNoRoom else { return false }
    write { state, buffer in state.apply(text, channel, renderer, &buffer) }
    return true
  }

  @inline(__always)
  private func write(_ apply: (inout StreamedAnswer, inout ByteBuffer) -> Void) {
    if writer.write({ apply(&state, &$0) }) { wroteAt = Loop.now }
    if !hasSeenText, state.hasText {
      hasSeenText = true
      answer.sawText()
    }
    if state.wantsEnd { answer.turn.interrupt() }
  }

  // MARK: Silence

  private func startKeepAlive() {
    let timer = LoopTimer { self.silenceMayBeLong() }
    timer.start(after: keepAliveInterval)
    keepAlive = timer
  }

  private func stopKeepAlive() {
    keepAlive?.close()
    keepAlive = nil
  }

  /// Waits for the end of the silence that began with the last chunk, instead of restarting a timer per chunk.
  private func silenceMayBeLong() {
    let silence = Loop.now - wroteAt
    guard silence >= keepAliveInterval else {
      keepAlive?.start(after: keepAliveInterval - silence)
      return
    }
    writer.write { $0.append(comment: "keep-alive") }
    wroteAt = Loop.now
    keepAlive?.start(after: keepAliveInterval)
  }
}
