// The engine as the bridge sees it. Codex is the one that ships; tests bring their own.

/// Runs turns.
@LoopActor
protocol TurnEngine: AnyObject {
  /// Nil when a turn would be accepted now.
  var unavailability: EngineUnavailability? { get }

  /// Sent whenever `unavailability` may have changed, and when the last turn has ended.
  var changes: ChangeSignal { get }

  /// Starts a turn; returns once the engine has accepted it. Its events follow in `turn.events`.
  ///
  /// When this throws, the turn has not started and nothing will come in `turn.events`.
  func start(_ turn: Turn) async throws(EngineError)

  /// Facts for people and monitoring.
  var status: EngineStatus { get }

  /// The models on offer, at most as old as configured.
  func models() async throws(EngineError) -> ModelCatalog

  /// The same where they can be told without asking the engine.
  var knownModels: ModelCatalog? { get }

  /// The conversation of a thread as items, user and assistant messages only.
  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item]
}

extension TurnEngine {
  /// Suspends while the engine starts, for `limit` at most. Returns why it cannot be used then; nil if it can.
  func unavailability(afterStartingFor limit: Duration) async -> EngineUnavailability? {
    await changes.wait(atMost: limit) { self.unavailability != .starting }
    return unavailability
  }
}

/// What a turn runs on.
@LoopActor
protocol TurnRunner: AnyObject {
  /// What a turn is doing; nil if it does not run here.
  func progress(of turn: Turn) -> TurnProgress?

  /// Ends a turn early; called once at most. Its end comes as an event like any other.
  func interrupt(_ turn: Turn)

  /// Gives a turn what the client's functions have returned; it goes on.
  func resume(_ turn: Turn, with reply: ToolReply)
}

/// What is known of the engine besides whether it can be used.
struct EngineStatus: Sendable {
  var version: String?
  /// Its processes.
  var processIDs: [Int32] = []
  /// Starts of a process in place of another.
  var restarts = 0
  /// Fresh processes that took over from one that worked, by reason.
  var successions: [String: Int] = [:]
  var unknownNotifications = 0
  /// Why the model provider cannot be reached; nil while it answers, or nobody has asked it.
  var providerFault: String?
  /// Nil while it is not known, or nobody is logged in.
  var account: EngineAccount?
}

/// One turn, from its request to its end.
@LoopActor
final class Turn {
  private(set) var request: TurnRequest
  /// With which rights it runs.
  let profile: TurnProfile
  let events = TurnStream()
  /// The request that asked for it, for log lines.
  let requestID: String
  /// Whose turn it is: who may see and answer what it asks.
  let owner: Principal
  private var stage = Stage.requested
  /// What could go on elsewhere of a turn that has functions of the client.
  private(set) var recording = TurnRecording()
  /// Called with each item that is added to `recording`.
  var onRecorded: (@LoopActor (String) -> Void)?
  /// Whether somebody wants it to end early.
  private(set) var isInterrupted = false
  /// Called once, when the engine has read what was said, its images unpacked, or the turn is over.
  var onContentRead: (@LoopActor () -> Void)?
  /// Set by the engine from when it has accepted the turn to its end.
  private(set) weak var runner: (any TurnRunner)?

  /// How far the engine is with it. That it has ended is known to `events`.
  private enum Stage {
    case requested
    case hasThread
    case accepted(ThreadID)
  }

  init(_ request: TurnRequest, profile: TurnProfile, requestID: String, owner: Principal = .everybody) {
    self.request = request
    hasTools = !request.tools.functions.isEmpty
    hasInput = !request.input.isEmpty
    self.profile = profile
    self.requestID = requestID
    self.owner = owner
  }

  /// Whether the engine has opened a thread for it: what is refused after that is the turn itself.
  var hasThread: Bool { if case .requested = stage { false } else { true } }

  /// The thread it runs on, known once the engine has accepted it.
  var threadID: ThreadID? { if case .accepted(let thread) = stage { thread } else { nil } }

  /// Whether the client's functions can be called in it.
  let hasTools: Bool
  /// Whether it begins with a message of the user's, which is an item of the turn then.
  let hasInput: Bool

  /// What it is doing; nil if it does not run.
  var progress: TurnProgress? { runner?.progress(of: self) }

  /// Makes the instructions a message before the others, for a thread that was made without them.
  func instructAsHistory() {
    guard let instructions = request.instructions else { return }
    request.instructions = nil
    request.history.insert(.message(.developer, [.text(instructions)]), at: 0)
  }

  /// Lets go of what was said, which may be megabytes, once the engine has it.
  func forgetContent() {
    request.instructions = nil
    request.history = []
    request.recorded = []
    request.outputs = []
    request.tools.functions = []
    request.input = []
    request.outputSchema = nil
  }

  /// Called by the engine when it has a thread for the turn.
  func threadWasOpened() { stage = .hasThread }

  /// Called by the engine when it has accepted the turn, which `runner` runs from then on.
  func wasAccepted(on thread: ThreadID, by runner: any TurnRunner) {
    stage = .accepted(thread)
    self.runner = runner
  }

  /// Called by the engine with its name of the turn.
  func wasNamed(_ turnID: String) { recording.began(turnID) }

  /// Called by the engine with an item of the turn, as JSON text.
  func record(_ item: String) {
    recording.add(item)
    onRecorded?(item)
  }

  /// Called by the engine when the turn is over.
  func end(_ outcome: TurnOutcome) {
    runner = nil
    contentWasRead()
    events.push(.ended(outcome))
  }

  /// Called by the engine.
  func contentWasRead() {
    let callback = onContentRead
    if callback != nil { onContentRead = nil }
    callback?()
  }

  /// Throws `.cancelled` if it was interrupted, before more is done for it.
  func checkWanted() throws(EngineError) {
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
