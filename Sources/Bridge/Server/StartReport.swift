// What a person who has started the bridge at a terminal is told once it can be used: where to go, with which key, and what
// it may do there. Pure. Nothing in it drives a terminal, or begins a line of its own.

/// A heading, and a few lines of a name, a value and a remark.
struct StartReport {
  private struct Line {
    let name: String
    let value: String
    let remark: String

    init(_ name: String, _ value: String, _ remark: String = "") {
      self.name = name
      self.value = value.printable
      self.remark = remark.printable
    }
  }

  private static let nameWidth = 12
  /// Remarks stand below each other up to this width of the values. With more, one long path moves all remarks off a narrow
  /// terminal; with less, they are ragged more often.
  private static let maxValueWidth = 44

  private let configuration: Configuration
  private let isDemo: Bool
  private let urls: [String]
  /// How many sessions are kept; nil if they cannot be read.
  var sessions: Int?

  /// `urls` are the base URLs that the bridge listens on.
  init(_ configuration: Configuration, isDemo: Bool, urls: [String]) {
    self.configuration = configuration
    self.isDemo = isDemo
    self.urls = urls
  }

  /// The report, whose first line is `heading`. Why Codex cannot be used comes second, with what to do.
  func text(_ status: EngineStatus, _ unavailability: EngineUnavailability?) -> String {
    let lines = lines
    let width =
      lines.filter { !$0.remark.isEmpty }.map(\.value.count).filter { $0 <= Self.maxValueWidth }.max() ?? 0
    let rows = lines.map { line in
      let name = line.name.padding(toLength: Self.nameWidth)
      return line.remark.isEmpty
        ? "  \(name)\(line.value)" : "  \(name)\(line.value.padding(toLength: width))  \(line.remark)"
    }
    let reason = unavailability.map { ["  \($0.message.printable)"] } ?? []
    return ([heading(status, unavailability)] + reason + rows).joined(separator: "\n")
  }

  /// "bridged 0.1.0 · Codex 0.163.0 · logged in (ChatGPT Plus)".
  func heading(_ status: EngineStatus, _ unavailability: EngineUnavailability?) -> String {
    let codex = ["Codex", status.version?.shortened(toBytes: 64).printable].compactMap(\.self).joined(
      separator: " ")
    return ["bridged \(BridgeVersion.text)", codex, state(status, unavailability)].joined(separator: " · ")
  }

  private func state(_ status: EngineStatus, _ unavailability: EngineUnavailability?) -> String {
    if let unavailability { return unavailability.isLoggedOut ? "not logged in" : "not ready" }
    if isDemo { return "demo: a stand-in for the model, without a login" }
    guard let account = status.account else { return "ready" }
    return "logged in (\(AccountText.name(of: account.kind, plan: account.plan)))"
  }

  private var lines: [Line] {
    let addresses = address.map { url in
      [
        Line("Open", url, isOpen ? "in a browser; from other machines by this one's name" : "in a browser"),
        Line("API", "\(url)/v1", key),
      ]
    }
    return (addresses ?? []) + [
      Line("Works in", shortened(configuration.workingDirectory), rights), Line("Sessions", kept),
    ]
  }

  // MARK: Addresses and the key

  private static let wildcards = ["http://0.0.0.0:", "http://[::]:"]

  /// Whether the bridge listens on every address of the machine.
  private var isOpen: Bool { urls.contains { url in Self.wildcards.contains { url.hasPrefix($0) } } }

  /// Where a program on this machine finds it.
  private var address: String? {
    urls.first.map { url in
      Self.wildcards.first { url.hasPrefix($0) }.map { "http://127.0.0.1:\(url.dropFirst($0.count))" } ?? url
    }
  }

  /// The key that everybody knows; else where the keys are, and never what they are.
  private var key: String {
    let keys = configuration[Settings.apiKeys]
    if keys == [Settings.defaultKey] {
      return "key \(Settings.defaultKey) (the default; works on this machine only)"
    }
    let name = Settings.apiKeys.name
    let place =
      switch configuration.origin(of: Settings.apiKeys) {
      case .flag: "on the command line"
      case .environment: "in the environment"
      case .settingsFile(let path): "in \(shortened(path))"
      case .envLocalFile, .envFile: "in \(configuration.origin(of: Settings.apiKeys)) of this directory"
      case .fallback: "by default"
      }
    return keys.count == 1 ? "key: \(name) \(place)" : "one of \(keys.count) keys: \(name) \(place)"
  }

  // MARK: What Codex may do

  private var rights: String {
    let agent = RightsText.line(
      configuration[Settings.sandboxMode], networkAccess: configuration[Settings.networkAccess],
      configuration[Settings.approvalPolicy])
    return configuration[Settings.profile] == .chat ? "plain chat; the agent: \(agent)" : agent
  }

  // MARK: Sessions

  private var kept: String {
    let place = (try? configuration.stateDirectory).map(shortened) ?? "no place"
    return switch sessions {
    case nil: "in \(place), and cannot be read"
    case 0?: "none yet; kept in \(place)"
    case let count?: "\(count) kept in \(place)"
    }
  }

  /// A path with `~` for the home of the person.
  private func shortened(_ path: String) -> String {
    guard let home = configuration.environment["HOME"], home.hasPrefix("/"), home != "/" else { return path }
    if path == home { return "~" }
    return path.hasPrefix("\(home)/") ? "~\(path.dropFirst(home.count))" : path
  }
}

extension String {
  fileprivate func padding(toLength length: Int) -> String {
    self + String(repeating: " ", count: max(0, length - count))
  }
}
