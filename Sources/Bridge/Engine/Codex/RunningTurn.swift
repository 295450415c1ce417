// A turn under way on the app-server: its ids, its clock, its mapper. The running ones belong to `RunningTurns`.

/// A turn the engine has been asked to run.
@LoopActor
final class RunningTurn {
  /// Whether the engine has said which turn it is.
  private enum Start {
    /// It has not: `turn/start` waits for its answer.
    case asked(EarlyLines)
    case answered(turnID: String)
  }

  /// What the model is known to do.
  private enum Model {
    /// It has given no sign yet.
    case silent
    case thinking
    /// The answer is being written.
    case writing
  }

  /// A message that is being written.
  struct Message {
    /// How its lines begin.
    let head: AnswerDeltaHead
    let item: TurnEventMapper.ItemIndex
  }

  let turn: Turn
  /// The turn's, at hand for each token.
  private let events: TurnStream
  let thread: ThreadID
  private(set) var startedAt: Duration
  private var start = Start.asked(EarlyLines())
  /// Unchecked: it is a value, and what works on it calls nobody who could look at it meanwhile.
  @exclusivity(unchecked) private var mapper: TurnEventMapper
  private(set) var lastProgressAt: Duration
  private(set) var ending = TurnEnding.none
  /// Questions to a person that are open: while one is, silence means nothing.
  private var openQuestions = 0
  private var model = Model.silent
  private var outage = ProviderOutage.none
  /// Calls of the client's functions; nil for a turn without any.
  private var calls: ClientCalls?
  /// Since when it waits for the client, whose time is not the turn's.
  private var waitingSince: Duration?
  /// What the answer must look like, if anything was said about it.
  private let shape: AnswerShape?
  private(set) var message: Message?

  init(turn: Turn, thread: ThreadID, mapper: TurnEventMapper, now: Duration) {
    self.turn = turn
    events = turn.events
    self.thread = thread
    self.mapper = mapper
    shape = turn.request.outputSchema.map { AnswerShape(schema: $0) }
    if !turn.request.tools.functions.isEmpty { calls = ClientCalls(turn.request.tools) }
    startedAt = now
    lastProgressAt = now
  }

  // MARK: The start

  /// The engine's name of the turn, known once it has answered its start.
  var turnID: String? { if case .answered(let turnID) = start { turnID } else { nil } }

  /// Whether the message in this line has to wait for the answer to `turn/start`, which alone tells which turn it must
  /// belong to.
  func keepsForLater(_ line: Span<UInt8>) -> Bool {
    guard case .asked(var early) = start else { return false }
    // Or there would be a copy of it that has to be copied.
    start = .asked(EarlyLines())
    defer { start = .asked(early) }
    return early.keep(line)
  }

  /// Takes the engine's answer to the start. Returns the lines that came before it. An answer without a name is none.
  func started(_ turnID: String?) -> [[UInt8]] {
    guard let turnID, case .asked(let early) = start else { return [] }
    start = .answered(turnID: turnID)
    return early.lines
  }

