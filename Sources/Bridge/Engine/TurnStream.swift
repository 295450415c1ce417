// Events on their way from the engine to one reader. Our own queue with one waiter: everything that gathers in a
// loop turn is handed over at once, with one resumption.

/// Takes what happens in a turn the moment it comes in, text without a copy. What it does not take, by returning false,
/// gathers in the stream, and so does all that follows until the reader has fetched it with `gathered`.
@LoopActor
protocol TurnReader: AnyObject {
  /// Takes a piece of text, still escaped.
  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool
  /// Takes an event that is neither text nor the end.
  func take(_ event: TurnEvent) -> Bool
  /// Called once when too much has gathered. What comes is dropped from then on, but for the end.
  func fellBehind()
  /// Takes what has gathered and the end, which is the last of them, whether there is room or not: more does not come, and
  /// what the turn holds must not be held for as long as somebody reads slowly.
  func takeEnd(_ rest: [TurnEvent])
}

/// The events of one turn.
@LoopActor
final class TurnStream {
  /// Text that may wait for a reader before it counts as fallen behind. Who waits in `next` has to keep up by itself.
  static let maxPendingBytes = 256 * 1024
  /// The same for pieces: however short its text, one costs some eighty bytes here and two hundred once rendered.
  static let maxPendingEvents = 8 * 1024

  /// Unchecked: nothing that is done to it calls anybody.
  @exclusivity(unchecked) private var pending: [TurnEvent] = []
  private var pendingBytes = 0
  private var gatheringSince = Duration.zero
  private var arrival: Waiter<Void>?
  private(set) var hasEnded = false
  private var hasOverflowed = false
  /// Offered everything while nothing gathers, in the order of the events, up to the end, which lets go of it. What has
  /// gathered before it came is its to fetch. Nobody may wait in `next` besides.
  var reader: (any TurnReader)? {
    didSet { if hasEnded { reader = nil } }
  }

  /// Adds a piece of text, still escaped, from where it lies. Unless it has to wait, it is never copied on its way.
  func push(_ text: Span<UInt8>, _ channel: TextChannel) {
    if offer(text, channel) || hasEnded { return }
    gather(.text(EscapedText(raw: String(decoding: text)), channel))
  }

  /// Adds an event. After `.ended` nothing more is taken.
  func push(_ event: TurnEvent) {
    guard !hasEnded else { return }
    let isTaken =
      switch event {
      case .answer(let text): offer(text.raw.utf8.span, .answer)
      case .commentary(let text): offer(text.raw.utf8.span, .commentary)
      case .reasoning(let text): offer(text.raw.utf8.span, .reasoning)
      case .began, .itemBegan, .reasoningPart, .itemEnded, .tool, .question, .reconnecting, .usage,
        .answerRetracted, .answerIsCommentary, .toolCalls:
        offer(event)
      case .ended: end(event)
      }
    if !isTaken { gather(event) }
  }

  private func offer(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard let reader, pending.isEmpty, !hasOverflowed else { return false }
    return reader.take(text, channel)
  }

  private func offer(_ event: TurnEvent) -> Bool {
    guard let reader, pending.isEmpty, !hasOverflowed else { return false }
    return reader.take(event)
  }

  /// Returns whether a reader has taken it.
  private func end(_ event: TurnEvent) -> Bool {
    hasEnded = true
    guard let reader else { return false }
    // It mostly holds the turn, which holds this stream.
    self.reader = nil
    reader.takeEnd(gathered() + [event])
    return true
  }

  private func gather(_ event: TurnEvent) {
    if hasOverflowed, !hasEnded { return }
    if pending.isEmpty { gatheringSince = Loop.now }
    pendingBytes += event.byteCount
    // What comes in one turn of the loop, which can be megabytes, tells nothing: nobody could have sent it on.
    let isTooMuch = pendingBytes > Self.maxPendingBytes || pending.count >= Self.maxPendingEvents
    if let reader, isTooMuch, !hasEnded, Loop.now > gatheringSince {
      hasOverflowed = true
      reader.fellBehind()
      return
    }
    pending.append(event)
    arrival?.finish()
    arrival = nil
  }

  /// Everything that has gathered; waits if that is nothing. The last event ever is `.ended`.
  func next() async -> [TurnEvent] {
    if pending.isEmpty {
      let arrival = Waiter<Void>()
      self.arrival = arrival
      await arrival.value()
    }
    return gathered()
  }

  /// Everything that has gathered, which may be nothing; up to where an answer ends, if one does.
  func gathered() -> [TurnEvent] {
    let end = pending.firstIndex { if case .toolCalls = $0 { true } else { false } }
    guard let end, end < pending.count - 1 else { return takeAll() }
    let answer = Array(pending[...end])
    pending.removeFirst(end + 1)
    pendingBytes = pending.reduce(0) { $0 + $1.byteCount }
    return answer
  }

  /// Puts events before those that have gathered. Nobody reads at the moment.
  func restore(_ events: [TurnEvent]) {
    pending.insert(contentsOf: events, at: 0)
    pendingBytes += events.reduce(0) { $0 + $1.byteCount }
  }

  private func takeAll() -> [TurnEvent] {
    defer {
      // A reader takes most where it comes in, so that there is seldom something to gather.
      pending.removeAll(keepingCapacity: reader == nil && pending.capacity <= 64)
      pendingBytes = 0
    }
    return pending
  }
}
