// Events on their way from the engine to one reader. Our own queue with one waiter: everything that gathers in a
// loop turn is handed over at once, with one resumption.

/// Takes text the moment it comes in, without a copy.
@LoopActor
protocol TextReader: AnyObject {
  /// Takes a piece of text, still escaped, by returning true. What it does not take gathers in the stream.
  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool
}

/// The events of one turn.
@LoopActor
final class TurnStream {
  /// Text that may wait for a reader before it counts as gone.
  static let maxPendingBytes = 256 * 1024
  /// The same for pieces: however short its text, one costs some eighty bytes here and two hundred once rendered.
  static let maxPendingEvents = 8 * 1024

  /// Unchecked: nothing that is done to it calls anybody.
  @exclusivity(unchecked) private var pending: [TurnEvent] = []
  private var pendingBytes = 0
  private var waiter: UnsafeContinuation<Void, Never>?
  /// Until its first call the reader counts as waiting: it has not had its turn yet.
  private var isReaderWaiting = true
  private(set) var hasEnded = false
  /// Called when the reader is too slow. The text is dropped from then on; the end still comes, and lets go of it.
  var onOverflow: (@LoopActor () -> Void)? {
    didSet { if hasEnded { onOverflow = nil } }
  }
  private var hasOverflowed = false
  /// Offered each piece of text while nothing gathers, in the order of the events.
  var reader: (any TextReader)? {
    didSet { if hasEnded { reader = nil } }
  }

  /// Adds a piece of text, still escaped, from where it lies. Unless it has to wait, it is never copied on its way.
  func push(_ text: Span<UInt8>, _ channel: TextChannel) {
    if !offer(text, channel) { gather(.text(EscapedText(raw: String(decoding: text)), channel)) }
  }

  /// Adds an event. After `.ended` nothing more is taken.
  func push(_ event: TurnEvent) {
    let isTaken =
      switch event {
      case .answer(let text): offer(text.raw.utf8.span, .answer)
      case .aside(let text): offer(text.raw.utf8.span, .aside)
      case .checkpoint, .answerRetracted, .ended: false
      }
    if !isTaken { gather(event) }
  }

  private func offer(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard let reader, pending.isEmpty, !hasOverflowed else { return false }
    return reader.take(text, channel)
  }

  private func gather(_ event: TurnEvent) {
    guard !hasEnded else { return }
    switch event {
    case .answer(let text), .aside(let text):
      guard !hasOverflowed else { return }
      pendingBytes += text.raw.utf8.count
      // One piece may be larger than the bound: it came like that, nobody has been slow yet.
      // Nor has a reader been slow that waits and only has not run yet: one loop turn can bring megabytes.
      let isTooMuch = pendingBytes > Self.maxPendingBytes || pending.count >= Self.maxPendingEvents
      if isTooMuch, !pending.isEmpty, !isReaderWaiting {
        hasOverflowed = true
        onOverflow?()
        return
      }
    case .ended:
      hasEnded = true
      // They mostly hold the turn, which holds this stream.
      onOverflow = nil
      reader = nil
    case .checkpoint, .answerRetracted: break
    }
    pending.append(event)
    waiter?.resume()
    waiter = nil
  }

  /// Everything that has gathered; waits if that is nothing. The last event ever is `.ended`.
  func next() async -> [TurnEvent] {
    if pending.isEmpty {
      isReaderWaiting = true
      // Asked again in the body: see `Wait.value`.
      await withUnsafeContinuation { if pending.isEmpty { waiter = $0 } else { $0.resume() } }
    }
    defer {
      isReaderWaiting = false
      pending.removeAll(keepingCapacity: pending.capacity <= 64)
      pendingBytes = 0
    }
    return pending
  }
}
