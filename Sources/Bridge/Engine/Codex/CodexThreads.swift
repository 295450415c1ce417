// The threads of one app-server: opened for a turn, kept loaded between turns, started ahead of need, let go of.
// Owns which threads are loaded; which of them run turns is the engine's business.

/// Opens threads and lets go of them.
@LoopActor
final class CodexThreads {
  private enum Limit {
    /// Idle threads kept loaded so that a session's next turn needs no resume. Each holds two descriptors.
    static let loaded = 32
    /// How long another process may hold a thread before that is an error; a dying engine holds its for a moment.
    static let lock = Duration.seconds(5)
    /// The pause between two attempts at such a thread.
    static let retry = Duration.milliseconds(50)
  }

  private let server: AppServer
  private let warmThreads: Int
  private var loaded = LoadedThreads(capacity: Limit.loaded)
  private let warm: WarmThreads
  /// Threads on which a turn may still run that the bridge has given up.
  private var stuck: Set<ThreadID> = []
  /// Threads like which one is to be put into the stock: their turns took them from there, or found none.
  private var owed: Set<ThreadID> = []
  /// Counts the processes that were lost: what one has said does not hold for the next.
  private var processLife = 0
  /// Whether a turn runs on a thread.
  var isRunning: @LoopActor (ThreadID) -> Bool = { _ in false }
  /// Called with the files that a new thread has its instructions from.
  var onInstructions: @LoopActor ([String]) -> Void = { _ in }
  /// Whether the engine has the time to start threads ahead of need.
  var mayWarm: @LoopActor () -> Bool = { false }

  /// Keeps at most `warmThreads` threads of each kind ahead of need.
  init(server: AppServer, warmThreads: Int) {
    self.server = server
    self.warmThreads = warmThreads
    warm = WarmThreads(perShape: warmThreads)
  }

  /// Whether a thread is loaded here; no other process could resume it then.
  func isUsing(_ thread: ThreadID) -> Bool { loaded.contains(thread) || loaded.isHeld(thread) }

  /// Whether a turn that was given up may still run on a thread.
  func isStuck(_ thread: ThreadID) -> Bool { stuck.contains(thread) }

  /// What a thread had used before its next turn, as far as that is known.
  func usage(of thread: ThreadID) -> TokenUsage? { loaded.usage(of: thread) }
  func setUsage(_ usage: TokenUsage, of thread: ThreadID) { loaded.setUsage(usage, of: thread) }

  // MARK: Opening

