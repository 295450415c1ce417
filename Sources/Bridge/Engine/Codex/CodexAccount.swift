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

  private let server: AppServer
  private var login = Login.unknown
  private var timer: LoopTimer?
  private(set) var rateLimits: JSONValue = .null
  private var kind: EngineAccount.Kind?
  private var plan: String?
  /// Called when the login has changed.
  var onChange: (@LoopActor () -> Void)?

  init(server: AppServer) { self.server = server }

  var unavailability: EngineUnavailability? {
    switch login {
    case .unknown: .starting
    case .loggedIn: nil
    case .loggedOut: .notLoggedIn
    }
  }

  func stop() {
    timer?.close()
    timer = nil
  }

  func serverLost() { login = .unknown }

  /// Updates are sparse: what one leaves out or tells as null has not changed (app-server protocol,
  /// `account/rateLimits/updated`).
  func rateLimitsUpdated(_ params: JSONValue) {
    var merged = rateLimits.objectValue ?? JSONObject()
    for member in (params["rateLimits"] ?? params).objectValue?.members ?? [] where !member.value.isNull {
      merged[member.key] = member.value
    }
    rateLimits = .object(merged)
  }

  /// The login as people may see it; nil while nobody is logged in or it is not known.
  var summary: EngineAccount? {
    guard let kind else { return nil }
    let limits = ["primary", "secondary"].compactMap { rateLimits[$0] }.compactMap { window in
      window["usedPercent"]?.doubleValue.map {
        EngineAccount.Limit(
          usedPercent: $0,
          windowMinutes: window["windowDurationMins"]?.intValue,
          resetsAt: window["resetsAt"]?.intValue
        )
      }
    }
    return EngineAccount(kind: kind, plan: plan ?? rateLimits["planType"]?.stringValue, limits: limits)
  }

  /// When the usage limit that is reached is lifted, in seconds since 1970.
  var limitResetsAt: Int? {
    let windows = ["primary", "secondary"].compactMap { rateLimits[$0] }
    let full = windows.filter { ($0["usedPercent"]?.doubleValue ?? 0) >= 100 }
    return (full.isEmpty ? windows : full).compactMap { $0["resetsAt"]?.intValue }.max()
  }

  /// Asks the engine again.
  func refresh() {
    server.rpc?.call(Method.accountRead, [:]) { [weak self] reply in self?.answered(reply) }
  }

  private func answered(_ reply: RPCReply) {
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
      Log.warning(EngineUnavailability.notLoggedIn.message)
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
    if before != (kind, plan) { rateLimits = .null }
    guard kind == .chatGPT, rateLimits.isNull else { return }
    server.rpc?.call(Method.rateLimitsRead, [:]) { [weak self] reply in
      if case .result(let result) = reply { self?.rateLimitsUpdated(result) }
    }
  }

  /// Other ways of logging in than a new file, which makes another process take over (`CodexSlot`).
  private func watchForLogin() {
    guard timer == nil else { return }
    let timer = LoopTimer { [weak self] in self?.refresh() }
    timer.start(after: Self.recheck, repeating: Self.recheck)
    self.timer = timer
  }
}
