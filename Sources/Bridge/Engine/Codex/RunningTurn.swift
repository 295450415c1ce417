// A turn under way on the app-server: its ids, its clock, its mapper. Owned by `CodexEngine`.

/// A turn the engine has been asked to run.
@LoopActor
final class RunningTurn {
  let turn: Turn
  /// The turn's, at hand for each token.
  private let events: TurnStream
  let thread: ThreadID
  let startedAt: Duration
  var turnID: String?
  /// Unchecked: it is a value, and what works on it calls nobody who could look at it meanwhile.
  @exclusivity(unchecked) var mapper: TurnEventMapper
  var lastProgressAt: Duration
  var interruptedAt: Duration?
  /// When the engine has said that there is no such turn any more.
  var overSince: Duration?
  /// The outcome the bridge has decided on, whatever the engine says when it has ended the turn.
  var forcedOutcome: TurnOutcome?
  /// Questions to a person that are open: while one is, silence means nothing.
  var openApprovals = 0
  private var isWriting = false
  /// Whether the model has given a sign.
  private var hasBegun = false
  private var outage: Outage?

  /// A time in which the engine only tries to reach the model provider.
  private struct Outage {
    let since: Duration
    var reason: String
    var isTold = false
  }
  /// What the answer must look like, if anything was said about it.
  private let shape: AnswerShape?

  /// A message that is being written.
  struct Message {
    /// How its lines begin.
    let head: AnswerDeltaHead
    let item: TurnEventMapper.ItemIndex
  }
  private(set) var message: Message?

  init(turn: Turn, thread: ThreadID, mapper: TurnEventMapper, now: Duration) {
    self.turn = turn
    events = turn.events
    self.thread = thread
    self.mapper = mapper
    shape = turn.request.outputSchema.map { AnswerShape(schema: $0) }
    startedAt = now
    lastProgressAt = now
  }

  /// Messages that came before the answer to `turn/start`, which alone tells which turn they must belong to.
  private static let maxEarlyMessages = 10_000
  private static let maxEarlyBytes = 16 << 20
  private var early: [[UInt8]] = []
  private var earlyBytes = 0

  /// Whether the message in this line has to wait for that answer.
  func keepsForLater(_ line: Span<UInt8>) -> Bool {
    guard turnID == nil, early.count < Self.maxEarlyMessages, earlyBytes + line.count <= Self.maxEarlyBytes
    else { return false }
    early.append(line.array)
    earlyBytes += line.count
    return true
  }

  func takeEarlyLines() -> [[UInt8]] {
    defer { early = [] }
    return early
  }

  /// Takes a piece of the answer and how the next ones begin; one of another turn on this thread is dropped.
  func received(_ delta: AnswerDelta, _ line: Span<UInt8>, _ head: AnswerDeltaHead) {
    guard let turnID, line.extracting(delta.turnID).isEqual(to: turnID.utf8.span) else { return }
    let message = Message(head: head, item: mapper.message(line.extracting(delta.itemID)))
    self.message = message
    received(line.extracting(delta.text), hasEscapes: delta.hasEscapes, message)
  }

  /// Takes a piece of a message, still escaped.
  func received(_ text: Span<UInt8>, hasEscapes: Bool, _ message: Message) {
    lastProgressAt = Loop.now
    let placement = mapper.delta(text, hasEscapes: hasEscapes, of: message.item)
    switch placement {
    case .hidden: break
    case .next(let channel):
      isWriting = channel == .answer
      events.push(text, channel)
    case .paragraph: push(placement.events(EscapedText(raw: String(decoding: text))))
    }
  }

  /// The model does something: what is no text of its.
  func modelActed() {
    lastProgressAt = Loop.now
    outage = nil
    guard !hasBegun else { return }
    hasBegun = true
    events.push(.began)
  }

  /// The engine reconnects. Returns what is to be told of it, once in an outage: nil when it was, or when a call that had
  /// begun well was cut, which mostly ends with the next attempt.
  func reconnects(_ reason: String) -> String? {
    if !isReconnecting { outage = Outage(since: Loop.now, reason: reason) } else { outage?.reason = reason }
    guard let known = outage, !known.isTold, !mapper.hasSpokenSinceCheckpoint || known.since < Loop.now else {
      return nil
    }
    outage?.isTold = true
    events.push(.reconnecting(mapper.interjection("Codex cannot reach the model and tries again: \(reason)")))
    return reason
  }

  private var isReconnecting: Bool { outage.map { lastProgressAt <= $0.since } ?? false }

  func push(_ events: [TurnEvent]) {
    for event in events { push(event) }
  }

  private func push(_ event: TurnEvent) {
    switch event {
    case .answer: isWriting = true
    // A checkpoint ends a call of the model; what follows begins with thinking again.
    case .aside, .commentary, .checkpoint, .answerRetracted: isWriting = false
    case .began, .reconnecting, .answerIsCommentary, .ended: break
    }
    events.push(event)
  }

  /// Why a turn must not go on.
  enum Expiry {
    /// The engine has said that the turn is over, and told nothing of its end.
    case over
    /// The engine has not confirmed an interrupt in time: it is stuck.
    case unconfirmedInterrupt
    case turn(Duration, isSilence: Bool)
    case provider(EngineError)
  }

  /// The end of a turn that is over is told by a line that may be just behind.
  private static let maxEnd = Duration.seconds(1)

  /// Nil while it may go on.
  func expiry(at now: Duration, _ options: CodexEngine.Options) -> Expiry? {
    if let overSince, now - overSince > Self.maxEnd { return .over }
    if let interruptedAt { return now - interruptedAt > options.timeouts.interrupt ? .unconfirmedInterrupt : nil }
    if now - startedAt > options.turnTimeout { return .turn(options.turnTimeout, isSilence: false) }
    if isReconnecting, let outage, now - outage.since > options.providerWait {
      let hasActed = hasBegun || message != nil
      return .provider(
        .providerUnreachable(detail: outage.reason, after: options.providerWait, hasActed: hasActed))
    }
    // Commands and people may take as long as they like.
    guard mapper.runningTools.isEmpty, openApprovals == 0, now - lastProgressAt > options.turnIdleTimeout else {
      return nil
    }
    return .turn(options.turnIdleTimeout, isSilence: true)
  }

  /// What becomes of the commentary of a turn that has completed.
  enum CommentaryAsAnswer: Equatable {
    /// There is an answer, or no commentary either.
    case none
    case fits(String)
    /// It is not what was asked for.
    case mismatch
  }

  /// Without a final message the commentary is the answer: all of it, or the last message where an answer in a certain
  /// shape was asked for.
  var commentaryAsAnswer: CommentaryAsAnswer {
    let commentary = mapper.commentaryWithoutAnswer
    guard let last = commentary.last else { return .none }
    guard let shape else { return .fits(commentary.joined(separator: "\n\n")) }
    return shape.fits(last) ? .fits(last) : .mismatch
  }

  var activity: TurnActivity {
    if interruptedAt != nil { return .stopping }
    if openApprovals > 0 { return .waitingForApproval }
    if isReconnecting, let outage { return .reconnecting(outage.reason) }
    if let tool = mapper.currentTool { return .working(tool) }
    return isWriting ? .writing : .thinking
  }
}
