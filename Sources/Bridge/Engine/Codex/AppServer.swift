// The supervised `codex app-server` child: spawn, handshake, watch, back off, restart.
// Owns the process. Knows nothing of turns.

import Glibc

/// Receives the messages of an app-server, and learns when its process is ready or gone.
@LoopActor
protocol AppServerDelegate: AnyObject {
  /// Handles a line that it recognises without parsing. Returns false if the line has to be parsed.
  func takeUnparsed(_ line: Span<UInt8>) -> Bool
  /// Handles a message that is not the answer to a call. `line` is the line that it was parsed from.
  func received(_ message: RPCMessage, _ line: Span<UInt8>)
  /// A new process has answered the handshake.
  func serverIsReady()
  /// The process has ended, and all its turns with it.
  func processLost()
}

/// Keeps one app-server running.
@LoopActor
final class AppServer {
  enum Limit {
    /// How long a new process may take to answer `initialize`. A loaded machine starts it slowly; a hung one is killed.
    static let handshake = Duration.seconds(30)
    /// The pause before the first restart. Each failure in a row doubles it, up to `maxBackoff`.
    static let firstBackoff = Duration.milliseconds(250)
    static let maxBackoff = Duration.seconds(30)
    /// After a process has run for this long, its failure counts as the first in a row.
    static let healthy = Duration.seconds(60)
    /// How long output may still come after the process has ended. A process that it started may hold the pipe open for
    /// ever.
    static let outputAfterExit = Duration.seconds(1)
    /// How much of a line on standard error is kept, for the log and for the reason of a failed start.
    static let stderrLineBytes = 2048
    /// A longer line on standard error is dropped, so that it does not fill the memory.
    static let stderrMaxLineBytes = 1 << 20
  }

  private enum State {
    case stopped
    case starting(Child)
    case ready(Child, CodexVersion)
    case waiting(EngineUnavailability, LoopTimer)
    case stopping(Child)
  }

  /// One process, from its spawn to its end.
  @LoopActor
  private final class Child {
    let process: ChildProcess
    let rpc: RPCConnection
    let startedAt: Duration
    var framer = LineFramer()
    var stderrFramer = LineFramer(maxLineBytes: Limit.stderrMaxLineBytes)
    /// The last line that the process wrote to standard error.
    var lastErrorLine: String?
    var exit: ChildProcess.Exit?
    var outputEnded = false
    /// When the health check was sent that the process has not answered yet; nil if there is none.
    var askedAt: Duration?
    var lastOutputAt: Duration

    init(process: ChildProcess) {
      self.process = process
      rpc = RPCConnection(input: process.standardInput)
      startedAt = Loop.now
      lastOutputAt = Loop.now
    }

    func isUnresponsive(after limit: Duration) -> Bool {
      askedAt.map { lastOutputAt <= $0 && Loop.now - $0 > limit } ?? false
    }
  }

  private let command: ChildCommand
  private let timeouts: EngineTimeouts
  private var state = State.stopped { didSet { stateChanged() } }
  /// Signalled when the state has changed or a process has ended.
  private let changes = ChangeSignal()
  /// Called when `unavailability` may have changed.
  var onStateChange: (@LoopActor () -> Void)?
  private var isRetired = false
  private var failuresInARow = 0
  /// Why the handshake failed. It says more than the exit code of the process, which is killed for it.
  private var startFailure: EngineUnavailability?
  /// Attempts to start a process, the failed ones included.
  private(set) var launches = 0
  private var malformedLines = 0

  weak var delegate: (any AppServerDelegate)?

  init(command: ChildCommand, timeouts: EngineTimeouts = EngineTimeouts()) {
    self.command = command
    self.timeouts = timeouts
  }

  /// The connection to a process that has answered the handshake; nil if there is none.
  var rpc: RPCConnection? { if case .ready(let child, _) = state { child.rpc } else { nil } }

  var version: CodexVersion? { if case .ready(_, let version) = state { version } else { nil } }

  var processID: Int32? {
    switch state {
    case .starting(let child), .ready(let child, _), .stopping(let child):
      child.exit == nil ? child.process.processID : nil
    case .stopped, .waiting: nil
    }
  }

  /// When the current process was started, on the loop's clock.
  var startedAt: Duration? {
    switch state {
    case .starting(let child), .ready(let child, _), .stopping(let child): child.startedAt
    case .stopped, .waiting: nil
    }
  }

  /// Ends the supervision: the process goes on, and is not started again once it has ended.
  func retire() {
    isRetired = true
    if case .waiting(_, let timer) = state {
      timer.close()
      state = .stopped
    }
  }

  /// A line for a shell that logs this engine in.
  var loginCommand: String { command.loginCommand }
  /// The directory where Codex keeps its files.
  var home: String { command.home }
  /// The file in which Codex keeps its login.
  var loginFile: String { command.home + "/auth.json" }

