// One reader of a streamed answer: its own form of the answer, its place in what was told, its own pressure back.

/// Writes an answer to one client.
@LoopActor
final class AnswerStreamReader: KeptAliveStream {
  /// How much of the log is written before it is looked whether there is still room.
  private static let bytesAtOnce = 64 << 10

  let writer: ResponseWriter
  private let renderer: any AnswerRenderer
  /// Header fields of the response.
  private let fields: ResponseFields
  private var hasStarted = false
  /// Whether anything was written since `StreamKeepAlive` last checked. Not checked for overlapping access, as `place` and `state`:
  /// they are values, and the code that changes them never re-enters this object (Decisions).
  @exclusivity(unchecked) private var hasWritten = true
  /// How many checks of `StreamKeepAlive` in a row have found that nothing was written.
  private var silentChecks = 0
  /// Where it is in the log; nil while it has got all of it, and takes each event as it comes.
  @exclusivity(unchecked) private(set) var place: AnswerLog.Cursor?
  /// How much there was in the log when it last had no room, and when that was.
  private var stall = (bytes: 0, entries: 0, since: Duration.zero)
  @exclusivity(unchecked) private(set) var state = AnswerState()

  /// `place` is where it begins in the log, if it comes later than the answer.
  init(
    _ renderer: any AnswerRenderer, _ writer: ResponseWriter, _ fields: ResponseFields,
    from place: AnswerLog.Cursor? = nil
  ) {
    self.renderer = renderer
    self.writer = writer
    self.fields = fields
    self.place = place
  }

  /// The answer as it ends; nil for a dialect that keeps none.
  func kept(_ state: ResponseState) -> RenderedResponse? { (renderer as? any KeptAnswerRenderer)?.kept(state) }

  /// Sends the head, if it was not sent, and the beginning of the answer.
  func start() {
    guard !hasStarted else { return }
    hasStarted = true
    if !writer.hasBegun { writer.begin(status: 200, fields: EventStream.fields.appending(fields)) }
    writer.write { renderer.appendStart(to: &$0) }
  }

  // MARK: As it comes

  /// Takes a piece of text, still escaped as in JSON. Returns false if it is behind, or has no room.
  @inline(__always)
  func take(_ text: Span<UInt8>, _ channel: TextChannel) -> Bool {
    guard place == nil, hasRoom() else { return false }
    if writer.write({ state.stream(text, channel, renderer, &$0) }) { hasWritten = true }
    return true
  }

  func take(_ event: TurnEvent) -> Bool {
    guard place == nil, hasRoom() else { return false }
    if writer.write({ state.stream(event, renderer, &$0) }) { hasWritten = true }
    return true
  }

  /// Whether something may be written.
  @inline(__always)
  private func hasRoom() -> Bool {
    guard writer.hasNoRoom else { return true }
    // The bytes may only be waiting to be sent together with those of other connections; sending them may make room.
    writer.flush()
    return !writer.hasNoRoom
  }

  // MARK: From the log

  /// It has no room for what is about to be added to the log.
  func fallBehind(_ log: AnswerLog) {
    place = log.end
    noteStall(log)
  }

  /// Writes what it has missed, as long as there is room; or all of it.
  func catchUp(with log: AnswerLog, whateverRoom: Bool = false) {
    guard var reached = place else { return }
    while whateverRoom || hasRoom() {
      guard writeSome(of: log, from: &reached) else {
        place = nil
        return
      }
      place = reached
    }
    noteStall(log)
  }

  /// Returns false once there is no more.
  private func writeSome(of log: AnswerLog, from place: inout AnswerLog.Cursor) -> Bool {
    var written = 0
    var isLast = false
    let wrote = writer.write { buffer in
      while written < Self.bytesAtOnce {
        guard let step = log.step(from: &place) else {
          isLast = true
          return
        }
        switch step {
        case .text(let channel, let range):
          log.withText(range) { state.stream($0, channel, renderer, &buffer) }
          written += range.count
        case .event(let event):
          state.stream(event, renderer, &buffer)
          written += event.byteCount
        }
      }
    }
    if wrote { hasWritten = true }
    return !isLast
  }

  private func noteStall(_ log: AnswerLog) { stall = (log.totalBytes, log.totalEntries, Loop.now) }

  /// Whether it has left too much unread. What comes in one turn of the loop, which can be megabytes, does not show that a
  /// client is slow: nothing could be sent to it in between.
  func isTooSlow(for log: AnswerLog) -> Bool {
    guard let place, Loop.now > stall.since else { return false }
    if log.totalBytes - stall.bytes > TurnStream.maxPendingBytes { return true }
    if log.totalEntries - stall.entries > TurnStream.maxPendingEvents { return true }
    // Of a log that is too long only what somebody is still to get is held, so that must not be much.
    return (log.isOverfull || !log.isWhole) && log.bytes(after: place) > TurnStream.maxPendingBytes
  }

  // MARK: The end

  /// Ends the stream once all of the log was written, with a failure if there is one.
  func finish(_ failure: APIError?, after log: AnswerLog) {
    if let failure, !writer.hasBegun {
      var response = failure.response
      response.fields.append(fields)
      return writer.send(response)
    }
    start()
    catchUp(with: log)
    guard place == nil else { return writer.whenRoom { self.finish(failure, after: log) } }
    writer.finish { buffer in
      if let failure { return renderer.appendFailure(failure, to: &buffer) }
      renderer.appendEnd(state.ending, usage: state.usage, to: &buffer)
    }
  }

  func breakSilence(of maxSilentChecks: Int) {
    silentChecks = hasWritten ? 0 : silentChecks + 1
    hasWritten = false
    guard silentChecks >= maxSilentChecks else { return }
    writer.write(comment: "keep-alive")
    hasWritten = true
  }
}
