// The turns that run on one app-server. They are looked up once per token, so the look-up copies nothing.

/// The running turns, by their threads.
@LoopActor
final class RunningTurns {
  private let seeds = Fingerprint.Seeds()
  /// By the fingerprint of the thread's id, which is computed from the line that the id stands in. Codex draws the ids at
  /// random: billions of turns would have to run at once before two of them had the same fingerprint.
  ///
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var turns: [Fingerprint: RunningTurn] = [:]
  /// The form of the delta that was parsed last. The next ones are recognised by it.
  ///
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var form: AnswerDeltaForm?

  /// The number of turns that are being started.
  private(set) var startingCount = 0

  var count: Int { turns.count }
  /// Turns that wait for their clients: they need nothing of the engine meanwhile.
  private(set) var parkedCount = 0
  /// The number of turns that run or are being started.
  var load: Int { count - parkedCount + startingCount }
  var isEmpty: Bool { turns.isEmpty && startingCount == 0 }
  var values: some Collection<RunningTurn> { turns.values }

  subscript(_ thread: String) -> RunningTurn? {
    get { turn(on: thread.utf8.span) }
    set {
      let key = Fingerprint(of: thread.utf8.span, seeds)
      if turns[key]?.isParked == true { parkedCount -= 1 }
      turns[key] = newValue
    }
  }

  /// The `RunningTurn` of a turn; nil if this app-server does not run it.
  subscript(_ turn: Turn) -> RunningTurn? {
    guard let thread = turn.threadID, let running = self[thread.raw], running.turn === turn else { return nil }
    return running
  }

  /// The running turn that a message is about. Nil for a message about an earlier turn of its thread.
  func turn(of params: JSONValue) -> RunningTurn? {
    guard let thread = params["threadId"]?.stringValue, let running = self[thread] else { return nil }
    let turn = params["turnId"]?.stringValue ?? params["turn"]?["id"]?.stringValue
    return turn == nil || turn == running.turnID ? running : nil
  }

  func turn(on thread: Span<UInt8>) -> RunningTurn? {
    guard let running = turns[Fingerprint(of: thread, seeds)], thread.isEqual(to: running.thread.raw.utf8.span)
    else {
      return nil
    }
    return running
  }

  /// Handles a line without parsing it, if it is the next delta of the message that a turn is writing. Returns false for
  /// any other line, which has to be parsed.
  func takeUnparsed(_ line: Span<UInt8>) -> Bool {
    guard let threadID = form?.threadID, threadID.upperBound <= line.count,
      let running = turns[Fingerprint(of: line.extracting(threadID), seeds)], let message = running.message,
      message.head.begins(line, seeds), let (text, hasEscapes) = form?.text(of: line, from: message.head.count)
    else { return false }
    running.received(line.extracting(text), hasEscapes: hasEscapes, message)
    return true
  }

  /// Remembers the form of a delta that was parsed, by which the next ones are recognised. Returns how the lines of its
  /// message begin.
  func rememberForm(of delta: AnswerDelta, in line: Span<UInt8>) -> AnswerDeltaHead {
    if let form = AnswerDeltaForm(of: delta, in: line) { self.form = form }
    return AnswerDeltaHead(of: delta, in: line, seeds: seeds)
  }

  func removeAll() {
    turns = [:]
    parkedCount = 0
  }

  /// Counts a turn that has begun to wait for its client.
  func parked() { parkedCount += 1 }

  /// Counts a turn that does not wait any more.
  func resumed() { parkedCount -= 1 }

  /// Counts a turn as being started, until `startEnded` is called.
  func startBegan() { startingCount += 1 }
  func startEnded() { startingCount -= 1 }
}
