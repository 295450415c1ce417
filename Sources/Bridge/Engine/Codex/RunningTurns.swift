// The turns under way, found once per token by an id that still lies in the line it came in.

/// Running turns by their threads.
@LoopActor
final class RunningTurns {
  /// By the fingerprint of the thread's id, so that looking one up copies nothing. The engine draws the ids at random:
  /// for two of them to meet it would have to run billions of turns at once. Unchecked: nothing that is done to it calls
  /// anybody.
  @exclusivity(unchecked) private var turns: [UInt64: RunningTurn] = [:]
  /// What the last delta that was parsed told of all of them.
  private var form: AnswerDeltaForm?

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

  /// Takes a line that goes on with the message that a turn is writing. False for any other line, which is to be parsed.
  func take(_ line: Span<UInt8>) -> Bool {
    guard let form, form.threadID.upperBound <= line.count,
      let running = turns[line.extracting(form.threadID).fingerprint], let message = running.message,
      message.head.begins(line), let text = form.text(of: line, from: message.head.count)
    else { return false }
    running.received(line.extracting(text), message)
    return true
  }

  /// Learns from a delta that was parsed what the next ones will look like.
  func learn(_ delta: AnswerDelta, _ line: Span<UInt8>) {
    if let form = AnswerDeltaForm(delta, line) { self.form = form }
  }

  func removeAll() { turns = [:] }
}
