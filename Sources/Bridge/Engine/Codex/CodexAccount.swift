// Whether and how Codex is logged in, and what its plan still allows. Owns both facts.

/// The login of the engine.
@LoopActor
final class CodexAccount {
  private enum Login {
    /// The process has not been asked yet.
    case unknown
    case loggedIn
    case loggedOut
  }

  /// How often Codex is asked again while nobody is logged in.
  private static let recheck = Duration.seconds(3)
  /// Codex's id of the plan's own limit. Some models have further limits, which are reported in the same notifications.
  private static let planLimit = "codex"
  /// Further limits are ignored, so that their number cannot fill the memory.
  private static let maxLimits = 16

  private let server: AppServer
  private var login = Login.unknown
  private var ticker = Ticker()
  /// The latest values of each limit, by the limit's id.
  private var limits: [String: JSONObject] = [:]
  private var kind: EngineAccount.Kind?
  private var plan: String?
  /// When Codex last reported a limit, on the loop's clock; nil if it has reported none.
  private(set) var limitsReportedAt: Duration?
  /// Called when the login has changed.
  var onChange: (@LoopActor () -> Void)?

  init(server: AppServer) { self.server = server }

  var unavailability: EngineUnavailability? {
    switch login {
    case .unknown: .starting
    case .loggedIn: nil
    case .loggedOut: .notLoggedIn(command: server.loginCommand)
    }
  }

  func stop() { ticker.stop() }

  func processLost() { login = .unknown }

  /// Takes an `account/rateLimits/updated`. It is sparse: a member that is absent or null has not changed (app-server
  /// protocol).
  func rateLimitsUpdated(_ params: JSONValue) {
    let update = params["rateLimits"] ?? params
    let id = update["limitId"]?.stringValue ?? Self.planLimit
    guard limits[id] != nil || limits.count < Self.maxLimits else { return }
    var merged = limits[id] ?? JSONObject()
    for member in update.objectValue?.members ?? [] where !member.value.isNull {
      merged[member.key] = member.value
    }
    limits[id] = merged
    limitsReportedAt = Loop.now
  }

  /// The login in a form that may be shown; nil while nobody is logged in, or it is not known.
  var summary: EngineAccount? {
    guard let kind else { return nil }
    let limit = limits[Self.planLimit]
    let windows = limit.map(Self.windows) ?? []
    return EngineAccount(kind: kind, plan: plan ?? limit?["planType"]?.stringValue, limits: windows)
  }

  /// When the usage limit that was reached is lifted, in seconds since 1970; nil if that is not known.
  var limitResetsAt: Int? {
    let full = limits.values.flatMap(Self.windows).filter { $0.usedPercent >= 100 }
    let windows = full.isEmpty ? limits[Self.planLimit].map(Self.windows) ?? [] : full
    return windows.compactMap(\.resetsAt).max()
  }

  private static func windows(_ limit: JSONObject) -> [EngineAccount.Limit] {
    ["primary", "secondary"].compactMap { limit[$0] }.compactMap { window in
      window["usedPercent"]?.doubleValue.map {
        EngineAccount.Limit(
          usedPercent: $0,
          windowMinutes: window["windowDurationMins"]?.intValue,
          resetsAt: window["resetsAt"]?.intValue
        )
      }
    }
  }

  /// Asks Codex whether it is logged in.
  func refresh() {
    server.rpc?.call(Method.accountRead, [:]) { [weak self] reply in self?.answered(reply) }
  }

  /// Takes the answer to `account/read`.
  func answered(_ reply: RPCReply) {
    let before = login
    switch reply {
    case .result(let result):
      let needsLogin = result["requiresOpenaiAuth"]?.boolValue ?? true
      let hasAccount = !(result["account"] ?? .null).isNull
      login = hasAccount || !needsLogin ? .loggedIn : .loggedOut
      rememberAccount(result["account"] ?? .null)
    case .failure(let failure):
      // Codex reports this error when its backend cannot be reached. It may be logged in, so turns are not refused.
      Log.warning("Codex cannot tell whether it is logged in", ["error": failure.message])
      login = .loggedIn
    case .timedOut: login = .loggedIn
    case .disconnected: return
    }
    if login == .loggedOut, before != .loggedOut {
      Log.warning(EngineUnavailability.notLoggedIn(command: server.loginCommand).message)
      watchForLogin()
    } else if login == .loggedIn {
      stop()
    }
    if login != before { onChange?() }
  }

  /// Remembers the kind and the plan of the login. When they have changed, the limits are forgotten, and asked for if the
  /// login is a ChatGPT plan; Codex answers that question for no other kind.
  private func rememberAccount(_ account: JSONValue) {
    let before = (kind, plan)
    plan = account["planType"]?.stringValue
    switch account["type"]?.stringValue {
    case "chatgpt": kind = .chatGPT
    case "apiKey": kind = .apiKey
    case "amazonBedrock": kind = .amazonBedrock
    case nil: kind = login == .loggedIn ? .ownProvider : nil
    default: kind = .other
    }
    if before != (kind, plan) { limits = [:] }
    guard kind == .chatGPT, limits.isEmpty else { return }
    server.rpc?.call(Method.rateLimitsRead, [:]) { [weak self] reply in
      if case .result(let result) = reply { self?.rateLimitsUpdated(result) }
    }
  }

  /// Asks Codex again and again. A login that writes a new file needs no such question: `CodexSlot` sees the file and
  /// replaces the process.
  private func watchForLogin() {
    ticker.start(every: Self.recheck) { [weak self] in self?.refresh() }
  }
}
