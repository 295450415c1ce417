// What the bridge needs of an engine, and the turn that it gives to one. `CodexPool` is the engine of the service; tests
// use scripted ones.

/// Runs turns.
@LoopActor
protocol TurnEngine: AnyObject {
  /// Why no turn can be started now; nil when a turn would be accepted.
  var unavailability: EngineUnavailability? { get }

  /// Signalled whenever `unavailability` may have changed, and when the last running turn has ended.
  var changes: ChangeSignal { get }

  /// Starts a turn. Returns once the engine has accepted it; its events follow in `turn.events`.
  ///
  /// When this throws, the turn has not started and `turn.events` stays empty.
  func start(_ turn: Turn) async throws(EngineError)

  /// The state of the engine for people and monitoring.
  var status: EngineStatus { get }

  /// The engine's models, from a list that is at most as old as configured.
  func models() async throws(EngineError) -> ModelCatalog

  /// The engine's models if a recent list is at hand; nil if the engine would have to be asked.
  var knownModels: ModelCatalog? { get }

  /// The turns that ran on a thread: the messages of user and assistant, without tools and reasoning.
  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item]

  /// All items of a thread as the engine has them, its own work included, to be put into another thread
  /// (`TurnRequest.base`), but for those of one of its turns; nil if they cannot be told. `outputs` take the places of those
  /// that the engine itself has given their calls.
  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems?

  /// Whether the conversation of a thread may go on in another one, made of its items, and whether it had better.
  func standing(of thread: ThreadID) -> ThreadStanding

  /// What user and assistant have said in a thread, also what was put into it; nil if it cannot be told.
  func messages(of thread: ThreadID) async -> [Conversation.Item]?

  /// Deletes a thread whose items another one has. Does nothing where it cannot be.
  func delete(_ thread: ThreadID) async
}

extension TurnEngine {
  /// Nothing, for an engine that keeps no such items.
  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? { nil }

  /// Nothing runs on the threads of such an engine but their turns.
  func standing(of thread: ThreadID) -> ThreadStanding { .whole }

  func messages(of thread: ThreadID) async -> [Conversation.Item]? { nil }

  func delete(_ thread: ThreadID) async {}

  /// Waits while the engine is starting, for `limit` at most. Returns why no turn can be started after that, else nil.
  func unavailability(afterStartingFor limit: Duration) async -> EngineUnavailability? {
    await changes.wait(atMost: limit) { self.unavailability != .starting }
    return unavailability
  }
}

/// The part of an engine that runs accepted turns.
@LoopActor
protocol TurnRunner: AnyObject {
  /// What a turn is doing; nil if this runner does not run it.
  func progress(of turn: Turn) -> TurnProgress?

  /// Has the engine end a turn early. Called at most once for each turn. The turn's end comes as an event, like any other.
  func interrupt(_ turn: Turn)

  /// Gives a turn what the client's functions have returned; it goes on.
  func resume(_ turn: Turn, with reply: ToolReply)
}

/// The state of the engine, besides whether it can be used.
struct EngineStatus: Sendable {
  var version: String?
  /// All processes of the engine that run, also those that are starting or ending.
  var processIDs: [Int32] = []
  /// How often a process was started in place of one that had ended or was replaced.
  var restarts = 0
  /// How often a fresh process took over from one that still worked, by reason (`CodexSlot.Reason`).
  var successions: [String: Int] = [:]
  var unknownNotifications = 0
  /// Why the last turn that tried could not reach the model provider; nil if it could, or no turn has tried yet.
  var providerFault: String?
  /// Nil if nobody is logged in, and until the engine has been asked.
  var account: EngineAccount?
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

  /// Asks the engine to end the turn. It ends with an event like any other; the second call does nothing.
  func interrupt() {
    guard !isInterrupted, !events.hasEnded else { return }
    isInterrupted = true
    runner?.interrupt(self)
  }
}
