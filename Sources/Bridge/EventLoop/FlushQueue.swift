// The streams that have something to send, in the order in which they got it. Owns their order, not their bytes.

/// Sends what was written in this loop turn, or as much of it as a turn has time for.
@LoopActor
enum FlushQueue {
  /// Streams that are flushed before the loop looks at its sockets again. With thousands of them a token for each costs
  /// tens of milliseconds; nobody who asks for something else should wait that long. What is left goes on at once: the
  /// loop does not block meanwhile.
  private static let streamsAtOnce = 64

  /// Both are unchecked: nothing that is done to them calls anybody.
  @exclusivity(unchecked) private static var added: [ByteStream] = []
  @exclusivity(unchecked) private static var flushing: [ByteStream] = []
  /// The first of `flushing` that has not had its turn.
  private static var next = 0

  static func add(_ stream: ByteStream) { added.append(stream) }

  /// Flushes the next streams: one system call each. Returns whether more are waiting.
  static func flushSome() -> Bool {
    if next == flushing.count {
      guard !added.isEmpty else { return false }
      flushing.removeAll(keepingCapacity: true)
      next = 0
      swap(&added, &flushing)
    }
    // Flushing one may write to others: what they add must not meet an array that is being looked at.
    let streams = flushing
    let end = min(next + streamsAtOnce, streams.count)
    for index in next..<end { streams[index].flushIfDirty() }
    next = end
    return end < streams.count || !added.isEmpty
  }
}
