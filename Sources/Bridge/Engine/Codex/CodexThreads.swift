// The threads of one app-server: opened for a turn, kept loaded between turns, started ahead of need, and unloaded.
// Owns which threads are loaded. Which of them run turns is known to `RunningTurns`.

/// Opens, keeps and unloads threads.
@LoopActor
final class CodexThreads {
  private enum Limit {
    /// How many idle threads stay loaded, so that a session's next turn needs no resume. Each holds two file descriptors.
    static let loaded = 32
    /// How long a resume is retried while another process holds the thread. A process that is ending holds its threads
    /// for a moment; a longer wait would only delay the error.
    static let lock = Duration.seconds(5)
    /// The pause between two attempts to resume such a thread.
    static let retry = Duration.milliseconds(50)
  }

  private let server: AppServer
  private let warmThreads: Int
  private var loaded = LoadedThreads(capacity: Limit.loaded)
  private let warm: WarmThreads
  /// Threads on which a turn may still run that the bridge has dropped because it did not end.
  private var stuck: Set<ThreadID> = []
  /// Threads whose turns took a warm thread, or would have: another one of the same kind is still to be started.
  private var toRestock: Set<ThreadID> = []
  /// The number of processes that were lost. An answer that comes after its process was lost is recognised by it.
  private var lostProcesses = 0
  /// Tells whether a turn runs on a thread.
  var isRunning: @LoopActor (ThreadID) -> Bool = { _ in false }
  /// Called with the paths of the files that a new thread has its instructions from.
  var onInstructions: @LoopActor ([String]) -> Void = { _ in }
  /// Tells whether the engine is idle enough to start threads ahead of need.
  var mayWarm: @LoopActor () -> Bool = { false }

  /// Starts at most `warmThreads` threads of each kind ahead of need.
  init(server: AppServer, warmThreads: Int) {
    self.server = server
    self.warmThreads = warmThreads
    warm = WarmThreads(perKind: warmThreads)
  }

  /// Whether this process has loaded a thread, or is loading it. As long as it has, no other process can resume the thread.
  func isUsing(_ thread: ThreadID) -> Bool { loaded.contains(thread) || loaded.isHeld(thread) }

  /// Whether a turn that could not be ended may still run on a thread.
  func isStuck(_ thread: ThreadID) -> Bool { stuck.contains(thread) }

  func standing(of thread: ThreadID) -> ThreadStanding {
    let isBound = !isFree(thread) || loaded.hasRunCommands(thread)
    return isBound ? .bound : loaded.tellsItems(thread) ? .whole : .loadedAgain
  }

  /// Whether no turn runs on a thread or is being started.
  private func isFree(_ thread: ThreadID) -> Bool {
    !loaded.isHeld(thread) && !isRunning(thread) && !isStuck(thread)
  }

  /// The tokens that a thread has used so far; nil if that is not known.
  func usage(of thread: ThreadID) -> TokenUsage? { loaded.usage(of: thread) }
  func setUsage(_ usage: TokenUsage, of thread: ThreadID) { loaded.setUsage(usage, of: thread) }

  // MARK: Opening

  /// Loads the thread of a turn and holds it. The caller ends the hold with `releaseHold`.
  func open(for turn: Turn) async throws(EngineError) -> ThreadID {
    switch turn.request.thread {
    case .ephemeral, .persistent:
      let thread = try await newThread(for: turn)
      loaded.hold(thread)
      if turn.request.thread == .persistent {
        loaded.insert(thread, turn.profile, tellsItems: turn.hasTools)
      }
      return thread
    case .forked(let thread, let turnID):
      let fork = try await fork(thread, after: turnID, for: turn)
      loaded.hold(fork)
      loaded.insert(fork, turn.profile)
      return fork
    case .existing(let thread), .reverted(let thread, _):
      guard !isStuck(thread), loaded.allows(turn.profile, on: thread) else { throw .threadNotFound(thread) }
      // The system prompt of a chat is replaced in its place, which only a thread that is loaded anew allows.
      if turn.replacesInstructions { _ = handOver(thread) }
      loaded.hold(thread)
      guard !loaded.contains(thread) else {
        loaded.touch(thread)
        return thread
      }
      do throws(EngineError) {
        try await resume(thread, for: turn)
      } catch {
        loaded.releaseHold(thread)
        throw error
      }
      return thread
    }
  }

