// What the dashboard shows, as one JSON object of bounded size. Times are absolute, so that the object stays the
// same while nothing happens; whoever shows it computes the ages.

import Glibc

/// Builds snapshots.
@LoopActor
final class DashboardSnapshot {
  private static let maxTurns = 100
  private static let maxSessions = 50
  private static let maxApprovals = 20
  private static let maxFiles = 10
  private static let maxNameCharacters = 256
  private static let maxCommandCharacters = 400
  /// A person decides by this text, so there is much room for it. What is cut is said to be, and the page gets it whole
  /// from the approval itself when the person asks.
  private static let maxApprovalCharacters = 4000
  /// Memory is told in steps; a snapshot must not change with every page the kernel hands out.
  private static let memoryStep = 1 << 20

  private let engine: any TurnEngine
  private let sessions: Sessions
  private let state: ServerState
  private let turns: PermitQueue
  private let metrics: Metrics
  private let approvals: ApprovalDesk
  private let answers: AnswerRegistry
  private let log: RequestLog
  private let place: JSONObject
  private let models: ModelSelector
  /// The holders of the keys, in the order of the setting.
  private let holders: [Principal]
  private let connections: OpenConnections
  private let maxRunning: Int
  private let maxWaiting: Int
  private let startedAt = unixTime()
  private var clockOrigin = 0.0
  /// As it was last known: the engine's list of models is known for a while only.
  private var defaultModel: String?
  /// The latest sessions of everybody who has asked, and the revision of the sessions they were read at.
  private var recent: [Principal: (revision: UInt64, page: SessionPage)] = [:]

  init(
    engine: any TurnEngine,
    sessions: Sessions,
    state: ServerState,
    turns: PermitQueue,
    metrics: Metrics,
    approvals: ApprovalDesk,
    answers: AnswerRegistry,
    log: RequestLog,
    connections: OpenConnections,
    holders: [Principal],
    configuration: Configuration
  ) {
    self.engine = engine
    self.sessions = sessions
    self.state = state
    self.turns = turns
    self.metrics = metrics
    self.approvals = approvals
    self.answers = answers
    self.log = log
    self.holders = holders
    place = Self.place(configuration)
    models = ModelSelector(configuration, catalog: nil)
    self.connections = connections
    maxRunning = configuration[Settings.maxConcurrentTurns]
    maxWaiting = configuration[Settings.maxQueue]
  }

  /// Everything but the time of day. Conversations, approvals and failures are those of `owner` alone. The sessions are those
  /// that `prepare` has read.
  func facts(for owner: Principal) -> JSONObject {
    setClock()
    var facts = JSONObject()
    let status = engine.status
    facts["bridge"] = bridge(owner)
    facts["engine"] = engineFacts(status)
    facts["account"] = status.account.map(Self.account) ?? .null
    facts["turns"] = turnFacts(owner)
    let pending = approvals.pending(for: owner)
    facts["approvals"] = .array(pending.prefix(Self.maxApprovals).map(Self.approval))
    facts["approval_count"] = .int(pending.count)
    facts["sessions"] = sessionFacts(owner)
    facts["minutes"] = .array(
      metrics.recentMinutes.map {
        ["turns": .int($0.turns), "failures": .int($0.failures), "tokens": .int($0.tokens)]
      }
    )
    facts["activity"] = .array(
      log.requests(of: owner, limit: RequestLog.maxEndedPerKey).map(ActivityFacts.request))
    facts["clients"] = .array(log.clients(of: owner).map(ActivityFacts.client))
    facts["totals"] = ["turns": .int(log.count(of: owner))]
    return facts
  }

  /// Facts with the time at which they hold: `now`, in seconds since 1970 like all times in it.
  static func dated(_ facts: JSONObject) -> JSONValue {
    var dated = facts
    dated["now"] = .int(unixTime())
    return .object(dated)
  }

  // MARK: Parts

  private func bridge(_ owner: Principal) -> JSONValue {
    var bridge = place
    bridge["version"] = .string(BridgeVersion.text)
    // Of requests that name none. Unknown until Codex has told its own.
    if let catalog = engine.knownModels {
      defaultModel = (try? models.with(catalog).select(nil, effort: nil))?.resolved
    }
    bridge["default_model"] = .text(defaultModel)
    bridge["demo"] = .bool(state.isDemo)
    bridge["started"] = .int(startedAt)
    bridge["listening"] = .array(state.addresses.map { .string($0) })
    bridge["connections"] = .int(connections.count)
    bridge["memory"] = Self.memory(of: [getpid()])
    bridge["uses_default_key"] = .bool(owner == .everybody)
    bridge["key_number"] = holders.firstIndex(of: owner).map { .int($0 + 1) } ?? .null
    bridge["key_count"] = .int(holders.count)
    return .object(bridge)
  }

  /// Where Codex works, and with which rights.
  private static func place(_ configuration: Configuration) -> JSONObject {
    var place = JSONObject()
    place["works_in"] = .string(configuration.workingDirectory)
    place["sandbox"] = .string(configuration[Settings.sandboxMode].rawValue)
    place["network"] = .bool(configuration[Settings.networkAccess])
    place["web_search"] = .bool(configuration[Settings.webSearch])
    place["approval_policy"] = .string(configuration[Settings.approvalPolicy].rawValue)
    return place
  }

