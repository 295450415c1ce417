// The beginning of a streamed answer. Its head is held back until the model gives a sign, so that a turn that fails
// before that is answered with the status of its failure, and not with an event after a 200.

/// Reads the events of a turn until its stream begins; then the `AnswerStream` takes its place. The turn's stream of events
/// holds it.
@LoopActor
final class StreamOpening: TurnReader {
  private let stream: AnswerStream
  private let turn: Turn
  private let openings: StreamOpenings
  let heldSince = Loop.now
  /// The `reconnecting` events so far. They are no sign of the model, and are sent when the stream begins.
  private var held: [TurnEvent] = []

  init(_ stream: AnswerStream, of turn: Turn, _ openings: StreamOpenings) {
    self.stream = stream
    self.turn = turn
    self.openings = openings
  }

  var isReconnecting: Bool { !held.isEmpty }

  /// Waits for the first sign of the model.
  func start() {
    turn.events.reader = self
    let gathered = turn.events.gathered()
    if case .ended? = gathered.last { return takeEnd(gathered) }
    if !gathered.isEmpty, !hold(gathered) { return open(with: gathered) }
    openings.add(self)
  }

  /// Begins the stream with the events that were held back, and `events`.
  func open(with events: [TurnEvent] = []) {
    openings.remove(self)
    stream.start(with: held + events)
  }

  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    open()
    return stream.take(text, channel)
  }

  func take(_ event: TurnEvent) -> Bool {
    if !hold([event]) { open(with: [event]) }
    return true
  }

  func takeEnd(_ rest: [TurnEvent]) {
    openings.remove(self)
    guard let end = rest.last, hold(rest.dropLast()), held.isEmpty || !end.isCompletion else {
      open()
      return stream.takeEnd(rest)
    }
    // The turn has ended without a sign of the model. The head has not been sent, so the stream's `onEnd` chooses the
    // status.
    stream.takeEnd([end])
  }

  /// Never called, because this reader takes every event.
  func fellBehind() {}

  /// Holds events back. Returns false, and does not hold them, if there is a sign of the model among them.
  private func hold(_ events: some Collection<TurnEvent>) -> Bool {
    guard events.allSatisfy(\.isReconnecting) else { return false }
    held += events
    return true
  }
}

extension TurnEvent {
  fileprivate var isReconnecting: Bool { if case .reconnecting = self { true } else { false } }

  fileprivate var isCompletion: Bool { if case .ended(.completed) = self { true } else { false } }
}

/// The streams that have not begun, with one timer for all of them.
@LoopActor
final class StreamOpenings {
  private enum Limit {
    /// How long a head is held back. Codex first reports after three seconds that it cannot reach the model provider, and
    /// this has to be longer.
    static let head = Duration.milliseconds(3500)
    /// How long a head is held back once Codex has reported that. Most networks are back by then.
    static let reconnecting = Duration.seconds(15)
    /// How often the waiting streams are checked.
    static let check = Duration.milliseconds(250)
  }

  private let head: Duration
  private let reconnecting: Duration
  private var waiting: [ObjectIdentifier: StreamOpening] = [:]
  private var ticker = Ticker()

  /// No stream is silent for longer than `maxSilence`, its beginning included.
  init(maxSilence: Duration) {
    head = min(Limit.head, maxSilence)
    reconnecting = min(Limit.reconnecting, maxSilence)
  }

  func add(_ opening: StreamOpening) {
    waiting[ObjectIdentifier(opening)] = opening
    ticker.start(every: min(Limit.check, head / 2)) { [weak self] in self?.openOverdueStreams() }
  }

  func remove(_ opening: StreamOpening) {
    guard waiting.removeValue(forKey: ObjectIdentifier(opening)) != nil else { return }
    if waiting.isEmpty { ticker.stop() }
  }

  private func openOverdueStreams() {
    for opening in waiting.values where Loop.now - opening.heldSince >= limit(opening) { opening.open() }
  }

  private func limit(_ opening: StreamOpening) -> Duration { opening.isReconnecting ? reconnecting : head }
}
