// The streams that have something to send, in the order in which they got it. Owns their order, not their bytes.

/// Sends what was written in this loop turn, or as much of it as a turn has time for.
///
/// A stream is urgent when it was written to while it was being read: its peer has asked for something that needed no
/// waiting, and waits for the answer.
@LoopActor
enum FlushQueue {
  /// Ordinary streams that are flushed before the loop looks at its sockets again; one system call each. With more,
  /// whoever asks for something else waits longer: a token for each of thousands of streams takes tens of milliseconds.
  /// With fewer, the sockets are looked at more often for the same tokens. What is left goes on at once, since the loop
  /// does not block meanwhile, and further tokens for the same stream then share its write.
  private static let streamsPerFlush = 8
  /// Urgent streams that may wait for each other. With more, the first of them waits longer; with fewer, the peers'
  /// processors are woken more often.
  private static let maxGatheredStreams = 64
  /// How long the first urgent stream may wait for others. One request may ask for hundreds of answers at once, so that
  /// the others take long: with more, the first answer is late; with less, writes are not gathered.
  private static let maxGatheringMilliseconds: Int64 = 2

  // All three are unchecked: see Decisions.
  @exclusivity(unchecked) private static var urgent: [ByteStream] = []
  @exclusivity(unchecked) private static var added: [ByteStream] = []
  @exclusivity(unchecked) private static var flushing: [ByteStream] = []
  /// When the first of `urgent` came, in milliseconds from the start of the loop turn.
  private static var gatheringSince: Int64?
  /// The first of `flushing` that has not had its turn.
  private static var next = 0

  static func add(_ stream: ByteStream) { added.append(stream) }

  // MARK: Urgent streams

  static func addUrgent(_ stream: ByteStream) { urgent.append(stream) }

  /// Flushes the urgent streams once as many have gathered as may, or the first has waited long enough; at once where
  /// ordinary streams are waiting, since the loop has more to do then than to answer. Called after each read.
  static func flushUrgentIfGathered() {
    guard !urgent.isEmpty else { return }
    if hasOthers || urgent.count >= maxGatheredStreams { return flushUrgent() }
    let now = Loop.turnMilliseconds
    let since = gatheringSince ?? now
    gatheringSince = since
    if now - since >= maxGatheringMilliseconds { flushUrgent() }
  }

  /// Flushes all urgent streams, one right after the other: the peers are mostly asleep, and waking a processor costs as
  /// much as writing, so it is woken once and stays awake. They go before all that is ordinary, however much that is.
  static func flushUrgent() {
    guard !urgent.isEmpty else { return }
    gatheringSince = nil
    var streams: [ByteStream] = []
    swap(&urgent, &streams)
    for stream in streams { stream.flushIfDirty() }
    // The memory serves the next ones.
    streams.removeAll(keepingCapacity: true)
    if urgent.isEmpty { swap(&urgent, &streams) }
  }

  // MARK: Ordinary streams

  private static var hasOthers: Bool { next < flushing.count || !added.isEmpty }

  /// Flushes the next ordinary streams. Returns whether more are waiting.
  static func flushSome() -> Bool {
    if next == flushing.count {
      guard !added.isEmpty else { return false }
      flushing.removeAll(keepingCapacity: true)
      next = 0
      swap(&added, &flushing)
    }
    // Flushing one stream may write to others, which are then appended to `added` while this loop runs.
    let streams = flushing
    let end = min(next + streamsPerFlush, streams.count)
    for index in next..<end { streams[index].flushIfDirty() }
    next = end
    return hasOthers
  }
}
