// A streamed answer on its way to its client: each piece is rendered and written where it comes in.
// Owns what is known of the answer while it streams; the connection's backpressure decides when it has to wait.

/// Writes one turn as the events of a chat completion stream.
@LoopActor
final class AnswerStream {
  private let turn: Turn
  private let renderer: ChatChunkRenderer
  private let clock: AnswerClock
  private let writer: ResponseWriter
  private let keepAlive: StreamKeepAlive
  private var answer: StreamedAnswer

  init(
    _ turn: Turn, stops: [String], _ renderer: ChatChunkRenderer, _ clock: AnswerClock, _ writer: ResponseWriter,
    keepAliveInterval: Duration
  ) {
    self.turn = turn
    self.renderer = renderer
    self.clock = clock
    self.writer = writer
    answer = StreamedAnswer(stops: stops)
    keepAlive = StreamKeepAlive(writer, interval: keepAliveInterval)
  }

  var failure: EngineError? { answer.failure }
  var usage: TokenUsage { answer.usage }

  /// Writes the turn up to its end, which `end` then tells.
  func run() async {
    writer.write { renderer.appendStart(to: &$0) }
    // A piece that finds room goes out at once: to resume this task for it would cost more than all the rest of it.
    turn.events.onText = { self.take($0) }
    while answer.outcome == nil {
      let events = await turn.events.next()
      write { answer, buffer in
        for event in events { answer.apply(event, renderer, &buffer) }
      }
      await writer.waitForRoom()
    }
    keepAlive.stop()
  }

  /// The end that every client understands, or the failure.
  func end(_ failure: APIError?) {
    writer.finish { buffer in
      guard let failure else {
        answer.appendRest(renderer, &buffer)
        return renderer.appendEnd(answer.finishReason, usage: ChatObjects.usage(answer.usage), to: &buffer)
      }
      ChatChunkRenderer.appendFailure(failure, to: &buffer)
    }
  }

  private func take(_ event: TurnEvent) -> Bool {
    guard !writer.hasNoRoom else { return false }
    write { answer, buffer in answer.apply(event, renderer, &buffer) }
    return true
  }

  private func write(_ apply: (inout StreamedAnswer, inout ByteBuffer) -> Void) {
    if writer.write({ apply(&answer, &$0) }) { keepAlive.wrote() }
    clock.sawText(answer.hasText)
    if answer.wantsEnd { turn.interrupt() }
  }
}

/// When the first piece of an answer came, from the request on.
@LoopActor
final class AnswerClock {
  private let startedAt: Duration
  private(set) var firstText: Duration?

  init(_ request: Request) { startedAt = request.receivedAt }

  func sawText(_ hasText: Bool) {
    if hasText, firstText == nil { firstText = Loop.now - startedAt }
  }
}

/// Writes comments into a silent stream.
@LoopActor
private final class StreamKeepAlive {
  private var timer: LoopTimer?
  private var wroteAt: Duration

  init(_ writer: ResponseWriter, interval: Duration) {
    wroteAt = Loop.now
    arm(writer, interval, after: interval)
  }

  func wrote() { wroteAt = Loop.now }

  func stop() {
    timer?.close()
    timer = nil
  }

  /// Waits for the end of the silence that began with the last chunk, instead of restarting a timer per chunk.
  private func arm(_ writer: ResponseWriter, _ interval: Duration, after delay: Duration) {
    let timer =
      self.timer
      ?? LoopTimer { [weak self] in
        guard let self else { return }
        let silence = Loop.now - wroteAt
        if silence >= interval {
          writer.write { $0.append(comment: "keep-alive") }
          wroteAt = Loop.now
        }
        arm(writer, interval, after: silence >= interval ? interval : interval - silence)
      }
    self.timer = timer
    timer.start(after: delay)
  }
}
