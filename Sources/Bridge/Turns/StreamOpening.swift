// The beginning of a streamed answer: its head is held back until there is something to tell, so that what fails before
// that has a status of its own and not an event behind a 200.

/// Takes what happens in a turn until its stream begins, then gives way to it. Held by the turn's stream of events.
@LoopActor
final class StreamOpening: TurnReader {
  private let stream: AnswerStream
  private let turn: Turn
  private let openings: StreamOpenings
  private let begin: @LoopActor () -> Void
  let heldSince = Loop.now
  /// What was told of reconnecting, which is no sign of the model.
  private var held: [TurnEvent] = []

  /// `begin` sends the head.
  init(_ stream: AnswerStream, of turn: Turn, _ openings: StreamOpenings, begin: @escaping @LoopActor () -> Void) {
    self.stream = stream
    self.turn = turn
    self.openings = openings
    self.begin = begin
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

  /// Begins the stream with what there is to tell.
  func open(with events: [TurnEvent] = []) {
    openings.remove(self)
    begin()
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
    // An end, and no sign of the model before it: whoever ends the stream decides which status it has.
    stream.takeEnd([end])
  }

  /// Never called: it takes everything.
  func fellBehind() {}

  /// False if there is a sign of the model among these.
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

/// The streams that have not begun: one timer for all of them.
@LoopActor
final class StreamOpenings {
  private enum Limit {
    /// A head is held back this long. Three seconds, and a half more: after three Codex says for the first time that it
    /// cannot reach the model provider.
    static let head = Duration.milliseconds(3500)
    /// The same once Codex has said so: most networks are back by then.
    static let reconnecting = Duration.seconds(15)
    static let look = Duration.milliseconds(250)
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
    ticker.start(every: min(Limit.look, head / 2)) { [weak self] in self?.look() }
  }

  func remove(_ opening: StreamOpening) {
    guard waiting.removeValue(forKey: ObjectIdentifier(opening)) != nil else { return }
    if waiting.isEmpty { ticker.stop() }
  }

  private func look() {
    for opening in waiting.values where Loop.now - opening.heldSince >= limit(opening) { opening.open() }
  }

  private func limit(_ opening: StreamOpening) -> Duration { opening.isReconnecting ? reconnecting : head }
}
