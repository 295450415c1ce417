// Delivers the notifications and requests of an app-server, each to the turn or to the part of the engine that it concerns.
// Owns the count of unknown notifications.

/// Delivers the messages of an app-server that are no answers to calls.
@LoopActor
final class TurnNotifications {
  /// The parts of an engine that messages are delivered to.
  struct Recipients {
    let active: RunningTurns
    let ends: TurnEnds
    let threads: CodexThreads
    let relay: ApprovalRelay
    let tools: ToolRelay
    let account: CodexAccount
    let configuration: CodexConfiguration
    let warnings: CodexWarnings
    let notices: EngineNotices
  }

  private let server: AppServer
  /// `recipients.active`, kept here to save a load for each token.
  private let active: RunningTurns
  private let recipients: Recipients
  private var unknown = UnknownNotifications()

  init(server: AppServer, recipients: Recipients) {
    self.server = server
    active = recipients.active
    self.recipients = recipients
  }

  /// The number of notifications that the bridge does not know.
  var unknownCount: Int { unknown.total }

  /// Delivers a message that is not the answer to a call. `line` is the line that it was parsed from.
  func received(_ message: RPCMessage, _ line: Span<UInt8>) {
    let running = turn(of: message, line)
    if let running, running.keepForLater(line) { return }
    switch message {
    case .answerDelta(let delta):
      guard let running else { return }
      running.received(delta, in: line, head: active.rememberForm(of: delta, in: line))
      recipients.threads.restock(after: running.thread, of: running.turn)
    case .notification(let method, let params): received(method, params)
    case .request(let id, ServerRequest.toolCall, let params):
      guard let rpc = server.rpc else { return }
      recipients.tools.received(id, params, active.turn(of: params), rpc)
    case .request(let id, let method, let params):
      guard let rpc = server.rpc else { return }
      let call = ServerCall(id: id, method: method, params: params, rpc: rpc)
      recipients.relay.received(call, for: active.turn(of: params))
    case .response: break
    }
  }

  private func turn(of message: RPCMessage, _ line: Span<UInt8>) -> RunningTurn? {
    switch message {
    case .answerDelta(let delta): active.turn(on: line.extracting(delta.threadID))
    case .notification(_, let params), .request(_, _, let params):
      params["threadId"]?.stringValue.flatMap { active[$0] }
    case .response: nil
    }
  }

  private func received(_ method: String, _ params: JSONValue) {
    switch method {
    case Notification.turnCompleted: if let running = active.turn(of: params) { turnCompleted(running, params) }
    case Notification.threadClosed:
      if let thread = params["threadId"]?.stringValue { recipients.threads.closed(ThreadID(thread)) }
    case Notification.accountUpdated, Notification.loginCompleted: recipients.account.refresh()
    case Notification.rateLimits: recipients.account.rateLimitsUpdated(params)
    case Notification.tokenUsage: tokenUsage(params)
    case Notification.rawItem:
      if let running = active.turn(of: params) { recipients.tools.receivedItem(params, running) }
    case Notification.rawResponseCompleted:
      if let running = active.turn(of: params) { recipients.tools.responseCompleted(params, running) }
    case Notification.configWarning:
      if !recipients.configuration.warned(params) { recipients.warnings.warned(params) }
    case Notification.warning: recipients.warnings.warned(params)
    case Notification.toolServerStatus: recipients.warnings.toolServerChanged(params)
    case Notification.error: if let running = active.turn(of: params) { callFailed(running, params) }
    case Notification.itemStarted, Notification.itemCompleted, Notification.answerDelta,
      Notification.reasoningSummaryDelta, Notification.reasoningTextDelta, Notification.reasoningSummaryPart,
      Notification.commandOutputDelta:
      guard let running = active.turn(of: params) else { return }
      running.turn.contentWasRead()
      if params["item"]?["type"] != "userMessage" { modelActed(running) }
      running.received(method, params)
    case Notification.requestResolved: break
    default: unknown.count(method)
    }
  }

  // MARK: Messages about a turn

  private func modelActed(_ running: RunningTurn) {
    running.modelActed()
    recipients.notices.providerAnswers()
  }

  /// Handles an `error`: a call of the model has failed. A retry does not count as progress of the turn.
  private func callFailed(_ running: RunningTurn, _ params: JSONValue) {
    if params["willRetry"]?.boolValue == true {
      let message = params["error"]?["message"]?.stringValue ?? "reconnecting"
      let details = params["error"]?["additionalDetails"]?.stringValue
      let reason = details.map { "\(message) (\($0))" } ?? message
      if running.recordReconnect(because: reason) {
        recipients.notices.providerIsLost(reason, request: running.turn.requestID)
      }
    }
    running.received(Notification.error, params)
  }

  private func tokenUsage(_ params: JSONValue) {
    guard let thread = params["threadId"]?.stringValue else { return }
    if let total = TokenUsage(params["tokenUsage"]?["total"]) {
      recipients.threads.setUsage(total, of: ThreadID(thread))
    }
    if let running = active.turn(of: params) {
      modelActed(running)
      running.received(Notification.tokenUsage, params)
    } else {
      // After a resume Codex reports what the thread has used so far, with the id of the thread's last turn.
      active[thread]?.receivedEarlierUsage(params)
    }
  }

  private func turnCompleted(_ running: RunningTurn, _ params: JSONValue) {
    let turn = params["turn"] ?? .null
    let ends = recipients.ends
    switch turn["status"]?.stringValue {
    case "completed": ends.complete(running)
    case "interrupted": ends.finish(running, .interrupted(running.usage))
    case "failed":
      var failure = TurnFailure(codexError: turn["error"])
      if failure.kind == .usageLimit { failure.resetsAt = recipients.account.limitResetsAt }
      if failure.concernsLogin { recipients.account.refresh() }
      ends.finish(running, .failed(.turnFailed(failure)))
    case let status:
      Log.error("Codex ended a turn in a way that is not known", ["status": status ?? "none"])
      ends.finish(running, .failed(.turnFailed(.unknownStatus(status))))
    }
  }
}
