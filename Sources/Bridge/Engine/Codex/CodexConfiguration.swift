// Whether Codex can read its own configuration (`config.toml`), and when it can again. Owns that fact.

/// The configuration of a Codex process.
@LoopActor
final class CodexConfiguration {
  private enum State {
    case readable
    /// Codex says at its start that it uses defaults instead. Whether that is so is asked.
    case suspected(String)
    /// What is wrong, with file and line. `sinceStart` if this process has begun with defaults.
    case broken(String, sinceStart: Bool)
  }

  /// How often a broken configuration is looked at again.
  private static let recheck = Duration.seconds(3)
  /// What Codex puts before the words that matter.
  private static let prefixes = [
    "failed to load configuration: ", "failed to read configuration layers: ", "invalid configuration: ",
  ]
  /// Bytes of `AGENTS.md` files that Codex reads unless its configuration says otherwise.
  static let defaultInstructionBytes = 32 * 1024

  private let server: AppServer
  private let directory: String
  private var state = State.readable
  private var ticker = Ticker()
  /// Bytes of `AGENTS.md` files that are read of a project.
  private(set) var maxInstructionBytes = defaultInstructionBytes
  /// Called when it has become readable, or has ceased to be.
  var onChange: (@LoopActor () -> Void)?

  /// The configuration that is in force in `directory`.
  init(server: AppServer, directory: String) {
    self.server = server
    self.directory = directory
  }

  var unavailability: EngineUnavailability? {
    switch state {
    case .readable: nil
    case .suspected: .starting
    case .broken(let fault, _): .configInvalid(detail: fault)
    }
  }

  func stop() { ticker.stop() }

  func serverLost() {
    state = .readable
    ticker.stop()
  }

  /// Asks the process, which has just begun to answer.
  func serverIsReady() { ask() }

  /// Takes a `configWarning`. Returns whether it says that the configuration is not used.
  func warned(_ params: JSONValue) -> Bool {
    let summary = params["summary"]?.stringValue ?? ""
    let start = params["range"]?["start"]
    guard start?.objectValue != nil || summary.hasPrefix("Invalid configuration") else { return false }
    var fault = params["details"]?.stringValue ?? summary
    if let path = params["path"]?.stringValue, !fault.hasPrefix(path) {
      let place = ["line", "column"].compactMap { start?[$0]?.intValue }.map { ":\($0)" }.joined()
      fault = "\(path)\(place): \(fault)"
    }
    state = .suspected(fault)
    if server.rpc != nil { ask() }
    return true
  }

  /// Takes the refusal of a call that needs the configuration, which may have been changed meanwhile. Returns why nothing
  /// can be started.
  func refused(_ message: String) -> EngineUnavailability {
    let fault = Self.plain(message)
    becomeBroken(fault, sinceStart: false)
    return .configInvalid(detail: fault)
  }

  private func ask() {
    server.rpc?.call(Method.configRead, ["cwd": .string(directory)]) { [weak self] in self?.answered($0) }
  }

  private func answered(_ reply: RPCReply) {
    switch (reply, state) {
    case (.result(let result), _):
      maxInstructionBytes =
        result["config"]?["project_doc_max_bytes"]?.intValue ?? Self.defaultInstructionBytes
      becomeReadable()
    case (.failure, .suspected(let fault)): becomeBroken(fault, sinceStart: true)
    // It is broken in another way, or still is.
    case (.failure(let failure), .broken(let fault, let sinceStart)):
      let latest = Self.plain(failure.message)
      if latest.contains("config.toml:"), latest != fault { becomeBroken(latest, sinceStart: sinceStart) }
    // Nothing else says that it is broken.
    case (.failure, .readable), (.timedOut, _), (.disconnected, _): break
    }
  }

  private func becomeBroken(_ fault: String, sinceStart: Bool) {
    state = .broken(fault, sinceStart: sinceStart)
    Log.error(EngineUnavailability.configInvalid(detail: fault).message)
    ticker.start(every: Self.recheck) { [weak self] in self?.ask() }
    onChange?()
  }

  private func becomeReadable() {
    let before = state
    state = .readable
    ticker.stop()
    if case .suspected = before { onChange?() }
    guard case .broken(_, let sinceStart) = before else { return }
    Log.info("Codex's configuration can be read again")
    // What a process takes from it at its start, it does not take again. No turn could begin in this one.
    if sinceStart { server.replace(because: "it has begun with defaults in place of its configuration") }
    onChange?()
  }

  private static func plain(_ message: String) -> String {
    var text = message[...]
    for prefix in prefixes where text.hasPrefix(prefix) { text = text.dropFirst(prefix.count) }
    return text.split(separator: "\n").joined(separator: " ")
  }
}
