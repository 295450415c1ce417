// The real engine over the fake Codex program of this folder, in a home of its own.

import Glibc
import Testing

@testable import Bridge

/// A `CodexEngine` with a `codex` that misbehaves on request; see fake_codex.py for how to ask.
@LoopActor
final class FakeCodex {
  let engine: CodexEngine
  /// Makes another engine for a process of its own.
  let makeEngine: @LoopActor () -> CodexEngine
  let approvals = ApprovalDesk()
  /// With which rights turns run.
  let profile: TurnProfile
  /// CODEX_HOME and working directory.
  let home: TemporaryDirectory
  /// Every process the engine has been seen to run.
  private(set) var processes: Set<Int32> = []

  private init(
    _ options: String, program: String?, profile: TurnProfile, _ adjust: (inout CodexOptions) -> Void
  ) throws {
    self.profile = profile
    let home = try TemporaryDirectory()
    try home.write(options + "\n", to: "fake_codex.options")
    var engineOptions = CodexOptions(try Configuration(sources: []))
    adjust(&engineOptions)
    let path = Configuration.processEnvironment["PATH"] ?? "/usr/bin:/bin"
    let command = ChildCommand(
      program: program ?? Self.program, overrides: [], codexHome: home.path, workingDirectory: home.path,
      passedVariables: [], environment: ["PATH": path, "HOME": home.path])
    self.home = home
    makeEngine = { [engineOptions, approvals] in
      CodexEngine(command: command, options: engineOptions, approvals: approvals)
    }
    engine = makeEngine()
    engine.onChange = { [weak self] in self?.look() }
  }

  /// For what the engine is to find out by waiting.
  static func hurry(_ options: inout CodexOptions) {
    options.timeouts = EngineTimeouts(
      silence: .seconds(5), idleSilence: .seconds(1), unanswered: .seconds(1), probe: .seconds(4),
      interrupt: .seconds(1), stop: .milliseconds(500))
  }

  /// The fake beside this file.
  static let program = String(#filePath.dropLast("Support/FakeCodex.swift".count)) + "Clients/fake_codex.py"

  /// Runs `body` with a started engine, stops it, and checks that no process is left.
  static func run(
    _ options: String = "",
    program: String? = nil,
    profile: TurnProfile = .test,
    adjust: (inout CodexOptions) -> Void = { _ in },
    _ body: @LoopActor (FakeCodex) async throws -> Void
  ) async throws {
    let fake = try FakeCodex(options, program: program, profile: profile, adjust)
    fake.engine.start()
    fake.look()
    do {
      try await body(fake)
      await fake.stop()
    } catch {
      await fake.stop()
      throw error
    }
  }

  private func stop() async {
    look()
    await engine.stop()
    for process in processes {
      #expect(await eventually { kill(process, 0) != 0 }, "process \(process) outlives its engine")
    }
    home.remove()
  }

  /// Notes the process that runs now.
  func look() { if let process = engine.status.processIDs.first, process > 0 { processes.insert(process) } }

  /// Replaces the options; the next start of the fake reads them.
  func setOptions(_ options: String) throws { try home.write(options + "\n", to: "fake_codex.options") }

  /// Waits until turns would be accepted.
  func ready() async throws {
    let isReady = await eventually { self.engine.unavailability == nil }
    look()
    try #require(isReady, "not ready: \(String(describing: engine.unavailability))")
  }

  /// Waits for a reason that matches.
  func unavailable(_ matches: (EngineUnavailability) -> Bool) async -> Bool {
    await eventually { self.engine.unavailability.map(matches) ?? false }
  }

  /// Starts a turn with this text.
  func start(_ text: String, thread: TurnRequest.Thread = .ephemeral) async throws -> Turn {
    let request = TurnRequest(thread: thread, input: [.text(text)])
    let turn = Turn(request, profile: profile, requestID: "test")
    try await engine.start(turn)
    look()
    return turn
  }

  /// Runs a turn to its end.
  func run(_ text: String, thread: TurnRequest.Thread = .ephemeral) async throws -> Outcome {
    await Outcome(try await start(text, thread: thread))
  }

  /// What came of a turn.
  struct Outcome {
    var answer = ""
    var aside = ""
    var retractions = 0
    /// Paragraphs that tell of reconnecting.
    var reconnections = 0
    var outcome: TurnOutcome?
    private var paragraphs = AnswerParagraphs(AnswerParagraphs.Shown(tools: false))

    /// Takes events until the turn has ended.
    @LoopActor
    init(_ turn: Turn) async {
      while outcome == nil {
        for event in await turn.events.next() { take(event) }
      }
    }

    private mutating func take(_ event: TurnEvent) {
      if let (text, channel) = event.text {
        let blankLine = paragraphs.needsBlankLine(before: channel) ? AnswerParagraphs.blankLine : ""
        if channel == .answer { answer += blankLine + text.text } else { aside += blankLine + text.text }
      }
      aside += paragraphs.take(event) ?? ""
      switch event {
      case .answerIsCommentary(let messages): answer = AnswerParagraphs.joined(messages)
      case .reconnecting: reconnections += 1
      case .answerRetracted:
        retractions += 1
        answer = ""
      case .ended(let end): outcome = end
      default: break
      }
    }

    var isCompleted: Bool { if case .completed? = outcome { true } else { false } }
    var failure: EngineError? { if case .failed(let error)? = outcome { error } else { nil } }
  }
}
