// The turns under way, found once per token by an id that still lies in the line it came in.

/// Running turns by their threads.
struct RunningTurns: Sendable {
  /// By the fingerprint of the thread's id, so that looking one up copies nothing. The engine draws the ids at random:
  /// for two of them to meet it would have to run billions of turns at once.
  private var turns: [UInt64: RunningTurn] = [:]

  /// Where the last delta had the id of its thread; mostly the next one has it there too.
  var deltaThreadID = 0..<0

  var count: Int { turns.count }
  var isEmpty: Bool { turns.isEmpty }
  var values: some Collection<RunningTurn> { turns.values }

  subscript(_ thread: String) -> RunningTurn? {
    get { turn(on: thread.utf8.span) }
    set { turns[thread.utf8.span.fingerprint] = newValue }
  }

  func turn(on thread: Span<UInt8>) -> RunningTurn? {
    guard let running = turns[thread.fingerprint], thread.isEqual(to: running.thread.raw.utf8.span) else {
      return nil
    }
    return running
  }

  /// The turn that the line belongs to if it is a delta.
  func turn(deltasOf line: Span<UInt8>) -> RunningTurn? {
    guard !deltaThreadID.isEmpty, deltaThreadID.upperBound <= line.count else { return nil }
    return turn(on: line.extracting(deltaThreadID))
  }

  mutating func removeAll() { turns = [:] }
}
