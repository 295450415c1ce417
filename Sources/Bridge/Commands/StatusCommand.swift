// `bridged status`: what the running bridge says of itself.

/// The state of the running bridge.
package enum StatusCommand {
  /// Prints the state. Throws `CommandFailure` with the status `notReady`, after it was printed, where no turn can be started.
  package static func run(_ configuration: Configuration, json: Bool) throws(CommandFailure) {
    let client = try BridgeClient.connect(configuration)
    // A bridge from before there was such a path tells its version in the other answer.
    let version = (try? client.get(BridgeClient.target(["version"]))) ?? [:]
    let report = StatusReport(
      url: client.url, version: version, snapshot: try client.get(BridgeClient.target(["api", "dashboard"])))
    if json { CommandOutput.print(json: report.json) } else { CommandOutput.print(lines: report.lines) }
    if let reason = report.unavailability { throw CommandFailure(.notReady, reason) }
  }
}

/// The state of a bridge, as text and as JSON. Pure. A member that is not there is not told.
struct StatusReport {
  private static let kinds: [String: EngineAccount.Kind] = [
    "chatgpt": .chatGPT, "api_key": .apiKey, "amazon_bedrock": .amazonBedrock, "own_provider": .ownProvider,
  ]
  private static let nameWidth = 11

  private let url: String
  private let version: JSONValue
  private let snapshot: JSONValue

  /// `version` is the answer of /version, `snapshot` that of /api/dashboard.
  init(url: String, version: JSONValue, snapshot: JSONValue) {
    self.url = url
    self.version = version
    self.snapshot = snapshot
  }

  private var engine: JSONValue { snapshot["engine"] ?? [:] }
  private var turns: JSONValue { snapshot["turns"] ?? [:] }

  /// Why no turn can be started; nil if one can.
  var unavailability: String? {
    guard engine["ready"]?.boolValue != true else { return nil }
    return engine["message"]?.stringValue ?? engine["reason"]?.stringValue ?? "no turn can be started now"
  }

  /// What `--json` prints.
  var json: JSONValue {
    [
      "url": .string(url),
      "version": version["version"] ?? snapshot["bridge"]?["version"] ?? .null,
      "commit": version["commit"] ?? .null,
      "started": snapshot["bridge"]?["started"] ?? .null,
      "codex": [
        "version": engine["version"] ?? .null, "ready": engine["ready"] ?? .null,
        "reason": engine["reason"] ?? .null, "message": engine["message"] ?? .null,
        "provider_fault": engine["provider_fault"] ?? .null,
      ],
      "account": snapshot["account"] ?? .null,
      "demo": snapshot["bridge"]?["demo"] ?? .null,
      "works_in": snapshot["bridge"]?["works_in"] ?? .null,
      "sandbox": snapshot["bridge"]?["sandbox"] ?? .null,
      "network": snapshot["bridge"]?["network"] ?? .null,
      "approval_policy": snapshot["bridge"]?["approval_policy"] ?? .null,
      "turns": [
        "running": turns["running_count"] ?? .null, "max_running": turns["max_running"] ?? .null,
        "waiting": turns["waiting"] ?? .null, "max_waiting": turns["max_waiting"] ?? .null,
      ],
      "approvals": snapshot["approval_count"] ?? .null,
      "sessions": snapshot["sessions"]?["total"] ?? .null,
    ]
  }

  /// What is printed for people, without anything that could drive a terminal.
  var lines: [String] {
    let rows: [(name: String, value: String?)] = [
      ("Codex", codex), ("Login", login), ("Warning", engine["provider_fault"]?.stringValue),
      ("Works in", place), ("Turns", turnsText), ("Approvals", approvals),
      ("Sessions", count(snapshot["sessions"]?["total"])),
    ]
    return [heading.printable]
      + rows.compactMap { name, value in
        value.map { "  \(name)\(String(repeating: " ", count: Self.nameWidth - name.count))\($0.printable)" }
      }
  }

  private var heading: String {
    let number = json["version"]?.stringValue ?? "of an unknown version"
    let commit = version["commit"]?.stringValue.map { " (\($0))" } ?? ""
    // Whatever answers may tell any number, so that a difference has to be one of times since 1970.
    let age = (snapshot["now"]?.intValue).flatMap { $0 >= 0 ? $0 : nil }.flatMap { now in
      (snapshot["bridge"]?["started"]?.intValue).flatMap {
        (0...now).contains($0) ? "up \(ReadableTime.length(now - $0))" : nil
      }
    }
    return ["bridged \(number)\(commit)", url, age].compactMap(\.self).joined(separator: " · ")
  }

  private var codex: String {
    let state = engine["ready"]?.boolValue == true ? "ready" : "not ready"
    return [engine["version"]?.stringValue, state].compactMap(\.self).joined(separator: ", ")
  }

  private var login: String? {
    if snapshot["bridge"]?["demo"]?.boolValue == true {
      return "none: this is the demo, where a stand-in model answers"
    }
    guard let account = snapshot["account"], !account.isNull else { return nil }
    let kind = Self.kinds[account["kind"]?.stringValue ?? ""] ?? .other
    let limits = (account["limits"]?.arrayValue ?? []).compactMap { limit -> String? in
      guard let used = limit["used_percent"]?.intValue else { return nil }
      let window = limit["window_minutes"]?.intValue.map { " of \(ReadableTime.window($0))" } ?? ""
      return "\(used) %\(window) used"
    }
    return ([AccountText.name(of: kind, plan: account["plan"]?.stringValue)] + limits).joined(separator: ", ")
  }

  /// The directory, and what Codex may do there.
  private var place: String? {
    guard let bridge = snapshot["bridge"], let directory = bridge["works_in"]?.stringValue else { return nil }
    guard let sandbox = bridge["sandbox"]?.stringValue.flatMap(SandboxMode.init),
      let approvals = bridge["approval_policy"]?.stringValue.flatMap(ApprovalPolicy.init)
    else { return directory }
    let rights = RightsText.line(sandbox, networkAccess: bridge["network"]?.boolValue == true, approvals)
    return "\(directory), \(rights)"
  }

  private var turnsText: String? {
    guard let running = count(turns["running_count"]), let waiting = count(turns["waiting"]) else { return nil }
    let most = count(turns["max_running"]).map { " (at most \($0) at once)" } ?? ""
    return "\(running) running, \(waiting) waiting\(most)"
  }

  private var approvals: String? {
    switch snapshot["approval_count"]?.intValue {
    case nil, 0: nil
    case 1: "1 question of Codex waits for an answer"
    case let number?: "\(number) questions of Codex wait for an answer"
    }
  }

  private func count(_ value: JSONValue?) -> String? { value?.intValue.map { String($0) } }
}
