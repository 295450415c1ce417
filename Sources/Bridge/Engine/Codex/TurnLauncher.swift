// How a turn begins on an app-server: its thread, its history, the call that starts it.
// Owns how many turns the process was given.

/// Starts turns.
@LoopActor
final class TurnLauncher {
  /// Items of a history whose call is put together on the loop.
  private static let itemsOnLoop = 256

  private let server: AppServer
  private let options: CodexOptions
  private let active: RunningTurns
  private let threads: CodexThreads
  private let configuration: CodexConfiguration
  private let commands: CommandProcesses
  private let ends: TurnEnds
  private let notifications: TurnNotifications
  /// Turns that this process was given.
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

  /// Returns once Codex has accepted the turn. Its events follow.
  func start(_ turn: Turn) async throws(EngineError) {
    active.startBegan()
    turnsOfProcess += 1
    ends.watch()
    defer {
      active.startEnded()
      ends.stopWatchingIfIdle()
    }
    let thread = try await open(for: turn)
    turn.threadWasOpened()
    defer { threads.letGo(thread) }
    do throws(EngineError) {
      do throws(EngineError) {
        try await startTurn(turn, onOpen: thread)
      } catch .threadNotFound where turn.request.thread == .existing(thread) {
        try await threads.reopen(thread, for: turn)
        try await startTurn(turn, onOpen: thread)
      }
    } catch {
      threads.release(thread, of: turn)
      throw error
    }
  }

  /// The process is gone.
  func serverLost() { turnsOfProcess = 0 }

  private func open(for turn: Turn) async throws(EngineError) -> ThreadID {
    do throws(EngineError) {
      return try await threads.open(for: turn)
    } catch .rejected(let message) where CodexPayload.meansInvalidConfiguration(message) {
      throw .unavailable(configuration.refused(message))
    }
  }

  private func startTurn(_ turn: Turn, onOpen thread: ThreadID) async throws(EngineError) {
    try turn.checkWanted()
    guard active[thread.raw] == nil else { throw .rejected("the thread already runs a turn") }
    let history = turn.request.history
    if !history.isEmpty {
      // Thousands of items take the loop milliseconds.
      let params =
        history.count > Self.itemsOnLoop
        ? await Loop.offLoop { CodexPayload.injectItems(history, thread) }
        : CodexPayload.injectItems(history, thread)
      do throws(EngineError) {
        _ = try await server.call(Method.threadInjectItems, params)
      } catch .rejected(let message) where CodexPayload.meansUnknownThread(message) {
        throw .threadNotFound(thread)
      }
    }
    try await startTurn(turn, on: thread)
  }

  private func startTurn(_ turn: Turn, on thread: ThreadID) async throws(EngineError) {
    let call = await RPCCall.rendered(
      Method.turnStart,
      CodexPayload.turnStart(
        turn.request, thread, options.reasoningSummary, kind: turn.profile.kind))
    try turn.checkWanted()
    guard !ends.isDraining else { throw .unavailable(.draining) }
    guard let rpc = server.rpc else { throw .unavailable(.starting) }
    let mapper = TurnEventMapper(baseline: threads.usage(of: thread))
    let running = RunningTurn(turn: turn, thread: thread, mapper: mapper, now: Loop.now)
    // The turn's notifications follow its answer in the same read, before any task could resume.
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
      // Whether it was started is unknown; what runs unobserved must not go on, and nothing be started beside it.
      if error == .unresponsive {
        rpc.call(Method.turnInterrupt, ["threadId": .string(thread.raw), "turnId": ""]) { _ in }
        ends.giveUp(thread)
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
    running.turn.forgetContent()
    // What is in the sandbox always ends with its command.
    if running.turn.profile.letsCommandsOutlive {
      commands.turnBegan(on: running.thread, elapsed: Loop.now - running.startedAt)
    }
    // A busy engine may tell of the turn before it answers the call that started it.
    for line in earlyLines {
      if let message = try? RPCMessage.parse(line.span) { notifications.received(message, line.span) }
    }
    if running.turn.isInterrupted { ends.interrupt(running) }
  }
}
