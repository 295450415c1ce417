// GET /metrics: the counters and gauges of the bridge in Prometheus' text format.

import Glibc

/// Answers metrics requests.
@LoopActor
final class MetricsHandler {
  private static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private let metrics: Metrics
  private let engine: any TurnEngine
  private let sessions: Sessions
  private let turns: PermitQueue
  private let leases: TurnLeases
  private let answers: AnswerRegistry
  private let connections: OpenConnections
  private let approvals: ApprovalDesk
  private let startedAt = unixTime()

  init(
    metrics: Metrics,
    engine: any TurnEngine,
    sessions: Sessions,
    turns: PermitQueue,
    leases: TurnLeases,
    answers: AnswerRegistry,
    connections: OpenConnections,
    approvals: ApprovalDesk
  ) {
    self.metrics = metrics
    self.engine = engine
    self.sessions = sessions
    self.turns = turns
    self.leases = leases
    self.answers = answers
    self.connections = connections
    self.approvals = approvals
  }

  func handle(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    var text = MetricsText()
    addTurns(to: &text)
    addShares(to: &text)
    addApprovals(to: &text)
    await addSessions(to: &text)
    addHTTP(to: &text)
    addEngine(to: &text)
    addProcess(to: &text)
    writer.send(Response(fields: ["Content-Type": Self.contentType], body: Array(text.text.utf8)))
  }

  private func addTurns(to text: inout MetricsText) {
    let outcomes = metrics.turns.sorted { $0.key < $1.key }
    text.add(
      "codexbridge_turns_total", "counter", "Turns that have ended, by outcome.",
      outcomes.map { (MetricsText.label("outcome", $0.key), Double($0.value)) })
    text.add("codexbridge_turns_running", "gauge", "Turns that run now.", Double(turns.runningCount))
    text.add(
      "codexbridge_turns_parked", "gauge", "Turns that wait for functions of their clients.", Double(leases.count))
    text.add(
      "codexbridge_turns_not_kept_total", "counter",
      "Turns that waited for functions and could not be kept on disk.",
      Double(leases.notKeptCount))
    text.add("codexbridge_turns_waiting", "gauge", "Requests that wait for a turn.", Double(turns.waitingCount))
    text.add(
      "codexbridge_requests_joined_total", "counter",
      "Requests that were answered with the turn of an earlier one, by what they got.",
      AnswerRegistry.Repeat.allCases.map {
        (MetricsText.label("answer", $0.rawValue), Double(answers.repeats[$0] ?? 0))
      })
    text.add(
      "codexbridge_time_to_first_token_seconds", "From the request to the first piece of the answer.",
      metrics.firstToken)
    text.add("codexbridge_turn_duration_seconds", "From the request to the end of its turn.", metrics.turnDuration)
    text.add(
      "codexbridge_tokens_total", "counter", "Tokens that turns have used, as Codex counts them.",
      metrics.tokens.byKind.map { (MetricsText.label("kind", $0.kind), Double($0.count)) })
  }

  /// Families of their own: labels more on those above would change what is written about these in dashboards that exist.
  private func addShares(to text: inout MetricsText) {
    let shares = metrics.shares.shares.sorted { $0.key < $1.key }.map { labels, share in
      (labels: MetricsText.label("model", labels.model) + "," + MetricsText.label("key", labels.key), share: share)
    }
    text.add(
      "codexbridge_usage_turns_total", "counter",
      "Turns that have ended, by model, by the place of their key in the settings, and by result.",
      shares.flatMap { labels, share in
        TurnResult.allCases.map {
          ("\(labels),\(MetricsText.label("result", $0.rawValue))", Double(share.turns[$0] ?? 0))
        }
      })
    text.add(
      "codexbridge_usage_tokens_total", "counter",
      "Tokens that turns have used, by model and by the place of their key in the settings.",
      shares.flatMap { labels, share in
        share.tokens.byKind.map { ("\(labels),\(MetricsText.label("kind", $0.kind))", Double($0.count)) }
      })
    text.add(
      "codexbridge_usage_time_to_first_token_seconds",
      "From the request to the first piece of the answer, by model and by the place of the key in the settings.",
      shares.map { ($0.labels, $0.share.firstToken) })
  }

  private func addApprovals(to text: inout MetricsText) {
    text.add(
      "codexbridge_approvals_open", "gauge", "Questions of Codex that wait for a person.",
      Double(approvals.openCount))
  }

  /// The gauge is left out if the sessions cannot be counted.
  private func addSessions(to text: inout MetricsText) async {
    guard let count = try? await sessions.count() else { return }
    text.add("codexbridge_sessions", "gauge", "Sessions in the session map.", Double(count))
  }

  private func addHTTP(to text: inout MetricsText) {
    let requests = metrics.requests.sorted { $0.route < $1.route }.flatMap { counts in
      counts.byStatus.sorted { $0.status < $1.status }.map { (counts.route, $0.status, $0.count) }
    }
    text.add(
      "codexbridge_http_requests_total", "counter", "Requests that were answered, by route and status.",
      requests.map { route, status, count in
        let labels = [MetricsText.label("route", route), MetricsText.label("status", String(status))]
        return (labels.joined(separator: ","), Double(count))
      })
    text.add("codexbridge_connections", "gauge", "Open client connections.", Double(connections.count))
    text.add(
      "codexbridge_connections_total", "counter", "Client connections that were accepted.",
      Double(metrics.acceptedConnections))
    text.add(
      "codexbridge_connections_refused_total", "counter", "Client connections that were one too many.",
      Double(connections.refusedCount))
  }

  private func addEngine(to text: inout MetricsText) {
    let status = engine.status
    text.add(
      "codexbridge_engine_ready", "gauge", "Whether a turn would be accepted now.",
      engine.unavailability == nil ? 1 : 0)
    text.add(
      "codexbridge_engine_restarts_total", "counter", "Starts of a Codex process in place of another.",
      Double(status.restarts))
    text.add(
      "codexbridge_engine_processes", "gauge",
      "Codex processes, those that start or end their last turns included.",
      Double(status.processIDs.count))
    text.add(
      "codexbridge_engine_unknown_notifications_total", "counter",
      "Notifications of Codex that the bridge does not know.", Double(status.unknownNotifications))
    let successions = status.successions.sorted { $0.key < $1.key }
    text.add(
      "codexbridge_engine_successions_total", "counter",
      "Fresh Codex processes that took over from one that worked, by reason.",
      successions.map { (MetricsText.label("reason", $0.key), Double($0.value)) })
    let memory = status.processIDs.compactMap(ProcessStatus.residentBytes)
    if !memory.isEmpty {
      text.add(
        "codexbridge_engine_resident_memory_bytes", "gauge", "Memory of the Codex processes.",
        Double(memory.reduce(0, +)))
    }
  }

  private func addProcess(to text: inout MetricsText) {
    text.add(
      "codexbridge_loop_lag_seconds", "How much later than asked the event loop came to a timer.", metrics.loopLag)
    text.add("process_start_time_seconds", "gauge", "When the bridge was started.", Double(startedAt))
    if let memory = ProcessStatus.residentBytes(of: getpid()) {
      text.add("process_resident_memory_bytes", "gauge", "Memory of the bridge.", Double(memory))
    }
    if let descriptors = ProcessStatus.openDescriptors {
      text.add("process_open_fds", "gauge", "Open descriptors of the bridge.", Double(descriptors))
    }
  }
}