  /// Loads the turn's thread and holds it; the caller lets it go.
  func open(for turn: Turn) async throws(EngineError) -> ThreadID {
    switch turn.request.thread {
    case .ephemeral, .persistent:
      let thread = try await fresh(for: turn)
      loaded.hold(thread)
      if turn.request.thread == .persistent { loaded.insert(thread, turn.profile) }
      return thread
    case .existing(let thread):
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
        loaded.letGo(thread)
        throw error
      }
      return thread
    }
  }

  /// For a thread that was thought to be loaded and is not: only a resume can tell whether it is gone.
  func reopen(_ thread: ThreadID, for turn: Turn) async throws(EngineError) {
    loaded.remove(thread)
    try await resume(thread, for: turn)
  }

  private func fresh(for turn: Turn) async throws(EngineError) -> ThreadID {
    guard let shape = warmShape(turn) else { return try await start(turn.request, turn.profile) }
    let thread: ThreadID
    if let ready = warm.take(shape) {
      turn.instructAsHistory()
      thread = ready
    } else {
      thread = try await start(turn.request, turn.profile)
    }
    owed.insert(thread)
    return thread
  }

  /// The kind of warm thread that would do. Instructions become a message in it; those of a thread that stays are its
  /// own instead, so that they outlive a summary of its history.
  private func warmShape(_ turn: Turn) -> WarmThreads.Shape? {
    guard warmThreads > 0, turn.request.thread == .ephemeral || turn.request.instructions == nil else {
      return nil
    }
    return shape(turn)
  }

  private func shape(_ turn: Turn) -> WarmThreads.Shape {
    WarmThreads.Shape(
      isEphemeral: turn.request.thread == .ephemeral, model: turn.request.model, profile: turn.profile)
  }

  /// Starts a thread in place of the one that this turn uses. Called once the turn's answer has begun: before that the
  /// processor is for what somebody waits for, and from there on for whoever comes next. Not while many wait.
  func restock(after thread: ThreadID, of turn: Turn) {
    guard owed.contains(thread), mayWarm() else { return }
    owed.remove(thread)
    let shape = shape(turn)
    var request = TurnRequest(thread: shape.isEphemeral ? .ephemeral : .persistent)
    request.model = shape.model
    warm.refill(shape) { [request] in try? await self.start(request, shape.profile) }
  }

  private func start(_ request: TurnRequest, _ profile: TurnProfile) async throws(EngineError) -> ThreadID {
    let life = processLife
    let result = try await server.call(Method.threadStart, CodexPayload.threadStart(request, profile))
    guard let id = result["thread"]?["id"]?.stringValue else {
      throw .rejected("thread/start answered without a thread")
    }
    // The answer may have been the last word of a process that is gone.
    guard life == processLife else { throw .unavailable(.starting) }
    onInstructions((result["instructionSources"]?.arrayValue ?? []).compactMap(\.stringValue))
    return ThreadID(id)
  }

  private func resume(_ thread: ThreadID, for turn: Turn) async throws(EngineError) {
    let params = CodexPayload.threadResume(thread, turn.request, turn.profile)
    let deadline = Loop.now + Limit.lock
    while true {
      try turn.checkWanted()
      let life = processLife
      loaded.expect(thread)
      do throws(EngineError) {
        _ = try await server.call(Method.threadResume, params)
        guard life == processLife else { throw .unavailable(.starting) }
        loaded.insert(thread, turn.profile)
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

  // MARK: Letting go

  /// The counterpart of `open`, once the turn runs or has failed to start.
  func letGo(_ thread: ThreadID) {
    loaded.letGo(thread)
    // Its turn may have ended before, when it could not be let go of.
    unsubscribeIdle()
  }

  /// Notes that a turn has run commands, which may go on in the background.
  func ranCommands(_ thread: ThreadID) { loaded.ranCommands(thread) }

  /// Lets go of a loaded thread that nothing runs on, for another process to resume it. Returns whether it did.
  func handOver(_ thread: ThreadID) -> Bool {
    guard loaded.contains(thread), !loaded.isHeld(thread), !loaded.hasRunCommands(thread), !isRunning(thread)
    else { return false }
    loaded.remove(thread)
    unsubscribe(thread)
    return true
  }

  /// Lets go of a thread no turn runs on: at once if it cannot be used again, else when others need its place.
  func release(_ thread: ThreadID, of turn: Turn) {
    restock(after: thread, of: turn)
    owed.remove(thread)
    if isStuck(thread) { return }
    if turn.request.thread == .ephemeral { return unsubscribe(thread) }
    // Only a thread that is loaded anew takes new instructions for its own; those it has would return with a summary of its
    // history. What its commands do in the background matters more.
    if turn.request.changesInstructions, !turn.replacesInstructions, handOver(thread) { return }
    loaded.touch(thread)
    unsubscribeIdle()
  }

  /// A turn that does not end may go on on this thread. It is not used again, nor unsubscribed: the turn's end would
  /// not be told then.
  func giveUp(_ thread: ThreadID) {
    stuck.insert(thread)
    loaded.remove(thread)
  }

  /// The engine has unloaded a thread.
  func closed(_ thread: ThreadID) { loaded.remove(thread) }

  /// Lets go of threads that were started ahead of a need that did not come.
  func dropUnwanted() {
    for thread in warm.takeOld() { unsubscribe(thread) }
  }

  /// Lets go of every thread as soon as no turn runs on it.
  func retire() {
    loaded.capacity = 0
    for thread in warm.takeAll() { unsubscribe(thread) }
    unsubscribeIdle()
  }

  /// The process is gone, and what it had loaded.
  func processLost() {
    processLife += 1
    warm.forgetAll()
    owed = []
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
