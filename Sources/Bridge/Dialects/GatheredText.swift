// The text of an answer that is sent whole: without what the engine takes back, and cut at a stop sequence. Pure.

/// The answer's text while it is gathered. Nothing may be added once it is stopped.
struct GatheredText: Sendable {
  private var bytes: [UInt8] = []
  /// How many of the bytes the engine cannot take back any more.
  private var finalBytes = 0
  private var stops: StopMatcher
  /// Whether the answer has ended at a stop sequence.
  private(set) var isStopped = false

  /// The text ends before the first of `stops`.
  init(stops: [String]) { self.stops = StopMatcher(stops) }

  var text: String { String(decoding: bytes, as: UTF8.self) }
  /// What the client sees of it as parts of a message; none if the text is empty.
  var parts: [Conversation.Part] { bytes.isEmpty ? [] : [.text(text)] }

  mutating func add(_ piece: String) {
    guard !stops.isEmpty else { return bytes += Array(piece.utf8) }
    for byte in piece.utf8 {
      bytes.append(byte)
      guard let length = stops.take(byte) else { continue }
      isStopped = true
      bytes.removeLast(length)
      return
    }
  }

  /// Does what an event that is no text does to the text.
  mutating func take(_ event: TurnEvent) {
    switch event {
    case .answerIsCommentary(let messages): add(AnswerParagraphs.joined(messages))
    case .usage: finalBytes = bytes.count
    case .answerRetracted: retract()
    default: break
    }
  }

  private mutating func retract() {
    bytes.removeSubrange(min(finalBytes, bytes.count)...)
    // A stop sequence may have begun in the text that stays.
    stops.reset()
    for byte in bytes.suffix(max(0, stops.longest - 1)) { _ = stops.take(byte) }
  }
}
