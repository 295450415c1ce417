// The commentary of a turn, kept because it takes the place of the answer if none comes. Pure.

/// The latest messages of a turn's commentary.
struct TurnCommentary: Sendable {
  /// UTF-8 bytes that are kept; beyond them the oldest messages are dropped. Answers are seldom longer than some tens of
  /// kilobytes.
  private static let maxBytes = 1 << 20

  private(set) var messages: [String] = []
  private var bytes = 0
  /// How many of the messages a retry of the engine will not repeat.
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

  /// Called when a call of the model has succeeded: its messages will not come again.
  mutating func callEnded() { finalCount = messages.count }

  /// Called when a call of the model is retried. Drops its messages, because they are about to come again.
  mutating func retry() {
    for message in messages[finalCount...] { bytes -= message.utf8.count }
    messages.removeSubrange(finalCount...)
  }
}