  /// Why no calls can be made; nil when they can.
  var unavailability: EngineUnavailability? {
    switch state {
    case .ready(let child, _): child.isUnresponsive(after: timeouts.unanswered) ? .unresponsive : nil
    case .starting: failuresInARow > 1 ? lastFailure : .starting
    case .waiting(let reason, _): reason
    case .stopped, .stopping: .draining
    }
  }

  /// The reason of the last failure. It is shown while further starts are tried, instead of `starting`.
  private var lastFailure: EngineUnavailability = .starting

  // MARK: Life

  func start() {
    guard case .stopped = state else { return }
    launch()
  }

  /// Ends the process: first by closing its input, then by signals to its process group. A second call waits for the first.
  func stop() async {
    switch state {
    case .starting(let child), .ready(let child, _):
      state = .stopping(child)
      child.rpc.close()
      child.process.standardInput.shutDownAfterFlush()
      for signal in [SIGTERM, SIGKILL] {
        if await waitForExit(child, timeouts.stop) { break }
        child.process.signalGroup(signal)
      }
      _ = await waitForExit(child, timeouts.stop)
    case .stopping(let child):
      await changes.wait { !self.isStopping || child.exit != nil }
      return
    case .waiting(_, let timer):
      timer.close()
    case .stopped: break
    }
    state = .stopped
  }

  /// Kills a process that does not do its work any more; a new one is started.
  func replace(because reason: String) {
    switch state {
    case .starting(let child), .ready(let child, _):
      Log.warning("ending the Codex process", ["reason": reason])
      child.process.signalGroup(SIGKILL)
    case .stopped, .waiting, .stopping: break
    }
  }

  /// Sends a cheap call to a silent process, and replaces the process if it does not answer.
  func checkHealth() {
    guard case .ready(let child, _) = state, child.askedAt == nil else { return }
    child.askedAt = Loop.now
    child.rpc.call(Method.threadLoadedList, [:], timeout: timeouts.probe) { [weak self] reply in
      child.askedAt = nil
      if case .timedOut = reply { self?.replace(because: "it does not answer") }
    }
  }

  /// How long the process has written nothing.
  var silence: Duration {
    if case .ready(let child, _) = state { Loop.now - child.lastOutputAt } else { .zero }
  }

  private func waitForExit(_ child: Child, _ limit: Duration) async -> Bool {
    await changes.wait(atMost: limit) { child.exit != nil }
  }

  private var isStopping: Bool {
    if case .stopping = state { true } else { false }
  }

  private func stateChanged() {
    changes.send()
    onStateChange?()
  }

  /// Waits while a process is being started.
  func waitWhileStarting() async { await changes.wait { self.unavailability != .starting } }

  private func launch() {
    launches += 1
    guard let executable = command.locate() else { return wait(for: .missing(program: command.program)) }
    guard Programs.isExecutable(executable) else { return wait(for: .notExecutable(program: executable)) }
    if let interpreter = Programs.missingInterpreter(of: executable) {
      return wait(for: .failing(detail: "\(executable) is a script for \(interpreter), which is not there."))
    }
    do throws(LoopError) {
      var exited: (@LoopActor (ChildProcess.Exit) -> Void)?
      let process = try ChildProcess(command.appServer(executable: executable)) { exited?($0) }
      let child = Child(process: process)
      exited = { [weak self] in self?.didExit(child, $0) }
      state = .starting(child)
      connect(child)
      Loop.spawn { await self.handshake(child) }
    } catch {
      let reason: EngineUnavailability =
        error.isMissingFile
        ? .missing(program: executable)
        : error.isAccessDenied ? .notExecutable(program: executable) : .failing(detail: error.description)
      wait(for: reason)
    }
  }

  private func connect(_ child: Child) {
    let output = child.process.standardOutput
    output.onRead = { [weak self] in self?.didRead($0, from: child) }
    output.onEnd = { [weak self] _ in self?.outputEnded(child) }
    output.startReading()
    let errors = child.process.standardError
    errors.onRead = { [weak self] in self?.didReadErrors($0, from: child) }
    errors.onEnd = { [weak errors] _ in errors?.close() }
    errors.startReading()
    child.process.standardInput.onWriteFailure = { _ in }
  }

  private func handshake(_ child: Child) async {
    let params: JSONValue = [
      "clientInfo": ["name": "codexbridge", "title": "CodexBridge", "version": .string(BridgeVersion.text)],
      "capabilities": ["experimentalApi": true, "optOutNotificationMethods": .array(Notification.unwanted)],
    ]
    let reply = await child.rpc.call(Method.initialize, params, timeout: Limit.handshake)
    guard case .starting(let current) = state, current === child else { return }
    switch reply {
    case .result(let result):
      let version = CodexVersion(in: result["userAgent"]?.stringValue ?? "")
      guard let version, version >= .required else {
        let found = version?.description ?? "of an unknown version"
        return abandon(child, .tooOld(version: found, required: CodexVersion.required.description))
      }
      child.rpc.notify(Method.initialized)
      state = .ready(child, version)
      Log.info("Codex is running", ["version": version, "pid": child.process.processID])
      delegate?.serverIsReady()
    case .failure(let failure): abandon(child, .failing(detail: failure.message))
    case .timedOut: abandon(child, .failing(detail: "it does not answer the handshake"))
    case .disconnected: break
    }
  }

