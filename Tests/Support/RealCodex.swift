// The real engine over the real Codex CLI, with the built-in stand-in for the model, in a home of its own.

import Glibc
import Testing

@testable import Bridge

/// A `CodexEngine` with the real `codex`.
@LoopActor
final class RealCodex {
  let engine: CodexEngine
  /// Makes another engine for a process of its own.
  let makeEngine: @LoopActor () -> CodexEngine
  let model: DemoModel
  let approvals = ApprovalDesk()
  /// The rights that the settings give.
  let profile: TurnProfile
  let directory: TemporaryDirectory
  /// Bodies of the requests that reached the model.
  private(set) var requests: [JSONValue] = []

  /// The binary under test; `Tests/run.sh` sets it.
  nonisolated static var program: String? { Configuration.processEnvironment["CODEX_BIN"] }
  nonisolated static var isRequired: Bool { Configuration.processEnvironment["CI"] != nil }

  private init(_ settings: [String: String], _ paces: Paces) throws {
    directory = try TemporaryDirectory()
    let program = try #require(Self.program, "CODEX_BIN names no Codex CLI; run Tests/run.sh")
    var settings = settings
    settings["CODEX_BIN"] = program
    settings["CODEX_WORKDIR"] = settings["CODEX_WORKDIR"] ?? directory.path
    let configuration = try Configuration(
      sources: [.init(.flag, settings)], environment: Configuration.processEnvironment, paces: paces)
    model = try DemoModel(stateDirectory: directory.path)
    let command = try ChildCommand(configuration, demo: model)
    let options = CodexOptions(configuration)
    profile = TurnProfile(configuration)
    makeEngine = { [approvals] in CodexEngine(command: command, options: options, approvals: approvals) }
    engine = makeEngine()
    model.onRequest = { [weak self] in self?.requests.append($0) }
  }

  /// Runs `body` with an engine that is ready; afterwards nothing of it is left.
  static func run(
    _ settings: [String: String] = [:],
    paces: Paces = Paces(),
    _ body: @LoopActor (RealCodex) async throws -> Void
  ) async throws {
    let codex = try RealCodex(settings, paces)
    codex.engine.start()
    do {
      let isReady = await eventually { codex.engine.unavailability == nil }
      try #require(isReady, "not ready: \(String(describing: codex.engine.unavailability))")
      try await body(codex)
    } catch {
      await codex.stop()
      throw error
    }
    await codex.stop()
  }

  private func stop() async {
    await engine.stop()
    model.stop()
    directory.remove()
  }

  /// The tools that the last request offered to the model.
  var offeredTools: [String] {
    (requests.last?["tools"]?.arrayValue ?? []).compactMap { ($0["name"] ?? $0["type"])?.stringValue }
  }

  /// Kills the engine and waits until another process has taken its place.
  func restart() async throws {
    let process = try #require(engine.status.processIDs.first)
    kill(process, SIGKILL)
    let isBack = await eventually {
      self.engine.status.processIDs.first != process && self.engine.unavailability == nil
    }
    try #require(isBack, "the engine did not come back")
  }

  /// Starts a turn, with other rights than the settings give where a profile is named.
  func start(_ plan: TurnRequest, profile: TurnProfile? = nil) async throws -> Turn {
    let turn = Turn(plan, profile: profile ?? self.profile, requestID: "test")
    try await engine.start(turn)
    return turn
  }

  /// Starts a turn with this text.
  func start(
    _ text: String, thread: TurnRequest.Thread = .ephemeral, profile: TurnProfile? = nil
  ) async throws -> Turn {
    try await start(TurnRequest(thread: thread, input: [.text(text)]), profile: profile)
  }

  /// Runs a turn to its end.
  func run(
    _ text: String, thread: TurnRequest.Thread = .ephemeral, profile: TurnProfile? = nil
  ) async throws -> FakeCodex.Outcome {
    await FakeCodex.Outcome(try await start(text, thread: thread, profile: profile))
  }
}

extension Trait where Self == ConditionTrait {
  /// The test needs the real Codex: without it, it is skipped, and fails where that would hide something.
  static var withCodex: Self {
    .enabled(
      if: RealCodex.program != nil || RealCodex.isRequired, "CODEX_BIN names no Codex CLI; run Tests/run.sh")
  }
}
