// Codex that is not there, does not start, is not logged in, dies or hangs.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct EngineLifeFaultTests {
  @Test @LoopActor
  func anEngineStartsRunsATurnAndStops() async throws {
    try await FakeCodex.run { fake in
      #expect(fake.engine.unavailability == .starting)
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=3")
      #expect(outcome.answer == "t0 t1 t2 ")
      #expect(outcome.isCompleted)
      #expect(fake.engine.runningTurns == 0)
    }
  }

  @Test @LoopActor
  func stoppingLeavesNoProcessAlsoIfItIgnoresTheEndOfItsInput() async throws {
    for options in ["", "ignore-eof", "mute", "stop-reading", "slow-start=30"] {
      try await FakeCodex.run(options, adjust: FakeCodex.hurry) { fake in
        if options.isEmpty || options == "ignore-eof" { try await fake.ready() }
        #expect(
          await eventually {
            fake.look()
            return !fake.processes.isEmpty
          })
      }
    }
  }

  @Test @LoopActor
  func stoppingWithTurnsRunningEndsThem() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: hang")
      await fake.engine.stop()
      let outcome = await FakeCodex.Outcome(turn)
      #expect(!outcome.isCompleted)
      #expect(fake.engine.runningTurns == 0)
    }
  }

  @Test @LoopActor
  func endingTheTurnsTellsThemTheReason() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: hang")
      fake.engine.endTurns()
      #expect(await FakeCodex.Outcome(turn).failure == .unavailable(.draining))
    }
  }

  @Test @LoopActor
  func aMissingProgramIsNamed() async throws {
    for program in ["/nonexistent/codex", "surely-no-such-codex"] {
      try await FakeCodex.run(program: program) { fake in
        #expect(fake.engine.unavailability == .missing(program: program))
        await #expect(throws: EngineError.unavailable(.missing(program: program))) {
          _ = try await fake.start("hi")
        }
      }
    }
  }

  @Test @LoopActor
  func aProgramThatCannotBeExecutedIsNamed() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try directory.write("not a program", to: "codex")
    let program = directory.path + "/codex"
    // The file is made with mode 0600, which keeps even root from executing it.
    try await FakeCodex.run(program: program) { fake in
      #expect(fake.engine.unavailability == .notExecutable(program: program))
    }
  }

  @Test @LoopActor
  func aDirectoryIsNoProgram() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try await FakeCodex.run(program: directory.path) { fake in
      #expect(fake.engine.unavailability == .notExecutable(program: directory.path))
    }
  }

  @Test @LoopActor
  func aScriptWhoseInterpreterIsMissingIsTold() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    try directory.write("#!/nonexistent/node --harmony\nx\n", to: "codex")
    let program = directory.path + "/codex"
    #expect(chmod(program, 0o700) == 0)
    try await FakeCodex.run(program: program) { fake in
      let message = fake.engine.unavailability?.message ?? ""
      #expect(message.contains(program) && message.contains(" /nonexistent/node,"), "\(message)")
    }
  }

  @Test @LoopActor
  func aProgramThatAppearsIsStarted() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let program = directory.path + "/codex"
    try await FakeCodex.run(program: program) { fake in
      #expect(fake.engine.unavailability == .missing(program: program))
      #expect(symlink(FakeCodex.program, program) == 0)
      try await fake.ready()
      #expect(try await fake.run("demo: tokens=1").isCompleted)
    }
  }

  @Test @LoopActor
  func aProgramThatEndsAtItsStartIsFailing() async throws {
    try await FakeCodex.run("exit-at-start=3") { fake in
      let isTold = await fake.unavailable {
        if case .failing(let detail) = $0 {
          detail.contains("3") && detail.contains("the fake was told")
            && detail.contains("`\(FakeCodex.program) app-server`")
        } else {
          false
        }
      }
      #expect(isTold, "\(String(describing: fake.engine.unavailability))")
      // It is tried again until it works.
      try fake.setOptions("")
      try await fake.ready()
    }
  }

  @Test @LoopActor
  func whatAProcessSaidIsNotToldOfTheNext() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let program = directory.path + "/codex"
    // Complains once and says nothing from then on.
    try directory.write(
      """
      #!/bin/sh
      [ -e "$0.was" ] && exit 4
      : >"$0.was"
      echo 'a complaint' >&2
      exit 3

      """, to: "codex")
    #expect(chmod(program, 0o700) == 0)
    try await FakeCodex.run(program: program) { fake in
      for end in ["exit code 3: a complaint.", "exit code 4."] {
        let isTold = await fake.unavailable {
          if case .failing(let detail) = $0 { detail.hasPrefix(end) } else { false }
        }
        #expect(isTold, "\(String(describing: fake.engine.unavailability))")
      }
    }
  }

  /// Its end and its output are seen at once, in whatever order, when the loop had something else to do meanwhile.
  @Test @LoopActor
  func theLastWordsOfAProcessAreHeardAlthoughItsEndIsKnown() async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let program = directory.path + "/codex"
    try directory.write("#!/bin/sh\necho 'last words' >&2\nexit 3\n", to: "codex")
    #expect(chmod(program, 0o700) == 0)
    try await FakeCodex.run(program: program) { fake in
      // It has ended before its pipes are looked at for the first time.
      usleep(200_000)
      _ = await fake.unavailable { if case .failing = $0 { true } else { false } }
      guard case .failing(let detail) = fake.engine.unavailability else {
        Issue.record("\(String(describing: fake.engine.unavailability))")
        return
      }
      #expect(detail.hasPrefix("exit code 3: last words."))
    }
  }

  @Test @LoopActor
  func anOldVersionIsRefused() async throws {
    try await FakeCodex.run("old-version=0.40.0") { fake in
      #expect(
        await fake.unavailable {
          if case .tooOld(let version, _) = $0 { version == "0.40.0" } else { false }
        })
    }
  }

  @Test @LoopActor
  func aMissingLoginIsTold() async throws {
    try await FakeCodex.run("not-logged-in") { fake in
      #expect(await fake.unavailable { $0.isLoggedOut })
      let reason = try #require(fake.engine.unavailability)
      await #expect(throws: EngineError.unavailable(reason)) { _ = try await fake.start("hi") }
      // It can be pasted into a shell as it is.
      #expect(reason.message.hasSuffix("CODEX_HOME=\(fake.home.path) \(FakeCodex.program) login"))
    }
  }

  // MARK: Configuration

  @Test @LoopActor
  func aBrokenConfigurationIsToldWithItsPlaceUntilItIsMended() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      try fake.home.write("model = = 1\n", to: "config.toml")
      // The process has begun with a good one, and reads it again for each thread.
      let place = "\(fake.home.path)/config.toml:1:9: extra `=`, expected nothing"
      let broken = EngineUnavailability.configInvalid(detail: place)
      await #expect(throws: EngineError.unavailable(broken)) { _ = try await fake.start("hi") }
      #expect(fake.engine.unavailability == broken)
      // One that begins with it says so at once, and stays away.
      kill(try #require(fake.engine.status.processIDs.first), SIGKILL)
      #expect(await fake.unavailable { $0 == broken })
      let process = fake.engine.status.processIDs
      try fake.home.write("", to: "config.toml")
      try await fake.ready()
      #expect(fake.engine.status.processIDs != process)
      #expect(try await fake.run("demo: tokens=1").isCompleted)
    }
  }

  @Test @LoopActor
  func aSettingThatCodexIgnoresIsNoReasonToRefuse() async throws {
    try await FakeCodex.run("config-warning") { fake in
      try await fake.ready()
      #expect(try await fake.run("demo: tokens=1").isCompleted)
    }
  }

  // MARK: Loss

  @Test(arguments: ["kill", "half-line"]) @LoopActor
  func aTurnWhoseEngineDiesFailsAndTheNextOneWorks(_ way: String) async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let other = try await fake.start("demo: hang")
      let outcome = try await fake.run("demo: tokens=4 \(way)")
      #expect(outcome.answer == "t0 t1 ")
      #expect(outcome.failure == .crashed)
      #expect(await FakeCodex.Outcome(other).failure == .crashed)
      #expect(fake.engine.unavailability != nil)
      try await fake.ready()
      #expect(try await fake.run("demo: tokens=2").answer == "t0 t1 ")
    }
  }

  @Test @LoopActor
  func aThreadIsResumedAfterARestart() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let first = try await fake.start("demo: say=remembered", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      #expect(try await fake.run("demo: kill").failure == .crashed)
      try await fake.ready()
      let next = try await fake.run("demo: history", thread: .existing(thread))
      #expect(next.answer.contains("assistant: remembered"))
      let unknown = ThreadID("00000000-0000-4000-8000-000000000000")
      await #expect(throws: EngineError.threadNotFound(unknown)) {
        _ = try await fake.start("hi", thread: .existing(unknown))
      }
    }
  }

  @Test @LoopActor
  func anEngineThatDiesBetweenTurnsIsRestarted() async throws {
    try await FakeCodex.run("die-after-turns=1") { fake in
      for _ in 0..<3 {
        try await fake.ready()
        #expect(try await fake.run("demo: tokens=1").isCompleted)
        #expect(await eventually { fake.engine.unavailability != nil })
      }
    }
  }

  @Test @LoopActor
  func aTurnStartedWhileTheEngineDiesFailsAndDoesNotHang() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let process = try #require(fake.engine.status.processIDs.first)
      var turns: [Waiter<Void>] = []
      for _ in 0..<20 {
        let done = Waiter<Void>()
        turns.append(done)
        Loop.spawn {
          if let turn = try? await fake.start("demo: hang") { _ = await FakeCodex.Outcome(turn) }
          done.finish()
        }
      }
      await Loop.nextTurn()
      kill(-process, SIGKILL)
      for (number, turn) in turns.enumerated() {
        #expect(await eventually { turn.isFinished }, "turn \(number) hangs")
      }
      try await fake.ready()
      #expect(fake.engine.runningTurns == 0)
    }
  }
}