  /// Takes a thread back to what it was before one of its turns. Throws `.threadNotFound` for one that cannot be.
  func revert(_ thread: ThreadID, before turnID: String) async throws(EngineError) {
    do throws(EngineError) {
      let params: JSONValue = ["threadId": .string(thread.raw), "beforeTurnId": .string(turnID)]
      _ = try await server.call(Method.threadRevert, params)
      // The engine does not tell what is left of it.
      loaded.forgetUsage(of: thread)
    } catch .rejected(let reason) {
      Log.warning("a thread cannot be taken back", ["thread": thread, "reason": reason])
      throw .threadNotFound(thread)
    }
  }

  /// Keeps all that a thread has in another one, before it is taken back. Nothing is kept where that cannot be.
  func keepBranch(of thread: ThreadID, for turn: Turn) async {
    do throws(EngineError) {
      let branch = try await fork(thread, after: nil, for: turn)
      unsubscribe(branch)
      turn.branchWasKept(as: branch)
    } catch {
      Log.warning("a branch of a conversation cannot be kept", ["thread": thread, "reason": error])
    }
  }

  private func fork(
    _ thread: ThreadID, after turnID: String?, for turn: Turn
  ) async throws(EngineError) -> ThreadID {
    do throws(EngineError) {
      return try await make(
        Method.threadFork,
        CodexPayload.threadFork(thread, after: turnID, request: turn.request, profile: turn.profile)
      ).id
    } catch .rejected(let reason)
      where CodexPayload.meansUnknownThread(reason) || CodexPayload.meansUnknownTurn(reason)
    {
      throw .threadNotFound(thread)
    }
  }

  /// Has Codex make a thread.
  private func make(
    _ method: String, _ params: JSONValue
  ) async throws(EngineError) -> (id: ThreadID, result: JSONValue) {
    let lostBefore = lostProcesses
    let result = try await server.call(method, params)
    guard let id = result["thread"]?["id"]?.stringValue else {
      throw .rejected("\(method) answered without a thread")
    }
    // The process may have been lost between its answer and this line.
    guard lostBefore == lostProcesses else { throw .unavailable(.starting) }
    return (ThreadID(id), result)
  }

  /// For a thread that was thought to be loaded and is not: only a resume can tell whether it is gone.
  func reopen(_ thread: ThreadID, for turn: Turn) async throws(EngineError) {
    loaded.remove(thread)
    try await resume(thread, for: turn)
  }

  private func newThread(for turn: Turn) async throws(EngineError) -> ThreadID {
    guard let kind = warmKind(for: turn) else { return try await startThread(turn.request, turn.profile) }
    let thread: ThreadID
    if let ready = warm.take(kind) {
      turn.moveInstructionsToHistory()
      thread = ready
    } else {
      thread = try await startThread(turn.request, turn.profile)
    }
    toRestock.insert(thread)
    return thread
  }

  /// The kind of warm thread that a turn can use; nil if it needs a thread of its own. In a warm thread instructions
  /// become a message. A thread that stays gets them at its start instead, so that they are kept when its history is
  /// summarised. The client's functions are part of a thread.
  private func warmKind(for turn: Turn) -> WarmThreads.Kind? {
    guard warmThreads > 0, !turn.request.usesClientTools,
      turn.request.thread == .ephemeral || turn.request.instructions == nil
    else {
      return nil
    }
    return kind(for: turn)
  }

  private func kind(for turn: Turn) -> WarmThreads.Kind {
    WarmThreads.Kind(
      isEphemeral: turn.request.thread == .ephemeral, model: turn.request.model, profile: turn.profile)
  }

  /// Starts a warm thread in place of the one that this turn uses, if there is one to start and the engine is idle enough.
  /// Called once the turn's answer has begun: before that the processor belongs to the turn that somebody waits for.
  func restock(after thread: ThreadID, of turn: Turn) {
    guard toRestock.contains(thread), mayWarm() else { return }
    toRestock.remove(thread)
    let kind = kind(for: turn)
    var request = TurnRequest(thread: kind.isEphemeral ? .ephemeral : .persistent)
    request.model = kind.model
    warm.addThread(of: kind) { [request] in try? await self.startThread(request, kind.profile) }
  }

  private func startThread(
    _ request: TurnRequest, _ profile: TurnProfile
  ) async throws(EngineError) -> ThreadID {
    let made: (id: ThreadID, result: JSONValue)
    do throws(EngineError) {
      made = try await make(Method.threadStart, CodexPayload.threadStart(request, profile))
    } catch .rejected(let message) where CodexPayload.meansInvalidTools(message) {
      throw .turnFailed(.invalidTools(message))
    }
    onInstructions((made.result["instructionSources"]?.arrayValue ?? []).compactMap(\.stringValue))
    return made.id
  }

