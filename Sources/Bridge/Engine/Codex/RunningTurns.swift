// The turns under way, found once per token by an id that still lies in the line it came in.

/// Running turns by their threads.
@LoopActor
final class RunningTurns {
  private let seeds = Fingerprint.Seeds()
  /// By the fingerprint of the thread's id, so that looking one up copies nothing. The engine draws the ids at random:
  /// for two of them to meet it would have to run billions of turns at once.
  ///
  /// This and the next are unchecked: nothing that is done to them calls anybody.
  @exclusivity(unchecked) private var turns: [Fingerprint: RunningTurn] = [:]
  /// What the last delta that was parsed told of all of them, with the time of the last line that ended like it.
  @exclusivity(unchecked) private var form: AnswerDeltaForm?

  /// Turns that are being started.
  private(set) var startingCount = 0

  var count: Int { turns.count }
  /// Turns that run or are about to.
  var load: Int { count + startingCount }
  var values: some Collection<RunningTurn> { turns.values }

  subscript(_ thread: String) -> RunningTurn? {
    get { turn(on: thread.utf8.span) }
    set { turns[Fingerprint(of: thread.utf8.span, seeds)] = newValue }
  }

  /// The one that runs a turn here.
  subscript(_ turn: Turn) -> RunningTurn? {
    guard let thread = turn.threadID, let running = self[thread.raw], running.turn === turn else { return nil }
    return running
  }

  /// The one that a message is about: on its thread, and not of another turn. The engine tells of earlier ones, too.
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

  /// Takes a line that goes on with the message that a turn is writing. False for any other line, which is to be parsed.
  func take(_ line: Span<UInt8>) -> Bool {
    guard let threadID = form?.threadID, threadID.upperBound <= line.count,
      let running = turns[Fingerprint(of: line.extracting(threadID), seeds)], let message = running.message,
      message.head.begins(line, seeds), let (text, hasEscapes) = form?.text(of: line, from: message.head.count)
    else { return false }
    running.received(line.extracting(text), hasEscapes: hasEscapes, message)
    return true
  }

  /// Learns from a delta that was parsed what the next ones will look like. Returns how those of its message begin.
  func learn(_ delta: AnswerDelta, _ line: Span<UInt8>) -> AnswerDeltaHead {
    if let form = AnswerDeltaForm(delta, line) { self.form = form }
    return AnswerDeltaHead(delta, line, seeds)
  }

  func removeAll() { turns = [:] }

  /// Counts a turn as being started, up to `startEnded`.
  func startBegan() { startingCount += 1 }
  func startEnded() { startingCount -= 1 }
}
