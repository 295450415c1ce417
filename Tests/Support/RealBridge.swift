// The program as people run it: `bridged serve` with nothing but environment variables, the real Codex behind it, and
// a model of the test's own behind that.

import Glibc
import Testing

@testable import Bridge

/// A running `bridged serve`.
@LoopActor
final class RealBridge {
  /// Its current directory, in which Codex works.
  let directory: TemporaryDirectory
  /// Bodies of the requests that reached the model.
  private(set) var requests: [JSONValue] = []
  /// What it has written to standard output and standard error.
  private(set) var log = ""
  private(set) var port = 0
  private let model: DemoModel
  private var process: ChildProcess?
  private let ended = Waiter<Void>()
  private var exit: ChildProcess.Exit?

  private init(
    _ settings: [String: String], in directory: TemporaryDirectory, home: TemporaryDirectory
  ) throws {
    self.directory = directory
    model = try DemoModel(stateDirectory: home.path)
    // That of the machine is not read then.
    try FileContents.makeDirectories("\(home.path)/.config/bridged")
    try home.write("", to: ".config/bridged/bridged.env")
    let program = try #require(RealCodex.program, "CODEX_BIN names no Codex CLI; run Tests/run.sh")
    var environment = [
      "PATH": Configuration.processEnvironment["PATH"] ?? "/usr/bin:/bin", "HOME": home.path, "PORT": "0",
      "CODEX_BIN": program, "CODEX_HOME": model.codexHome,
      "CODEX_CONFIG": model.overrides.joined(separator: ";"),
    ]
    environment.merge(settings) { $1 }
    model.onRequest = { [weak self] in self?.requests.append($0) }
    let command = ChildProcess.Command(
      file: try Self.program(), arguments: ["serve"], environment: environment.map { "\($0)=\($1)" },
      workingDirectory: directory.path)
    let process = try ChildProcess(command) { [weak self] in self?.didEnd($0) }
    self.process = process
    process.standardInput.close()
    for output in [process.standardOutput, process.standardError] {
      output.onRead = { [weak self] in self?.log += String(decoding: $0.array, as: UTF8.self) }
      output.onEnd = { [weak output] _ in output?.close() }
      output.startReading()
    }
  }

  /// A home for a person, outside of what `workspace-write` opens.
  static func makeHome() throws -> TemporaryDirectory { try TemporaryDirectory(in: "/var/tmp") }

  /// Runs `body` with a bridge that is ready; afterwards nothing of it is left. A directory or home that is given stays, and
  /// can be given to the next bridge.
  static func run(
    _ settings: [String: String] = [:],
    in directory: TemporaryDirectory? = nil,
    home: TemporaryDirectory? = nil,
    _ body: @LoopActor (RealBridge) async throws -> Void
  ) async throws {
    let place = try directory ?? TemporaryDirectory()
    let ownHome = try home ?? makeHome()
    defer {
      if directory == nil { place.remove() }
      if home == nil { ownHome.remove() }
    }
    let bridge = try RealBridge(settings, in: place, home: ownHome)
    do {
      try await bridge.becomeReady()
      try await body(bridge)
    } catch {
      await bridge.stop()
      throw error
    }
    await bridge.stop()
  }

  /// Starts a bridge that must refuse; returns its exit status and what it said.
  static func refusal(_ settings: [String: String]) async throws -> (status: Int?, log: String) {
    // Not below /tmp, which other programs may have made a repository.
    let directory = try makeHome()
    let home = try makeHome()
    defer {
      directory.remove()
      home.remove()
    }
    let bridge = try RealBridge(settings, in: directory, home: home)
    _ = await eventually { bridge.exit != nil || bridge.isListening }
    let status = bridge.exit?.code
    await bridge.stop()
    return (status, bridge.log)
  }

  /// Sends a request and returns its answer.
  func exchange(_ request: String) async throws -> TestResponse {
    try #require(try await TestClient.exchange(port: port, request), "no answer; it says: \(log)")
  }

  /// Sends a chat request with one user message; `more` are further members of the body, each with its comma.
  @discardableResult
  func chat(_ text: String = "hello", more: String = "") async throws -> TestResponse {
    try await exchange(GatewayServer.chat(text, more: more))
  }

  /// Beside the tests, where the build puts it, unless BRIDGED_BIN names another.
  private static func program() throws -> String {
    if let named = Configuration.processEnvironment["BRIDGED_BIN"] { return named }
    let tests = FileContents.resolved("/proc/self/exe")
    let found = tests.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/bridged"
    try #require(access(found, X_OK) == 0, "\(found) is not built")
    return found
  }

  private var isListening: Bool { log.contains("listening on ") }

  private func becomeReady() async throws {
    #expect(await eventually { self.isListening || self.exit != nil })
    let address = log.split(separator: "\n").first { $0.hasPrefix("listening on ") }
    port = try #require(address?.split(separator: ":").last.flatMap { Int($0) }, "it does not listen: \(log)")
    let deadline = Loop.now + .seconds(30)
    while try await exchange(GatewayServer.request("GET", "/ready", key: nil)).status != 200 {
      try #require(Loop.now < deadline, "not ready: \(log)")
      await Loop.sleep(.milliseconds(20))
    }
  }

  private func didEnd(_ exit: ChildProcess.Exit) {
    self.exit = exit
    ended.finish()
  }

  private func stop() async {
    process?.signalGroup(SIGTERM)
    if !(await eventually { self.exit != nil }) { process?.signalGroup(SIGKILL) }
    await ended.value()
    #expect(exit?.signal == 0, "it did not end by itself")
    model.stop()
  }
}

extension TestResponse {
  /// The text of a chat completion.
  var answer: String? { json["choices"]?.arrayValue?.first?["message"]?["content"]?.stringValue }
}