  private func engineFacts(_ status: EngineStatus) -> JSONValue {
    let unavailability = state.isDraining ? .draining : engine.unavailability
    let loginCommand = if case .notLoggedIn(let command) = unavailability { command } else { String?.none }
    return [
      "ready": .bool(unavailability == nil),
      "reason": .text(unavailability?.code),
      "message": .text(unavailability?.message.shortened(to: Self.maxCommandCharacters)),
      "provider_fault": .text(status.providerFault?.shortened(to: Self.maxCommandCharacters)),
      "login_command": .text(loginCommand),
      "version": .text(status.version),
      "restarts": .int(status.restarts),
      "memory": Self.memory(of: status.processIDs),
    ]
  }

  private static func account(_ account: EngineAccount) -> JSONValue {
    let kind =
      switch account.kind {
      case .chatGPT: "chatgpt"
      case .apiKey: "api_key"
      case .amazonBedrock: "amazon_bedrock"
      case .ownProvider: "own_provider"
      case .other: "other"
      }
    let limits = account.limits.map { limit -> JSONValue in
      [
        "used_percent": .int(Int(min(max(limit.usedPercent, 0), 100).rounded())),
        "window_minutes": limit.windowMinutes.map { .int($0) } ?? .null,
        "resets": limit.resetsAt.map { .int($0) } ?? .null,
      ]
    }
    return [
      "kind": .string(kind), "plan": .text(account.plan?.shortened(to: 64)), "limits": .array(limits),
    ]
  }

  /// The counts are of all keys but `own_count`, which belongs to the list.
  private func turnFacts(_ owner: Principal) -> JSONValue {
    [
      "running_count": .int(answers.count),
      "own_count": .int(answers.count(of: owner)),
      "max_running": .int(maxRunning),
      "waiting": .int(turns.waitingCount),
      "max_waiting": .int(maxWaiting),
      "running": .array(answers.answers(to: owner, limit: Self.maxTurns).map(runningTurn)),
    ]
  }

  private func runningTurn(_ answer: Answer) -> JSONValue {
    let progress = answer.turn.progress
    let (activity, detail) = ActivityFacts.words(progress?.activity)
    return [
      "request_id": .string(answer.turn.requestID),
      "session": .text(answer.session?.name?.shortened(to: Self.maxNameCharacters)),
      "model": .string(answer.identity.model.shortened(to: Self.maxNameCharacters)),
      "started": .int(wallTime(answer.askedAt)),
      "last_activity": .int(wallTime(progress?.lastActivityAt ?? answer.askedAt)),
      "activity": .string(activity),
      "detail": .text(detail),
    ]
  }

  private static func approval(_ approval: Approval) -> JSONValue {
    let question = approval.question
    let text = question.body.joined(separator: "\n")
    let files = question.files.prefix(maxFiles)
    let isWhole =
      text.utf8.count <= maxApprovalCharacters && files.allSatisfy { $0.line.utf8.count <= maxNameCharacters }
      && question.facts.allSatisfy { $0.utf8.count <= maxCommandCharacters }
    return [
      "id": .string(approval.id),
      "kind": .string(question.action.kind),
      "request": .string(question.request.shortened(to: maxCommandCharacters)),
      "sandbox": .text(question.action.sandbox?.rawValue),
      "text": .string(text.shortened(to: maxApprovalCharacters)),
      "files": .array(files.map { .string($0.line.shortened(to: maxNameCharacters)) }),
      "hidden_files": .int(question.files.count - files.count),
      "is_whole": .bool(isWhole && question.files.count == files.count),
      "facts": .array(question.facts.map { .string($0.shortened(to: maxCommandCharacters)) }),
      "session_scope": .text(question.sessionScope),
      "request_id": .string(approval.requestID),
      "created": .int(approval.askedAt),
      "expires": .int(approval.expiresAt),
    ]
  }

  /// Reads the latest sessions of `owner` for `facts`, if any session has changed since. Where that fails the sessions that
  /// were read before are shown.
  func prepare(for owner: Principal) async {
    let revision = sessions.revision
    guard recent[owner]?.revision != revision else { return }
    do throws(RepositoryError) {
      let page = try await sessions.page(SessionQuery(owner: owner, limit: Self.maxSessions))
      recent[owner] = (revision, page)
    } catch {
      Log.debug("the dashboard cannot read the sessions", ["error": error])
    }
  }

  private func sessionFacts(_ owner: Principal) -> JSONValue {
    let page = recent[owner]?.page ?? SessionPage()
    let entries = page.entries.map { entry -> JSONValue in
      let (key, record) = (entry.key, entry.record)
      return [
        "id": .string(key.id),
        "title": .text(record.title),
        "profile": .string(key.profile.rawValue),
        "model": .text(record.model?.shortened(to: Self.maxNameCharacters)),
        "turns": .int(record.turns),
        "last_used": .int(record.usedAt),
        "running": .bool(sessions.isRunning(key)),
        "waiting": .int(sessions.waitingCount(key)),
      ]
    }
    return ["total": .int(page.total), "recent": .array(entries)]
  }

  private static func memory(of processIDs: [Int32]) -> JSONValue {
    let sizes = processIDs.compactMap(ProcessStatus.residentBytes)
    return sizes.isEmpty ? .null : .int(sizes.reduce(0, +) / memoryStep * memoryStep)
  }

  // MARK: Clocks

  /// The loop's clock began at this time of day. Kept while the two agree, so that a moment keeps its second.
  private func setClock() {
    let origin = Double(unixTime()) - Loop.now.inSeconds
    if abs(origin - clockOrigin) > 2 { clockOrigin = origin }
  }

  private func wallTime(_ moment: Duration) -> Int { Int((clockOrigin + moment.inSeconds).rounded()) }
}
