// What is remembered of a turn's commentary: without an answer it becomes that. Pure.

/// The last messages of commentary, so many that they may be an answer.
struct TurnCommentary: Sendable {
  /// UTF-8 bytes. An answer is seldom longer than some tens of kilobytes; what is dropped is the oldest.
  private static let maxBytes = 1 << 20

  private(set) var messages: [String] = []
  private var bytes = 0
  /// The messages that a retry of the engine will not repeat.
  private var finalCount = 0

  mutating func add(_ message: String) {
    guard !message.isEmpty else { return }
    messages.append(message)
    bytes += message.utf8.count
    while bytes > Self.maxBytes, messages.count > 1 {
      bytes -= messages.removeFirst().utf8.count
      finalCount = max(0, finalCount - 1)
    }
  }

  /// Called when a call of the model has ended well: what is there will not come again.
  mutating func keep() { finalCount = messages.count }

  /// Called when a call of the model is retried: what is not final is about to come again.
  mutating func dropRepeated() {
    for message in messages[finalCount...] { bytes -= message.utf8.count }
    messages.removeSubrange(finalCount...)
  }
}
