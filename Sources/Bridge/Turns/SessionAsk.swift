// What is asked in a session, with what is known of it.

/// A request of a session on its way to a turn.
struct SessionAsk {
  var illustrated: IllustratedAsk
  let session: SessionKey
  /// Nil for a session that is not known.
  let record: SessionRecord?
  let selection: ModelSelection
  let history: History
  let caller: any Caller
  /// The turn that goes on, if it brings outputs for one.
  let open: OpenTurn?

  init(
    _ illustrated: IllustratedAsk, _ session: SessionKey, _ record: SessionRecord?, _ selection: ModelSelection,
    _ history: History, _ caller: any Caller, _ open: OpenTurn?
  ) {
    self.illustrated = illustrated
    self.session = session
    self.record = record
    self.selection = selection
    self.history = history
    self.caller = caller
    self.open = open
  }

  var conversation: Conversation { illustrated.ask.conversation }

  /// Whether its client says that it changes the first message of the conversation.
  var startsAnew: Bool { illustrated.ask.startsAnew }

  /// What is kept of the client's key to the provider's cache. A conversation that its client names is known by its name.
  var cacheKey: String? { session.isUnnamed ? history.cacheKey : nil }

  /// The functions that may be called.
  var offeredTools: ToolSet { conversation.tools.choice == .none ? ToolSet([]) : illustrated.ask.toolSet }

  func continuation(knowsSession: Bool) -> Continuation {
    .decide(
      record, model: selection.resolved, tools: offeredTools,
      answerCount: conversation.answerCount,
      knowsSession: knowsSession)
  }

  /// Where the turn goes on that it brings outputs for, if that ran on this thread.
  func openTurn(on thread: ThreadRecord) -> OpenTurn? { open.flatMap { $0.thread == thread.id ? $0 : nil } }

  /// Whether the model may call functions of the client.
  var mayBeAnsweredWithCalls: Bool {
    !conversation.tools.offered.isEmpty && illustrated.ask.forcedCall == nil
  }

  /// Outputs of calls of this thread whose turn is over, if there are any.
  func lateOutputs(on thread: ThreadRecord) -> [Conversation.ToolOutput] {
    openTurn(on: thread) == nil && !thread.tools.isEmpty ? conversation.newOutputs : []
  }
}
