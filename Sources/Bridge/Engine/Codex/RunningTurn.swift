// The state of one turn that the app-server runs: its ids, its times, its open questions, and the mapper of its events.
// `RunningTurns` holds all running ones.

/// A turn that the app-server has been asked to run.
@LoopActor
final class RunningTurn {
  /// Whether `turn/start` has been answered. Its answer names the turn's id.
  private enum Start {
    /// Not yet. Messages that have come before the answer are kept.
    case asked(EarlyLines)
    case answered(turnID: String)
  }

  /// What the model is doing, as far as its output shows.
  private enum Model {
    /// The model has done nothing in this turn yet.
    case silent
    case thinking
    /// The answer is being written.
    case writing
  }

  /// The message that is being written.
  struct Message {
    /// How the lines of its deltas begin.
    let head: AnswerDeltaHead
    let item: TurnEventMapper.ItemIndex
  }

  /// How long a response of the model may stand still after a call of which Codex waits for the output. With less, long arguments
  /// of a further call are not waited for, which then comes with the next answer; with more, a client waits longer to learn
  /// that a response has broken.
  private static let maxResponseSilence = Duration.seconds(10)

  let turn: Turn
  /// `turn.events`, kept here to save a load for each token.
  private let events: TurnStream
  let thread: ThreadID
  private(set) var startedAt: Duration
  private var start = Start.asked(EarlyLines())
  /// Not checked for overlapping access: it is a value, and the code that changes it never re-enters this object
  /// (Decisions).
  @exclusivity(unchecked) private var mapper: TurnEventMapper
  /// When the turn last got anywhere, on the loop's clock. Attempts to reconnect do not count.
  private(set) var lastProgressAt: Duration
  private(set) var ending = TurnEnding.none
  /// The number of open questions to a person. While there is one, Codex has nothing to report, so silence is no fault.
  private var openQuestions = 0
  private var model = Model.silent
  private var outage = ProviderOutage.none
  /// Calls of the client's functions; nil for a turn without any.
  private var calls: ClientCalls?
  /// The schemas of functions whose arguments must follow them exactly, by the functions' names.
  private let strictSchemas: [String: JSONValue]
  /// What the answer, of which nothing is sent, becomes in the end; nil for an answer that is text.
  private let forcedCall: ForcedCall?
  private var forcedText = ""
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
    forcedCall = turn.request.forcedCall
    let tools = turn.request.tools
    if !tools.functions.isEmpty { calls = ClientCalls(tools, answerIsCall: forcedCall != nil) }
    let strict = tools.functions.filter(\.isStrict).map { ($0.name, $0.parameters) }
    strictSchemas = Dictionary(strict) { first, _ in first }
    startedAt = now
    lastProgressAt = now
  }

  // MARK: The start

  /// Codex's id of the turn, known once Codex has answered `turn/start`.
  var turnID: String? { if case .answered(let turnID) = start { turnID } else { nil } }

  /// Keeps a line that comes before the answer to `turn/start`. Without the answer it is not known whether the line
  /// belongs to this turn or to an earlier one of the thread. Returns false if the line can be handled at once.
  func keepForLater(_ line: Span<UInt8>) -> Bool {
    guard case .asked(var early) = start else { return false }
    // With a second reference in `start`, appending to `early` would copy all lines.
    start = .asked(EarlyLines())
    defer { start = .asked(early) }
    return early.keep(line)
  }

  /// Takes the answer to `turn/start`, and returns the lines that came before it. An answer without an id is ignored.
  func started(_ turnID: String?) -> [[UInt8]] {
    guard let turnID, case .asked(let early) = start else { return [] }
    start = .answered(turnID: turnID)
    return early.lines
  }

  // MARK: Codex's messages

  /// Takes a piece of a message that was parsed, and remembers how the lines of the next pieces begin. A piece of an
  /// earlier turn on this thread is dropped.
  func received(_ delta: AnswerDelta, in line: Span<UInt8>, head: AnswerDeltaHead) {
    guard let turnID, line.extracting(delta.turnID).isEqual(to: turnID.utf8.span) else { return }
    let message = Message(head: head, item: mapper.message(line.extracting(delta.itemID)))
    self.message = message
    received(line.extracting(delta.text), hasEscapes: delta.hasEscapes, message)
  }

  /// Takes a piece of a message, still escaped as in JSON.
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
    if forcedCall != nil, channel == .answer { return forcedText += EscapedText(raw: String(decoding: text)).text }
    events.push(text, channel)
  }

  /// Takes a notification of this turn that is neither its end nor a piece of the answer.
  func received(_ method: String, _ params: JSONValue) {
    // A retry may begin a message again under the id of the one that was written.
    if method == Notification.itemStarted { message = nil }
    push(mapper.map(method, params))
  }

  /// Takes the usage that Codex reports for an earlier turn of the thread.
  func receivedEarlierUsage(_ params: JSONValue) { mapper.earlierUsage(params) }

  /// Records that the model has done something.
  func modelActed() {
    lastProgressAt = Loop.now
    outage.end()
    guard case .silent = model else { return }
    model = .thinking
    events.push(.began)
  }

  /// Records that Codex reconnects to the model provider. Returns whether that was reported to the client.
  func recordReconnect(because reason: String) -> Bool {
    let isNews = outage.recordReconnect(
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
    case .answer(let text):
      model = .writing
      if forcedCall != nil { return forcedText += text.text }
    // With its usage a call of the model ends; the next call begins with thinking.
    case .commentary, .reasoning, .usage, .answerRetracted: model = .thinking
    case .tool(let report): turn.used(report)
    default: break
    }
    if case .answerRetracted = event, forcedCall != nil { return forcedText = "" }
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

  /// Looks whether calls have to be handed out although their response is not complete.
  func callsOfSilentResponse(at now: Duration) -> [ClientCalls.Action] {
    now - lastProgressAt > Self.maxResponseSilence ? calls?.responseIsSilent() ?? [] : []
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
    push(mapper.handOut(calls, faults: calls.compactMap(fault)))
  }

  /// Ends the answer, whose turn goes on with what the user says meanwhile. Returns what it has used.
  func handOver() -> TokenUsage {
    let (events, usage) = mapper.handOver()
    push(events)
    lastProgressAt = Loop.now
    return usage
  }

  /// Whether its answer can end before its turn does.
  var canBeSteered: Bool { !isParked && !ending.hasBegun && forcedCall == nil && turnID != nil }

  private func fault(of call: Conversation.ToolCall) -> SchemaViolation? {
    guard let schema = strictSchemas[call.name] else { return nil }
    guard let arguments = try? JSONValue(parsing: call.arguments) else {
      return SchemaViolation(function: call.name, fault: "the arguments are no JSON")
    }
    return SchemaFault.first(in: arguments, by: schema).map { SchemaViolation(function: call.name, fault: $0) }
  }

  /// What a completed answer is that had to be a call; nil for a turn without that.
  func forcedEnd(callID: String) -> Result<OpenCalls, TurnFailure>? {
    guard let forcedCall else { return nil }
    let answer = forcedText.isEmpty ? mapper.commentaryWithoutAnswer.last ?? "" : forcedText
    guard let call = forcedCall.call(from: answer, id: callID) else { return .failure(.noCall) }
    turn.recordCall(CodexPayload.item(.toolCall(call), callNamespace: ToolNames.namespace).jsonText)
    return .success(OpenCalls(calls: [call], usage: usage))
  }

  /// Whether it waits for the client for so long already.
  func hasWaited(until now: Duration, atLeast wait: Duration) -> Bool {
    waitingSince.map { now - $0 > wait } ?? false
  }

  /// Whether it waits for the client.
  var isParked: Bool { waitingSince != nil }

  // MARK: Questions

  /// Codex's item of a change of files under way, by the item's id.
  func fileChange(itemID: String) -> JSONValue? { mapper.tools.fileChange(itemID) }

  /// Reports a question of Codex to a person, or its decision, to the client.
  func report(_ question: QuestionReport) {
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

  /// Records that the turn is to end, with `outcome` if the bridge has decided on one. Returns whether Codex has to be
  /// told.
  func interrupt(with outcome: TurnOutcome? = nil) -> Bool { ending.interrupt(at: Loop.now, with: outcome) }

  /// Records that Codex has refused an interrupt because the turn does not run any more.
  func engineKnowsNoTurn() { ending.engineKnowsNoTurn(at: Loop.now) }

  /// The tokens that this turn alone has used.
  var usage: TokenUsage { mapper.turnUsage }
  /// Whether the turn has run commands. Their processes may go on in the background.
  var hasRunCommands: Bool { mapper.tools.hasRunCommands }
  /// Whether the turn has run commands or changed files.
  var hasEffects: Bool { mapper.tools.hasEffects }

  /// Why a turn must not go on.
  enum Expiry {
    /// The turn is being ended, and its end did not come in time.
    case ending(TurnEnding.Expiry)
    /// The turn has reached this limit: of its whole time, or (`isSilence`) of the time without progress.
    case turn(Duration, isSilence: Bool)
    /// The model provider could not be reached for too long.
    case provider(EngineError)
  }

  /// Why the turn must not go on; nil while it may.
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
    // A turn may be without progress for any time while a command runs or a person is asked.
    guard mapper.tools.isEmpty, openQuestions == 0, now - lastProgressAt > options.turnIdleTimeout else {
      return nil
    }
    return .turn(options.turnIdleTimeout, isSilence: true)
  }

  /// Whether the commentary of a completed turn takes the place of its answer.
  enum CommentaryAsAnswer: Equatable {
    /// It does not: there is an answer, or there is no commentary either.
    case none
    /// These messages of commentary are the answer.
    case fits([String])
    /// There is no answer, and the commentary does not fit the schema that was asked for.
    case mismatch
  }

  /// In a turn without an answer all commentary is the answer. If a schema was asked for, only the last message is, and
  /// it has to fit the schema.
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

/// The lines of messages that came before the answer to `turn/start`.
private struct EarlyLines {
  /// A busy app-server sends a few lines before the answer. Beyond these bounds lines are not kept but handled at once.
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
