// Starts a turn on an app-server: opens its thread, puts its history into the thread, and calls `turn/start`.
// Owns the count of turns that the process was given.

/// Starts turns.
@LoopActor
final class TurnLauncher {
  /// The call for a longer history is built on another thread: thousands of items would hold up the loop for milliseconds.
  private static let maxItemsOnLoop = 256
  /// A megabyte of JSON is parsed in some milliseconds.
  private static let maxRecordedBytesOnLoop = 128 << 10

  private let server: AppServer
  private let options: CodexOptions
  private let active: RunningTurns
  private let threads: CodexThreads
  private let configuration: CodexConfiguration
  private let commands: CommandProcesses
  private let ends: TurnEnds
  private let notifications: TurnNotifications
  /// The number of turns that the current process was given.
  private(set) var turnsOfProcess = 0

  init(
    server: AppServer, options: CodexOptions, active: RunningTurns, threads: CodexThreads,
    configuration: CodexConfiguration, commands: CommandProcesses, ends: TurnEnds, notifications: TurnNotifications
  ) {
    self.server = server
    self.options = options
    self.active = active
    self.threads = threads
    self.configuration = configuration
    self.commands = commands
    self.ends = ends
    self.notifications = notifications
  }

  /// Starts a turn. Returns once Codex has accepted it; its events follow.
  func start(_ turn: Turn) async throws(EngineError) {
    active.startBegan()
    turnsOfProcess += 1
    ends.startWatching()
    defer {
      active.startEnded()
      ends.stopWatchingIfIdle()
    }
    let thread = try await open(for: turn)
    turn.threadWasOpened()
    defer { threads.releaseHold(thread) }
    do throws(EngineError) {
      do throws(EngineError) {
        try await startTurn(turn, on: thread)
      } catch .threadNotFound where turn.request.thread.id == thread {
        try await threads.reopen(thread, for: turn)
        try await startTurn(turn, on: thread)
      }
    } catch {
      threads.turnEnded(on: thread, turn)
      throw error
    }
  }

  /// Called when the process is lost.
  func processLost() { turnsOfProcess = 0 }

  private func open(for turn: Turn) async throws(EngineError) -> ThreadID {
    do throws(EngineError) {
      return try await threads.open(for: turn)
    } catch .rejected(let message) where CodexPayload.meansInvalidConfiguration(message) {
      throw .unavailable(configuration.refused(message))
    }
  }

  private func addItems(of turn: Turn, to thread: ThreadID) async throws(EngineError) {
    let request = turn.request
    // Thousands of items take the loop milliseconds.
    let params =
      request.base.count + request.history.count + request.recorded.count > Self.maxItemsOnLoop
        || (request.base + request.recorded).reduce(0, { $0 + $1.utf8.count }) > Self.maxRecordedBytesOnLoop
      ? await Loop.offLoop { CodexPayload.injectItems(request, thread) }
      : CodexPayload.injectItems(request, thread)
    do throws(EngineError) {
      _ = try await server.call(Method.threadInjectItems, params)
    } catch .rejected(let message) where CodexPayload.meansUnknownThread(message) {
      throw .threadNotFound(thread)
    }
    // What goes on here may have to go on elsewhere once more. A thread that stays keeps what is put into it.
    if request.thread == .ephemeral {
      for item in CodexPayload.recorded(request) { turn.record(item.jsonText) }
    }
  }

  private func startTurn(_ turn: Turn, on thread: ThreadID) async throws(EngineError) {
    try turn.checkNotInterrupted()
    guard active[thread.raw] == nil else { throw .rejected("the thread already runs a turn") }
    if case .reverted(_, let turnID) = turn.request.thread {
      if turn.request.keepsBranch, turn.keptBranch == nil { await threads.keepBranch(of: thread, for: turn) }
      try await threads.revert(thread, before: turnID)
    }
    if turn.request.hasItems { try await addItems(of: turn, to: thread) }
    let call = await RPCCall.rendered(
      Method.turnStart,
      CodexPayload.turnStart(
        turn.request, on: thread, summary: options.reasoningSummary, kind: turn.profile.kind))
    try turn.checkNotInterrupted()
    guard !ends.isDraining else { throw .unavailable(.draining) }
    guard let rpc = server.rpc else { throw .unavailable(.starting) }
    let mapper = TurnEventMapper(
      baseline: threads.usage(of: thread), countsFromFirstCall: turn.request.thread.isCut)
    let running = RunningTurn(turn: turn, thread: thread, mapper: mapper, now: Loop.now)
    // Registered before the call: notifications of the turn may be in the same read as the answer, and are handled before
    // this task resumes.
    active[thread.raw] = running
    let reply = Waiter<RPCReply>()
    rpc.call(call) {
      if case .result(let result) = $0 { self.accepted(running, result) }
      reply.finish(with: $0)
    }
    do throws(EngineError) {
      _ = try CodexPayload.result(of: await reply.value())
    } catch {
      if active[thread.raw] === running { active[thread.raw] = nil }
      // Without an answer the turn may run or not. It is interrupted, because nobody receives its events, and no other
      // turn may be started on its thread.
      if error == .unresponsive {
        rpc.call(Method.turnInterrupt, ["threadId": .string(thread.raw), "turnId": ""]) { _ in }
        ends.markStuck(thread)
        server.checkHealth()
      }
      if case .rejected(let message) = error, CodexPayload.meansUnknownThread(message) {
        throw .threadNotFound(thread)
      }
      throw error
    }
  }

  private func accepted(_ running: RunningTurn, _ result: JSONValue) {
    let earlyLines = running.started(result["turn"]?["id"]?.stringValue)
    running.turn.wasAccepted(on: running.thread, by: ends)
    running.turn.wasNamed(running.turnID ?? "")
    running.turn.forgetContent()
    // Processes inside the sandbox always end with their command, so only turns that can leave it are recorded.
    if running.turn.profile.letsCommandsOutlive {
      commands.turnBegan(on: running.thread, elapsed: Loop.now - running.startedAt)
    }
    // A busy app-server may send notifications of the turn before it answers the call that started it.
    for line in earlyLines {
      if let message = try? RPCMessage.parse(line.span) { notifications.received(message, line.span) }
    }
    if running.turn.isInterrupted { ends.interrupt(running) }
  }
}