  private func abandon(_ child: Child, _ reason: EngineUnavailability) {
    startFailure = reason
    child.process.signalGroup(SIGKILL)
  }

  // MARK: Output

  private func didRead(_ bytes: Span<UInt8>, from child: Child) {
    child.lastOutputAt = Loop.now
    // Loaded once per read: loading a weak reference costs as much as handling a line.
    let delegate = delegate
    let isFramed = child.framer.feed(bytes) { line in
      if delegate?.takeUnparsed(line) != true { didReceive(line, from: child, delegate) }
    }
    if !isFramed { replace(because: "it sent a line of more than \(LineFramer.messageBytes) bytes") }
  }

  private func didReceive(_ line: Span<UInt8>, from child: Child, _ delegate: (any AppServerDelegate)?) {
    do throws(JSONError) {
      switch try RPCMessage.parse(line) {
      case .response(let id, let reply):
        if !child.rpc.received(id: id, reply) {
          Log.debug("Codex answered a call that is not open", ["id": id])
        }
      case let message: delegate?.received(message, line)
      }
    } catch {
      malformedLines += 1
      // The first one is logged as a hint; after that only each thousandth, so that a flood of them does not fill the log.
      if malformedLines == 1 || malformedLines.isMultiple(of: 1000) {
        Log.warning("Codex sent a line that is no message", ["error": error, "count": malformedLines])
      }
    }
  }

  private func didReadErrors(_ bytes: Span<UInt8>, from child: Child) {
    let isFramed = child.stderrFramer.feed(bytes) { line in
      let text = String(decoding: line.extracting(0..<min(line.count, Limit.stderrLineBytes)).array, as: UTF8.self)
      let plain = Self.withoutTerminalCodes(text)
      child.lastErrorLine = plain
      Log.debug("codex: \(plain)")
    }
    // An overlong line is dropped. The next read begins with an empty framer, so the lines after it are logged again.
    if !isFramed { child.stderrFramer = LineFramer(maxLineBytes: Limit.stderrMaxLineBytes) }
  }

  private static func withoutTerminalCodes(_ text: String) -> String {
    var result = ""
    var isInsideCode = false
    for scalar in text.unicodeScalars {
      if scalar == "\u{1B}" {
        isInsideCode = true
      } else if isInsideCode {
        isInsideCode = !scalar.properties.isAlphabetic
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  // MARK: Loss

  private func outputEnded(_ child: Child) {
    child.outputEnded = true
    child.process.standardOutput.close()
    // A process that has closed its output cannot answer any more, so it is treated like one that has ended.
    if child.exit == nil { child.process.signalGroup(SIGKILL) } else { lost(child) }
  }

  /// The exit may be reported before the last output has been read. The process counts as lost once both have happened.
  private func didExit(_ child: Child, _ exit: ChildProcess.Exit) {
    child.exit = exit
    changes.send()
    child.process.standardInput.close()
    if child.outputEnded { return lost(child) }
    Loop.spawn {
      await Loop.sleep(Limit.outputAfterExit)
      if !child.outputEnded { self.outputEnded(child) }
    }
  }

  private func lost(_ child: Child) {
    child.rpc.close()
    // The last line on standard error, which says why the process ended, may not have been read yet.
    child.process.standardError.readRest()
    child.process.standardError.close()
    switch state {
    case .starting(let current) where current === child:
      let end = "\(child.exit?.description ?? "it ended")\(child.lastErrorLine.map { ": \($0)" } ?? "")"
      let advice = "Run `\(command.locate() ?? command.program) app-server` to see what it says."
      let reason = startFailure ?? .failing(detail: "\(end). \(advice)")
      startFailure = nil
      wait(for: reason)
    case .ready(let current, _) where current === child:
      Log.error("Codex ended", ["exit": child.exit?.description ?? "unknown"])
      if Loop.now - child.startedAt > Limit.healthy { failuresInARow = 0 }
      if isRetired { state = .stopped } else { wait(for: .starting) }
      delegate?.processLost()
    case .stopped, .starting, .ready, .waiting, .stopping: break
    }
  }

  private func wait(for reason: EngineUnavailability) {
    failuresInARow += 1
    // Logged once: the next attempts mostly fail for the same reason.
    if reason != lastFailure, reason != .starting { Log.error(reason.message) }
    lastFailure = reason
    let timer = LoopTimer { [weak self] in self?.backoffEnded() }
    state = .waiting(reason, timer)
    let exponent = min(failuresInARow - 1, 10)
    let delay = min(Limit.firstBackoff * (1 << exponent), Limit.maxBackoff)
    // Jitter: bridges that lost a shared resource at the same time must not all try again at the same time.
    timer.start(after: delay * Double.random(in: 0.75...1.25))
  }

  private func backoffEnded() {
    guard case .waiting(_, let timer) = state else { return }
    timer.close()
    launch()
  }
}
