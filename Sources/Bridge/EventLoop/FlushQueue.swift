// The streams that have something to send, in the order in which they got it. Owns their order, not their bytes.

/// Sends what was written in this loop turn, or as much of it as a turn has time for.
@LoopActor
enum FlushQueue {
  /// Streams that are flushed before the loop looks at its sockets again. With thousands of them a token for each costs
  /// tens of milliseconds; nobody who asks for something else should wait that long. What is left goes on at once: the
  /// loop does not block meanwhile. Where there are more than can be sent, tokens for the same one share its write.
  private static let streamsAtOnce = 8
  /// Answers that may wait for each other.
  private static let answersAtOnce = 64
  /// What others ask for at the same time may take long to answer: one may ask for hundreds of answers at once.
  private static let longestGatheringMilliseconds: Int64 = 2

  /// All three are unchecked: nothing that is done to them calls anybody.
  @exclusivity(unchecked) private static var answered: [ByteStream] = []
  @exclusivity(unchecked) private static var added: [ByteStream] = []
  @exclusivity(unchecked) private static var flushing: [ByteStream] = []
  /// When the first of `answered` came, in milliseconds from the start of the loop turn.
  private static var gatheringSince: Int64?
  /// The first of `flushing` that has not had its turn.
  private static var next = 0

  static func add(_ stream: ByteStream) { added.append(stream) }

  // MARK: Answers

  /// For a stream that was written to while it was read: its peer has asked for something that needed no waiting.
  static func addAnswer(_ stream: ByteStream) { answered.append(stream) }

  /// Flushes the answers once there are as many as are to wait for each other, or have waited for long; at once where other
  /// streams are waiting for their turn, since the loop has more to do then than to answer. Called after each read.
  static func flushGatheredAnswers() {
    guard !answered.isEmpty else { return }
    if hasOthers || answered.count >= answersAtOnce { return flushAnswers() }
    let now = Loop.turnMilliseconds
    let since = gatheringSince ?? now
    gatheringSince = since
    if now - since >= longestGatheringMilliseconds { flushAnswers() }
  }

  /// Flushes all answers. Those of one look at the sockets leave one right after the other, since the peers are mostly
  /// asleep, and to wake their processor costs as much as to write: it is woken once and stays so. They go before
  /// whatever else is to be sent, however much that is.
  static func flushAnswers() {
    guard !answered.isEmpty else { return }
    gatheringSince = nil
    var streams: [ByteStream] = []
    swap(&answered, &streams)
    for stream in streams { stream.flushIfDirty() }
    // The memory serves the next ones.
    streams.removeAll(keepingCapacity: true)
    if answered.isEmpty { swap(&answered, &streams) }
  }

  // MARK: All others

  private static var hasOthers: Bool { next < flushing.count || !added.isEmpty }

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
    return hasOthers
  }
}