  // MARK: What the engine tells

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
    switch mapper.delta(text, hasEscapes: hasEscapes, of: message.item) {
    case .hidden: break
    case .next(let channel): push(text, channel)
    case .after(let events, let channel):
      push(events)
      push(text, channel)
    }
  }

  @inline(__always)
  private func push(_ text: Span<UInt8>, _ channel: TextChannel) {
    model = channel == .answer ? .writing : .thinking
    events.push(text, channel)
  }

  /// Takes a notification of this turn that is neither its end nor a piece of the answer.
  func received(_ method: String, _ params: JSONValue) {
    // A retry may begin a message again under the id of the one that was written.
    if method == Notification.itemStarted { message = nil }
    push(mapper.map(method, params))
  }

  /// Takes what an earlier turn of the thread has used.
  func receivedEarlierUsage(_ params: JSONValue) { mapper.earlierUsage(params) }

  /// The model does something: what is no text of its.
  func modelActed() {
    lastProgressAt = Loop.now
    outage.end()
    guard case .silent = model else { return }
    model = .thinking
    events.push(.began)
  }

  /// The engine reconnects. Returns whether that is news.
  func reconnects(because reason: String) -> Bool {
    let isNews = outage.reconnects(
      because: reason, at: Loop.now, lastProgressAt: lastProgressAt, hasSpoken: mapper.hasSpokenInCall)
    if isNews { events.push(.reconnecting(reason)) }
    return isNews
  }

  private var currentOutage: (since: Duration, reason: String)? { outage.current(lastProgressAt: lastProgressAt) }

  private func push(_ events: [TurnEvent]) {
    for event in events { push(event) }
  }

  private func push(_ event: TurnEvent) {
    switch event {
    case .answer: model = .writing
    // With the usage a call of the model ends; what follows begins with thinking again.
    case .commentary, .reasoning, .usage, .answerRetracted: model = .thinking
    default: break
    }
    events.push(event)
  }

  // MARK: The client's functions

  /// Takes an item as the Responses API has it.
  func received(rawItem item: JSONValue) {
    guard calls != nil else { return }
    turn.record(item.jsonText)
    let type = item["type"]?.stringValue ?? ""
    let role = item["role"]?.stringValue
    guard !type.hasSuffix("_output"), role == nil || role == "assistant" else { return }
    calls?.responding()
    if type == "function_call", item["namespace"]?.stringValue == ToolNames.namespace { calls?.called(item) }
  }

  /// The model's response is complete.
  func responseCompleted(_ usage: TokenUsage?) -> [ClientCalls.Action] {
    mapper.responded(usage)
    return calls?.responded() ?? []
  }

  /// The engine asks for the output of a call.
  func toolAsked(_ request: JSONValue, _ params: JSONValue) -> [ClientCalls.Action] {
    calls?.asked(request, params) ?? [.refuse(request: request, name: params["tool"]?.stringValue ?? "")]
  }

  /// The client has returned what its functions have.
  func returned(_ reply: ToolReply) -> [ClientCalls.Action] {
    if let since = waitingSince { startedAt += Loop.now - since }
    waitingSince = nil
    lastProgressAt = Loop.now
    return calls?.returned(reply) ?? []
  }

  /// Ends the answer with calls. The turn waits.
  func handOut(_ calls: [Conversation.ToolCall]) {
    waitingSince = Loop.now
    push(mapper.handOut(calls))
  }

  /// Whether it waits for the client.
  var isParked: Bool { waitingSince != nil }

  // MARK: Questions

  /// A change of files that the engine asks about, by its item.
  func fileChange(itemID: String) -> JSONValue? { mapper.tools.fileChange(itemID) }

  /// Tells what the engine asks a person, or what came of it.
  func tell(_ question: QuestionReport) {
    switch question {
    case .asked: openQuestions += 1
    case .answered:
      openQuestions -= 1
      lastProgressAt = Loop.now
    case .declined, .declinedUnseen: break
    }
    if case .writing = model { model = .thinking }
    events.push(.question(question))
  }

  // MARK: The end

  /// Notes that the turn is to end. Returns whether the engine is to be told.
  func interrupt(with outcome: TurnOutcome? = nil) -> Bool { ending.interrupt(at: Loop.now, with: outcome) }

  /// The engine has said that there is no such turn any more.
  func engineKnowsNoTurn() { ending.engineKnowsNoTurn(at: Loop.now) }

  /// Usage of this turn alone.
  var usage: TokenUsage { mapper.turnUsage }
  /// Whether there were commands, which may go on in the background.
  var hasRunCommands: Bool { mapper.tools.hasRunCommands }

  /// Why a turn must not go on.
  enum Expiry {
    case ending(TurnEnding.Expiry)
    case turn(Duration, isSilence: Bool)
    case provider(EngineError)
  }

  /// Nil while it may go on.
  func expiry(at now: Duration, _ options: CodexOptions) -> Expiry? {
    if ending.hasBegun {
      return ending.expiry(at: now, maxInterrupt: options.timeouts.interrupt).map { .ending($0) }
    }
    if isParked { return nil }
    if now - startedAt > options.turnTimeout { return .turn(options.turnTimeout, isSilence: false) }
    if let outage = currentOutage, now - outage.since > options.providerWait {
      let hasActed = if case .silent = model { false } else { true }
      return .provider(
        .providerUnreachable(detail: outage.reason, after: options.providerWait, hasActed: hasActed))
    }
    // Commands and people may take as long as they like.
    guard mapper.tools.isEmpty, openQuestions == 0, now - lastProgressAt > options.turnIdleTimeout else {
      return nil
    }
    return .turn(options.turnIdleTimeout, isSilence: true)
  }

  /// What becomes of the commentary of a turn that has completed.
  enum CommentaryAsAnswer: Equatable {
    /// There is an answer, or no commentary either.
    case none
    /// These messages of it are the answer.
    case fits([String])
    /// It is not what was asked for.
    case mismatch
  }

  /// Without a final message the commentary is the answer: all of it, or the last message where an answer in a certain
  /// shape was asked for.
  var commentaryAsAnswer: CommentaryAsAnswer {
    let commentary = mapper.commentaryWithoutAnswer
    guard let last = commentary.last else { return .none }
    guard let shape else { return .fits(commentary) }
    return shape.fits(last) ? .fits([last]) : .mismatch
  }

  var activity: TurnActivity {
    if ending.hasBegun { return .stopping }
    if openQuestions > 0 { return .waitingForApproval }
    if let outage = currentOutage { return .reconnecting(outage.reason) }
    if let tool = mapper.tools.latest { return .working(tool) }
    return if case .writing = model { .writing } else { .thinking }
  }
}

/// Messages that came before the answer to `turn/start`, as the lines they are.
private struct EarlyLines {
  /// A busy engine is a few lines ahead of its answer; more than this are not read at all.
  private static let maxLines = 10_000
  private static let maxBytes = 16 << 20

  private(set) var lines: [[UInt8]] = []
  private var bytes = 0

  /// Returns whether there was room.
  mutating func keep(_ line: Span<UInt8>) -> Bool {
    guard lines.count < Self.maxLines, bytes + line.count <= Self.maxBytes else { return false }
    lines.append(line.array)
    bytes += line.count
    return true
  }
}
