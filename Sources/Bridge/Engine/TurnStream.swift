// The events of a turn on their way from the engine to one reader, which either takes each event as it comes or waits for
// the next ones. Not an `AsyncStream`: all events that come in one turn of the loop cost a waiting reader one resumption.

/// Receives the events of a turn as they come in, text without a copy. An event that the reader refuses, by returning
/// false, gathers in the stream, and so do all later ones until the reader has fetched them with `gathered`.
@LoopActor
protocol TurnReader: AnyObject {
  /// Takes a piece of text, still escaped as in JSON. Returns false if there is no room for it.
  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool
  /// Takes an event that is neither text nor the end. Returns false if there is no room for it.
  func take(_ event: TurnEvent) -> Bool
  /// Called once when too much has gathered. From then on the stream drops every event but the end.
  func fellBehind()
  /// Takes the gathered events and, as the last of them, the end of the turn. It cannot refuse: nothing more comes, and a
  /// slow client must not keep the turn's place among the running ones.
  func takeEnd(_ rest: [TurnEvent])
}

/// The events of one turn.
@LoopActor
final class TurnStream {
  /// Bytes of text that may gather before a `reader` counts as fallen behind. Code that calls `next` applies its own
  /// backpressure; this limit is for readers that events are pushed to.
  static let maxPendingBytes = 256 * 1024
  /// The same limit as a number of events: even one without text costs some eighty bytes here and two hundred once
  /// rendered.
  static let maxPendingEvents = 8 * 1024

  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var pending: [TurnEvent] = []
  private var pendingBytes = 0
  private var gatheringSince = Duration.zero
  private var arrival: Waiter<Void>?
  private(set) var hasEnded = false
  private var hasOverflowed = false
  /// Gets each event while none waits in `pending`, until the end of the turn, which sets it to nil. A new reader has to
  /// fetch the events that came before it with `gathered`. With a reader set, nobody may call `next`.
  var reader: (any TurnReader)? {
    didSet { if hasEnded { reader = nil } }
  }

  /// Adds a piece of text, still escaped as in JSON. It is copied only if the reader does not take it at once.
  func push(_ text: Span<UInt8>, _ channel: TextChannel) {
    if offer(text, channel) || hasEnded { return }
    gather(.text(EscapedText(raw: String(decoding: text)), channel))
  }

  /// Adds an event. Events after `.ended` are ignored.
  func push(_ event: TurnEvent) {
    guard !hasEnded else { return }
    let isTaken =
      switch event {
      case .answer(let text): offer(text.raw.utf8.span, .answer)
      case .commentary(let text): offer(text.raw.utf8.span, .commentary)
      case .reasoning(let text): offer(text.raw.utf8.span, .reasoning)
      case .began, .itemBegan, .reasoningPart, .itemEnded, .tool, .toolsLeftOut, .question, .reconnecting,
        .notKept, .effectsStay, .usage, .answerRetracted, .answerIsCommentary, .toolCalls:
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

  /// Returns whether a reader has taken the end.
  private func end(_ event: TurnEvent) -> Bool {
    hasEnded = true
    guard let reader else { return false }
    // Breaks a cycle of references: the reader mostly holds the turn, which holds this stream.
    self.reader = nil
    reader.takeEnd(gathered() + [event])
    return true
  }

  /// Gives the reader an end of its own, although the turn goes on: what follows is for the next reader. False if nobody reads, or
  /// if what is to be read ends with calls of functions.
  func handOver(after outcome: TurnOutcome) -> Bool {
    guard let reader, !hasEnded, !hasOverflowed else { return false }
    guard !pending.contains(where: { if case .toolCalls = $0 { true } else { false } }) else { return false }
    self.reader = nil
    reader.takeEnd(gathered() + [.ended(outcome)])
    return true
  }

  private func gather(_ event: TurnEvent) {
    if hasOverflowed, !hasEnded { return }
    if pending.isEmpty { gatheringSince = Loop.now }
    pendingBytes += event.byteCount
    // Events that come in one turn of the loop, which can be megabytes, do not show that the reader is slow: nothing could
    // be sent to its client in between.
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

  /// Waits until there are events, and returns all that have gathered. The last one of the turn is `.ended`.
  func next() async -> [TurnEvent] {
    if pending.isEmpty {
      let arrival = Waiter<Void>()
      self.arrival = arrival
      await arrival.value()
    }
    return gathered()
  }

  /// Returns all events that have gathered, maybe none.
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
      // With a reader events seldom gather, so their memory is given back.
      pending.removeAll(keepingCapacity: reader == nil && pending.capacity <= 64)
      pendingBytes = 0
    }
    return pending
  }
}
