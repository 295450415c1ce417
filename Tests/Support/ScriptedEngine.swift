// An engine whose turns do what the test says.

@testable import Bridge

/// A `TurnEngine` without a process: the test pushes the events.
@LoopActor
final class ScriptedEngine: TurnEngine, TurnRunner {
  var unavailability: EngineUnavailability? { didSet { changes.send() } }
  let changes = ChangeSignal()
  var status = EngineStatus()
  /// What every turn is told to be doing.
  var progress: TurnProgress?
  /// Turns that ask a person something.
  var asking: [Turn] = []
  var catalog = ModelCatalog(models: [
    EngineModel(
      id: "gpt-test", displayName: "GPT Test", efforts: ["low", "high"], defaultEffort: "low", isHidden: false,
      isDefault: true),
    EngineModel(
      id: "gpt-other", displayName: nil, efforts: [], defaultEffort: nil, isHidden: false, isDefault: false),
  ])
  /// Turns in the order they were started.
  private(set) var started: [Turn] = []
  /// Refuses the next turns with these errors, first come first.
  var refusals: [EngineError] = []
  /// Run for each started turn, after it was accepted.
  var script: (@LoopActor (Turn) -> Void)?
  private var nextThread = 1
  /// Whether turns that are started wait until this is false.
  var holdsStarts = false { didSet { changes.send() } }
  /// The turns that have waited for that.
  private(set) var heldStarts: [Turn] = []

  init() {}

  func start(_ turn: Turn) async throws(EngineError) {
    if !refusals.isEmpty { throw refusals.removeFirst() }
    if holdsStarts {
      heldStarts.append(turn)
      await changes.wait { !self.holdsStarts }
    }
    if turn.isInterrupted { throw .cancelled }
    if let thread = turn.request.thread.id {
      turn.wasAccepted(on: thread, by: self)
    } else {
      turn.wasAccepted(on: ThreadID("thread-\(nextThread)"), by: self)
      nextThread += 1
    }
    started.append(turn)
    turn.wasNamed("turn-\(started.count)")
    if turn.request.keepsBranch {
      turn.branchWasKept(as: ThreadID("thread-\(nextThread)"))
      nextThread += 1
    }
    script?(turn)
  }

  func models() async throws(EngineError) -> ModelCatalog { catalog }

  /// Whether the list has become too old to be known.
  var hidesModels = false

  var knownModels: ModelCatalog? { hidesModels ? nil : catalog }

  func progress(of turn: Turn) -> TurnProgress? {
    asking.contains { $0 === turn } ? TurnProgress(activity: .waitingForApproval, lastActivityAt: .zero) : progress
  }

  /// What turns were given to go on with.
  private(set) var replies: [ToolReply] = []

  func resume(_ turn: Turn, with reply: ToolReply) { replies.append(reply) }

  /// What the user has said to turns that ran.
  private(set) var steered: [[Conversation.Part]] = []
  /// What is replied to that; nil lets it wait in `waitingSteers`.
  var steerReply: SteerReply? = .taken(TokenUsage(input: 1, output: 1))
  var waitingSteers: [@LoopActor (SteerReply) -> Void] = []

  func steer(_ turn: Turn, with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void) {
    steered.append(parts)
    if let steerReply { then(steerReply) } else { waitingSteers.append(then) }
  }

  /// Whether turns end as soon as they are told to.
  var endsAtOnce = true

  func interrupt(_ turn: Turn) { if endsAtOnce { turn.events.push(.ended(.interrupted(TokenUsage()))) } }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] { [] }

  /// What can be told of threads; the others are not known.
  var transcripts: [ThreadID: Transcript] = [:]

  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript {
    guard let transcript = transcripts[thread] else { throw .threadNotFound(thread) }
    return transcript
  }

  /// What can be told of every thread, and done with it.
  var threadItems: ThreadItems?
  var threadStanding = ThreadStanding.whole
  /// Threads that were deleted.
  private(set) var deleted: [ThreadID] = []

  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? { threadItems }

  func standing(of thread: ThreadID) -> ThreadStanding { threadStanding }

  func delete(_ thread: ThreadID, endingCommands: Bool) async { deleted.append(thread) }
}

extension Turn {
  /// Pushes an answer in pieces and completes the turn.
  func answer(_ pieces: [String], usage: TokenUsage = TokenUsage(input: 3, output: 2)) {
    for piece in pieces { events.push(.answer(EscapedText(piece))) }
    events.push(.usage(TokenUsage()))
    events.push(.ended(.completed(usage)))
  }
}
