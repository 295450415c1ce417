// What the bridge needs of an engine. `CodexPool` is the engine of the service; tests
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

  /// What stays of one turn of a thread when it is taken back, to be put into the thread again (`TurnRequest.base`,
  /// `TurnRequest.recorded`); nil if it cannot be told.
  func items(of thread: ThreadID, keeping part: TurnPart, ofTurn turnID: String) async -> [String]?

  /// Whether the conversation of a thread may go on in another one, made of its items, and whether it had better.
  func standing(of thread: ThreadID) -> ThreadStanding

  /// What user and assistant have said in a thread, also what was put into it; nil if it cannot be told.
  func messages(of thread: ThreadID) async -> [Conversation.Item]?

  /// What was said and done in a thread, for somebody who may read it. `owner` is whose share of the machine that takes.
  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript

  /// Deletes a thread that nobody needs any more. Does nothing where a turn may run on it, or, unless `endingCommands`, commands
  /// that a turn has left running.
  func delete(_ thread: ThreadID, endingCommands: Bool) async
}

extension TurnEngine {
  /// Nothing, for an engine that keeps no such items.
  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? { nil }

  func items(of thread: ThreadID, keeping part: TurnPart, ofTurn turnID: String) async -> [String]? { nil }

  /// Nothing runs on the threads of such an engine but their turns.
  func standing(of thread: ThreadID) -> ThreadStanding { .whole }

  func messages(of thread: ThreadID) async -> [Conversation.Item]? { nil }

  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript {
    let items = try await history(of: thread).compactMap { item -> Transcript.Item? in
      guard case .message(let message) = item else { return nil }
      return Transcript.Item(turnID: nil, content: .message(message.role, message.parts.map(Transcript.Part.init)))
    }
    return Transcript(items: items, isWhole: false)
  }

  func delete(_ thread: ThreadID, endingCommands: Bool) async {}

  /// Waits while the engine is starting, for `limit` at most. Returns why no turn can be started after that, else nil.
  func unavailability(afterStartingFor limit: Duration) async -> EngineUnavailability? {
    await changes.wait(atMost: limit) { self.unavailability != .starting }
    return unavailability
  }
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