  private func resume(_ thread: ThreadID, for turn: Turn) async throws(EngineError) {
    let params = CodexPayload.threadResume(thread, request: turn.request, profile: turn.profile)
    let deadline = Loop.now + Limit.lock
    while true {
      try turn.checkNotInterrupted()
      let lostBefore = lostProcesses
      loaded.expect(thread)
      do throws(EngineError) {
        let resumed = try await server.call(Method.threadResume, params)
        guard lostBefore == lostProcesses else { throw .unavailable(.starting) }
        loaded.insert(thread, turn.profile)
        if let last = turn.request.lastTurn, let unknown = CodexPayload.turn(after: last, in: resumed) {
          Log.info(
            "a turn that was not noted before a restart is taken back", ["thread": thread, "turn": unknown])
          try await revert(thread, before: unknown)
        }
        return
      } catch .rejected(let message) where CodexPayload.meansBusyThread(message) && Loop.now < deadline {
        await Loop.sleep(Limit.retry)
      } catch {
        loaded.remove(thread)
        if case .rejected(let message) = error, CodexPayload.meansUnknownThread(message) {
          throw .threadNotFound(thread)
        }
        throw error
      }
    }
  }

  /// Deletes a thread with all that Codex keeps of it. One that stays takes room and does no harm.
  func delete(_ thread: ThreadID, endingCommands: Bool) async {
    guard isFree(thread), endingCommands || !loaded.hasRunCommands(thread) else { return }
    loaded.remove(thread)
    do throws(EngineError) {
      _ = try await server.call(Method.threadDelete, ["threadId": .string(thread.raw)])
    } catch {
      Log.debug("a thread that nobody needs any more stays", ["thread": thread, "reason": error])
    }
  }

  // MARK: Unloading

  /// Ends the hold that `open` began. Called once the turn runs, or has failed to start.
  func releaseHold(_ thread: ThreadID) {
    loaded.releaseHold(thread)
    // If the turn has already ended, the thread could not be unloaded then because it was held.
    unsubscribeIdle()
  }

  /// Records that a turn on the thread has run commands, whose processes may go on in the background.
  func ranCommands(_ thread: ThreadID) { loaded.ranCommands(thread) }

  /// Unloads a thread, so that another process can resume it. Returns false if a turn or a command may still run on it.
  func handOver(_ thread: ThreadID) -> Bool {
    guard loaded.contains(thread), !loaded.isHeld(thread), !loaded.hasRunCommands(thread), !isRunning(thread)
    else { return false }
    loaded.remove(thread)
    unsubscribe(thread)
    return true
  }

  /// Called when the turn on a thread has ended. Unloads the thread at once if it cannot be used again; else it stays
  /// loaded until others need its place.
  func turnEnded(on thread: ThreadID, _ turn: Turn) {
    restock(after: thread, of: turn)
    toRestock.remove(thread)
    if isStuck(thread) { return }
    if turn.request.thread == .ephemeral { return unsubscribe(thread) }
    // A thread takes new instructions only when it is loaded. If it stayed loaded, the old ones would come back when Codex
    // summarises its history. A thread whose commands may still run stays loaded all the same, because unloading ends them.
    if turn.request.changesInstructions, !turn.replacesInstructions, handOver(thread) { return }
    loaded.touch(thread)
    unsubscribeIdle()
  }

  /// Marks a thread on which a turn may run that does not end. The thread is not used again. It stays subscribed, because
  /// otherwise Codex would not report the end of that turn.
  func markStuck(_ thread: ThreadID) {
    stuck.insert(thread)
    loaded.remove(thread)
  }

  /// Called when the engine has unloaded a thread.
  func closed(_ thread: ThreadID) { loaded.remove(thread) }

  /// Unloads threads that were started ahead of need and that no turn has used for long.
  func dropUnused() {
    for thread in warm.takeOld() { unsubscribe(thread) }
  }

  /// Unloads every thread as soon as no turn runs on it.
  func retire() {
    loaded.capacity = 0
    for thread in warm.takeAll() { unsubscribe(thread) }
    unsubscribeIdle()
  }

  /// Called when the process is lost, and all threads that it had loaded.
  func processLost() {
    lostProcesses += 1
    warm.forgetAll()
    toRestock = []
    stuck = []
    loaded.removeAll()
  }

  private func unsubscribeIdle() {
    for idle in loaded.evict(except: isRunning) { unsubscribe(idle) }
  }

  private func unsubscribe(_ thread: ThreadID) {
    server.rpc?.call(Method.threadUnsubscribe, ["threadId": .string(thread.raw)]) { _ in }
  }
}

extension Turn {
  /// Whether its thread is to be loaded with other instructions than it was.
  fileprivate var replacesInstructions: Bool { profile.kind == .chat && request.changesInstructions }
}
