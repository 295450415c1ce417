// A turn as it is given to an engine: what it was asked to do, whose it is, what comes of it, and by whom it is run.

/// The part of an engine that runs accepted turns.
@LoopActor
protocol TurnRunner: AnyObject {
  /// What a turn is doing; nil if this runner does not run it.
  func progress(of turn: Turn) -> TurnProgress?

  /// Has the engine end a turn early. Called at most once for each turn. The turn's end comes as an event, like any other.
  func interrupt(_ turn: Turn)

  /// Gives a turn what the client's functions have returned; it goes on.
  func resume(_ turn: Turn, with reply: ToolReply)

  /// Tells a running turn what the user says meanwhile. Calls `then` once, before any event that comes after the reply.
  func steer(_ turn: Turn, with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void)
}

/// What an engine replies to a message for a running turn.
enum SteerReply: Sendable, Equatable {
  /// The turn is over, cannot take it, or the engine did not reply.
  case refused
  /// The turn goes on with it. What it has used so far and was not told yet comes with it.
  case taken(TokenUsage)
}

/// One turn, from its request to its end.
@LoopActor
final class Turn {
  private(set) var request: TurnRequest
  /// The rights that the turn runs with.
  let profile: TurnProfile
  let events = TurnStream()
  /// The id of the client's request that asked for the turn, for log lines.
  var requestID: String
  /// The only one who may see and answer what the turn asks.
  let owner: Principal
  private var stage = Stage.requested
  /// What could go on elsewhere of a turn that has functions of the client.
  private(set) var recording = TurnRecording()
  private var isRecording = true
  /// The thread that has what this one's thread was taken back from, if that was to be kept and could be.
  private(set) var keptBranch: ThreadID?
  /// Whether it has run commands or changed files.
  private(set) var hasEffects = false
  /// What it has done so far.
  private(set) var steps = TurnSteps()
  /// Called with each item that is added to `recording`.
  var onRecorded: (@LoopActor (String) -> Void)?
  /// Whether somebody wants it to end early.
  private(set) var isInterrupted = false
  /// Called once: when the engine has read the input and has unpacked its images, or when the turn ends before that.
  var onContentRead: (@LoopActor () -> Void)?
  /// The part of the engine that runs the turn; nil before the engine has accepted the turn and after its end.
  private(set) weak var runner: (any TurnRunner)?

  /// How far the start of the turn has come. Whether the turn has ended is known to `events`.
  private enum Stage {
    case requested
    case hasThread
    case accepted(ThreadID)
  }

  init(_ request: TurnRequest, profile: TurnProfile, requestID: String, owner: Principal = .everybody) {
    self.request = request
    hasTools = !request.tools.functions.isEmpty
    hasInput = !request.input.isEmpty
    isOneOff = request.thread == .ephemeral
    self.profile = profile
    self.requestID = requestID
    self.owner = owner
  }

  /// Whether the engine has opened a thread for the turn. A refusal after that is about the turn itself, not its thread.
  var hasThread: Bool { if case .requested = stage { false } else { true } }

  /// The thread that the turn runs on, known once the engine has accepted the turn.
  var threadID: ThreadID? { if case .accepted(let thread) = stage { thread } else { nil } }

  /// Whether the client's functions can be called in it.
  let hasTools: Bool
  /// Whether its thread is forgotten after it.
  let isOneOff: Bool
  /// Whether it begins with a message of the user's, which is an item of the turn then.
  let hasInput: Bool

  /// What it is doing; nil if it does not run.
  var progress: TurnProgress? { runner?.progress(of: self) }

  /// Turns the instructions into the first message of the history, for a thread that was made without them.
  func moveInstructionsToHistory() {
    guard let instructions = request.instructions else { return }
    request.instructions = nil
    request.history.insert(.message(.developer, [.text(instructions)]), at: 0)
  }

  /// Frees the content of the request, which may be megabytes, once the engine has it.
  func forgetContent() {
    request.instructions = nil
    request.base = []
    request.history = []
    request.recorded = []
    request.outputs = []
    request.tools.functions = []
    request.input = []
    request.outputSchema = nil
  }

  /// Called by the engine when it has a thread for the turn.
  func threadWasOpened() { stage = .hasThread }

  /// Called by the engine when it has accepted the turn. `runner` runs the turn from then on.
  func wasAccepted(on thread: ThreadID, by runner: any TurnRunner) {
    stage = .accepted(thread)
    self.runner = runner
  }

  /// Called by the engine when it has kept a branch.
  func branchWasKept(as thread: ThreadID) { keptBranch = thread }

  /// Called by the engine when the turn runs a command or changes files.
  func hadEffects() { hasEffects = true }

  /// Called by the engine when the turn begins or ends to use a tool.
  func used(_ report: ToolReport) { steps.add(report) }

  /// Called by the engine with its name of the turn.
  func wasNamed(_ turnID: String) { recording.began(turnID) }

  /// Called by the engine with an item of the turn, as JSON text.
  func record(_ item: String) {
    guard isRecording else { return }
    recording.add(item)
    onRecorded?(item)
  }

  /// Called when items at the start of `recording` have come into the database.
  func itemsWereStored(_ count: Int) { recording.wereStored(count) }

  /// Called by the engine when the answer that was recorded last stands for a call.
  func recordCall(_ item: String) { recording.replaceLast(with: item) }

  /// Called by the engine when it interrupts the turn: what it adds from there on tells of an end that is none, because the turn
  /// may go on elsewhere.
  func stopRecording() { isRecording = false }

  /// Called by the engine when the turn is over.
  func end(_ outcome: TurnOutcome) {
    runner = nil
    contentWasRead()
    events.push(.ended(outcome))
  }

  /// Called by the engine when it has read the input of the turn, and again by others at the turn's end; only the first
  /// call counts.
  func contentWasRead() {
    let callback = onContentRead
    if callback != nil { onContentRead = nil }
    callback?()
  }

  /// Throws `.cancelled` if the turn was interrupted. Called between the steps of a start, so that no further one is taken.
  func checkNotInterrupted() throws(EngineError) {
    if isInterrupted { throw .cancelled }
  }

  /// Gives it what the client's functions have returned. Does nothing once it has ended.
  func resume(with reply: ToolReply) { runner?.resume(self, with: reply) }

  /// Tells it what the user says meanwhile. Calls `then` once.
  func steer(with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void) {
    guard let runner, !isInterrupted, !events.hasEnded else { return then(.refused) }
    runner.steer(self, with: parts, then: then)
  }

  /// Asks the engine to end the turn. It ends with an event like any other; the second call does nothing.
  func interrupt() {
    guard !isInterrupted, !events.hasEnded else { return }
    isInterrupted = true
    runner?.interrupt(self)
  }
}
