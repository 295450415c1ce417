// Whether Codex can read its own configuration (`config.toml`). Owns that fact, and asks again while it cannot.

/// The configuration of a Codex process.
@LoopActor
final class CodexConfiguration {
  private enum State {
    case readable
    /// Codex has warned, with this text, that it uses defaults instead. It is being asked whether that is so.
    case suspected(String)
    /// The text says what is wrong, with file and line. `sinceStart` tells whether this process has started with defaults.
    case broken(String, sinceStart: Bool)
  }

  /// How often Codex is asked again while the configuration is broken.
  private static let recheck = Duration.seconds(3)
  /// Beginnings of Codex's messages that say nothing about the fault; they are cut off.
  private static let prefixes = [
    "failed to load configuration: ", "failed to read configuration layers: ", "invalid configuration: ",
  ]
  /// How many bytes of `AGENTS.md` files Codex reads unless its configuration says otherwise.
  static let defaultInstructionBytes = 32 * 1024

  private let server: AppServer
  private let directory: String
  private var state = State.readable
  private var ticker = Ticker()
  /// How many bytes of a project's `AGENTS.md` files Codex reads.
  private(set) var maxInstructionBytes = defaultInstructionBytes
  /// Called when `unavailability` has changed.
  var onChange: (@LoopActor () -> Void)?

  /// Watches the configuration that Codex uses in `directory`.
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

  func processLost() {
    state = .readable
    ticker.stop()
  }

  /// Asks a process that has just become ready for its configuration.
  func serverIsReady() { ask() }

  /// Takes a `configWarning`. Returns true if it says that the configuration is not used; any other is not handled here.
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

  /// Takes the refusal of a call because the configuration, which may have been edited since, cannot be read. Returns the
  /// reason why no turn can be started.
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
    // The configuration is still broken, maybe in another place.
    case (.failure(let failure), .broken(let fault, let sinceStart)):
      let latest = Self.plain(failure.message)
      if latest.contains("config.toml:"), latest != fault { becomeBroken(latest, sinceStart: sinceStart) }
    // Without a warning a failure does not show that the configuration is broken, and without an answer nothing is known.
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
    // A process reads parts of the configuration at its start only, so this one would keep the defaults. No turn runs in
    // it.
    if sinceStart { server.replace(because: "it has begun with defaults in place of its configuration") }
    onChange?()
  }

  private static func plain(_ message: String) -> String {
    var text = message[...]
    for prefix in prefixes where text.hasPrefix(prefix) { text = text.dropFirst(prefix.count) }
    return text.split(separator: "\n").joined(separator: " ")
  }
}
