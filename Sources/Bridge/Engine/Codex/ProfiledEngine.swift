// Two pools of Codex processes as one engine: one for the agent, and one for the plain chat, which is started when it is first
// wanted. Decides which of them a turn goes to.

import Glibc

/// The engine of the service.
@LoopActor
final class ProfiledEngine: TurnEngine {
  private let agents: CodexPool
  private let chats: CodexPool
  private let command: ChildCommand
  private let catalog: ChatCatalog
  private let notices: EngineNotices
  private let startWait: Duration
  /// That of both pools.
  let changes: ChangeSignal

  /// `command` starts the processes of the chat, with `catalog`. A turn waits for them for `startWait` at most. The pools
  /// have one signal of changes.
  init(
    agents: CodexPool, chats: CodexPool, command: ChildCommand, catalog: ChatCatalog, notices: EngineNotices,
    startWait: Duration
  ) {
    self.agents = agents
    self.chats = chats
    self.command = command
    self.catalog = catalog
    self.notices = notices
    self.startWait = startWait
    changes = agents.changes
  }

  /// Starts the agent's processes, and those of a chat that is wanted by default.
  func start(opensChat: Bool = false) {
    agents.start()
    chats.start()
    if opensChat { Loop.spawn { await self.openChats() } }
  }

  func endTurns() {
    agents.endTurns()
    chats.endTurns()
  }

  func stop() async {
    await withDiscardingTaskGroup { [agents, chats] group in
      group.addTask { await agents.stop() }
      group.addTask { await chats.stop() }
    }
  }

  var runningTurns: Int { agents.runningTurns + chats.runningTurns }

  // MARK: The chat's processes

  /// Suspends until a turn of the chat can be started. Returns why it cannot be.
  @discardableResult
  private func openChats() async -> EngineUnavailability? {
    if !chats.isOpen {
      // As the processes of one pool, two at once stand in each other's way in a new home.
      await changes.wait(atMost: startWait) { self.agents.unavailability != .starting }
      await catalog.prepare(with: command)
      tellInstructions()
    }
    if !chats.isOpen { Log.info("starting a Codex process for the plain chat") }
    return await chats.open(within: startWait)
  }

  /// Codex has no way to leave these out.
  private func tellInstructions() {
    for name in ["AGENTS.override.md", "AGENTS.md"] {
      let path = "\(command.home)/\(name)"
      guard access(path, R_OK) == 0, notices.isFirst("chat instructions: \(path)") else { continue }
      Log.info("a file of Codex's home is told to the model in every plain chat too", ["file": path])
    }
  }

  // MARK: TurnEngine

  /// The agent's: that of the chat shows when it is wanted.
  var unavailability: EngineUnavailability? { agents.unavailability }

  var status: EngineStatus {
    var status = agents.status
    let chat = chats.status
    if let told = chats.limitsReportedAt, told > agents.limitsReportedAt ?? .zero { status.account = chat.account }
    status.processIDs += chat.processIDs
    status.restarts += chat.restarts
    status.unknownNotifications += chat.unknownNotifications
    status.successions.merge(chat.successions, uniquingKeysWith: +)
    return status
  }

  func start(_ turn: Turn) async throws(EngineError) {
    let pool = turn.profile.kind == .agent ? agents : try await chatPool(for: turn)
    // Where the other pool has the thread loaded, no process of this one could resume it.
    if let thread = turn.request.thread.id { (pool === chats ? agents : chats).handOver(thread) }
    try await pool.start(turn)
  }

  private func chatPool(for turn: Turn) async throws(EngineError) -> CodexPool {
    let unavailability = await openChats()
    try turn.checkNotInterrupted()
    // A thread never changes its model, so it is always on the same side.
    guard catalog.serves(turn.request.model ?? agents.knownModels?.defaultModel) else { return agents }
    if let unavailability { throw .unavailable(unavailability) }
    return chats
  }

  func models() async throws(EngineError) -> ModelCatalog { try await agents.models() }

  var knownModels: ModelCatalog? { agents.knownModels }

  /// The pool that has a thread loaded; any where none has.
  private func user(of thread: ThreadID) -> CodexPool { chats.isUsing(thread) ? chats : agents }

  func items(
    of thread: ThreadID, without turnID: String?, placing outputs: [Conversation.ToolOutput]
  ) async -> ThreadItems? {
    await user(of: thread).items(of: thread, without: turnID, placing: outputs)
  }

  func standing(of thread: ThreadID) -> ThreadStanding {
    user(of: thread).standing(of: thread)
  }

  func items(of thread: ThreadID, keeping part: TurnPart, ofTurn turnID: String) async -> [String]? {
    await user(of: thread).items(of: thread, keeping: part, ofTurn: turnID)
  }

  func messages(of thread: ThreadID) async -> [Conversation.Item]? {
    await user(of: thread).messages(of: thread)
  }

  func transcript(of thread: ThreadID, for owner: Principal) async throws(EngineError) -> Transcript {
    try await user(of: thread).transcript(of: thread, for: owner)
  }

  func delete(_ thread: ThreadID, endingCommands: Bool) async {
    await user(of: thread).delete(thread, endingCommands: endingCommands)
  }

  func history(of thread: ThreadID) async throws(EngineError) -> [Conversation.Item] {
    try await user(of: thread).history(of: thread)
  }
}
