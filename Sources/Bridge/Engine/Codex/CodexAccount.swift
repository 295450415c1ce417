// Who Codex is logged in as, and what its plan still allows. Owns both facts.

/// The login of the engine.
@LoopActor
final class CodexAccount {
  private enum Login {
    /// Not asked yet.
    case unknown
    case loggedIn
    case loggedOut
  }

  /// How often a missing login is looked for again.
  private static let recheck = Duration.seconds(3)
  /// The limit of the plan. Some models have limits of their own besides, told in the same notifications.
  private static let planLimit = "codex"
  private static let maxLimits = 16

  private let server: AppServer
  private var login = Login.unknown
  private var ticker = Ticker()
  /// What was told of each limit, by its id.
  private var limits: [String: JSONObject] = [:]
  private var kind: EngineAccount.Kind?
  private var plan: String?
  /// When Codex has last told of a limit, on the loop's clock.
  private(set) var limitsToldAt: Duration?
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

  func serverLost() { login = .unknown }

  /// Updates are sparse: what one leaves out or tells as null has not changed (app-server protocol,
  /// `account/rateLimits/updated`).
  func rateLimitsUpdated(_ params: JSONValue) {
    let update = params["rateLimits"] ?? params
    let id = update["limitId"]?.stringValue ?? Self.planLimit
    guard limits[id] != nil || limits.count < Self.maxLimits else { return }
    var merged = limits[id] ?? JSONObject()
    for member in update.objectValue?.members ?? [] where !member.value.isNull {
      merged[member.key] = member.value
    }
    limits[id] = merged
    limitsToldAt = Loop.now
  }

  /// The login as people may see it; nil while nobody is logged in or it is not known.
  var summary: EngineAccount? {
    guard let kind else { return nil }
    let limit = limits[Self.planLimit]
    let windows = limit.map(Self.windows) ?? []
    return EngineAccount(kind: kind, plan: plan ?? limit?["planType"]?.stringValue, limits: windows)
  }

  /// When the usage limit that is reached is lifted, in seconds since 1970.
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

  /// Asks the engine again.
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
      note(result["account"] ?? .null)
    case .failure(let failure):
      // With a login whose backend cannot be reached this is an error; that is no reason to refuse turns.
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

  /// Remembers whose login it is. Another one has other limits; those of a plan can be asked for, others cannot.
  private func note(_ account: JSONValue) {
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

  /// Other ways of logging in than a new file, which makes another process take over (`CodexSlot`).
  private func watchForLogin() {
    ticker.start(every: Self.recheck) { [weak self] in self?.refresh() }
  }
}
