// Turns of an engine that is slow, silent, chatty, or asks for what it may not have.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct EngineTurnFaultTests {
  @Test @LoopActor
  func anInterruptEndsATurn() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: tokens=1000 delay=20", thread: .persistent)
      turn.interrupt()
      let outcome = await FakeCodex.Outcome(turn)
      guard case .interrupted? = outcome.outcome else {
        Issue.record("ended as \(String(describing: outcome.outcome))")
        return
      }
      let thread = try #require(turn.threadID)
      #expect(try await fake.run("demo: tokens=1", thread: .existing(thread)).isCompleted)
    }
  }

  @Test @LoopActor
  func aHangingTurnTimesOutAndItsThreadCanBeUsed() async throws {
    for isSilence in [true, false] {
      try await FakeCodex.run(adjust: {
        $0.turnTimeout = isSilence ? .seconds(3600) : .milliseconds(400)
        $0.turnIdleTimeout = isSilence ? .milliseconds(400) : .seconds(3600)
      }) { fake in
        try await fake.ready()
        let turn = try await fake.start("demo: hang", thread: .persistent)
        let failure = await FakeCodex.Outcome(turn).failure
        #expect(failure == .timedOut(after: .milliseconds(400), isSilence: isSilence))
        let thread = try #require(turn.threadID)
        #expect(try await fake.run("demo: tokens=2", thread: .existing(thread)).answer == "t0 t1 ")
      }
    }
  }

  @Test @LoopActor
  func anEngineThatOnlyReconnectsMakesNoProgress() async throws {
    try await FakeCodex.run(adjust: { $0.turnIdleTimeout = .milliseconds(500) }) { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: reconnecting")
      #expect(outcome.failure == .timedOut(after: .milliseconds(500), isSilence: true))
    }
  }

  // MARK: A provider that cannot be reached

  @Test @LoopActor
  func aTurnThatOnlyReconnectsEndsAndMayBeRepeated() async throws {
    try await FakeCodex.run(adjust: { $0.providerWait = .milliseconds(500) }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: reconnecting")
      #expect(await eventually { fake.engine.status.providerFault != nil })
      guard case .reconnecting(let reason)? = turn.progress?.activity else {
        Issue.record("\(String(describing: turn.progress))")
        return
      }
      #expect(reason.contains("waiting for network"))
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.reconnections == 1, "told once")
      #expect(outcome.aside.contains("Reconnecting... waiting for network"))
      #expect(
        outcome.failure
          == .providerUnreachable(
            detail: "Reconnecting... waiting for network (stream disconnected before completion)",
            after: .milliseconds(500), hasActed: false))
      #expect(fake.engine.status.providerFault != nil && fake.engine.unavailability == nil)
      // The next sign of the model is the end of it.
      #expect(try await fake.run("demo: tokens=1").isCompleted)
      #expect(fake.engine.status.providerFault == nil)
    }
  }

  @Test @LoopActor
  func aTurnThatHasActedBeforeMustNotBeRepeated() async throws {
    try await FakeCodex.run(adjust: { $0.providerWait = .milliseconds(300) }) { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: reconnecting-late tokens=0 run=touch x")
      guard case .providerUnreachable(_, _, hasActed: true)? = outcome.failure else {
        Issue.record("\(String(describing: outcome.failure))")
        return
      }
    }
  }

  @Test @LoopActor
  func aTurnGoesOnWhenTheProviderIsBack() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=2 reconnecting=3 reasoning=2")
      #expect(outcome.isCompleted)
      #expect(outcome.answer == "t0 t1 ")
      #expect(outcome.reconnections == 1)
      #expect(outcome.aside.hasSuffix("r0 r1 "), "the reasoning behind it is no repetition")
    }
  }

  /// A call that was cut after it had begun is mostly whole with the next attempt: nothing to tell.
  @Test @LoopActor
  func oneCutIsNoOutage() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=4 retry-after-text")
      #expect(outcome.reconnections == 0 && outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func progressIsNoSilence() async throws {
    try await FakeCodex.run(adjust: { $0.turnIdleTimeout = .milliseconds(900) }) { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=12 delay=150")
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func anEngineThatIgnoresInterruptsIsReplaced() async throws {
    try await FakeCodex.run("ignore-interrupt", adjust: FakeCodex.hurry) { fake in
      try await fake.ready()
      let process = fake.engine.status.processIDs.first
      let turn = try await fake.start("demo: hang")
      turn.interrupt()
      let ended = Waiter<Void>()
      Loop.spawn {
        _ = await FakeCodex.Outcome(turn)
        ended.finish()
      }
      #expect(await eventually { ended.isFinished })
      #expect(
        await eventually {
          fake.engine.status.processIDs.first != nil && fake.engine.status.processIDs.first != process
        })
      try await fake.ready()
      #expect(try await fake.run("demo: tokens=1").isCompleted)
    }
  }

  /// Nobody else is made to pay for a turn that does not end, and its thread is not used again.
  @Test @LoopActor
  func aTurnThatDoesNotEndIsDroppedAlone() async throws {
    try await FakeCodex.run(adjust: FakeCodex.hurry) { fake in
      try await fake.ready()
      let process = fake.engine.status.processIDs.first
      let long = try await fake.start("demo: tokens=150 delay=40")
      let stuck = try await fake.start("demo: stuck tokens=10000 delay=10", thread: .persistent)
      let thread = try #require(stuck.threadID)
      stuck.interrupt()
      #expect(await FakeCodex.Outcome(stuck).outcome == .interrupted(TokenUsage()))
      #expect(fake.engine.hasStuckTurn)
      #expect(fake.engine.status.processIDs.first == process)
      await #expect(throws: EngineError.threadNotFound(thread)) {
        _ = try await fake.start("demo: tokens=1", thread: .existing(thread))
      }
      let outcome = await FakeCodex.Outcome(long)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.split(separator: " ").count == 150)
      // Now it is nobody's trouble that the process goes.
      #expect(await eventually { ![nil, process].contains(fake.engine.status.processIDs.first) })
      try await fake.ready()
      let resumed = try await fake.run("demo: tokens=1", thread: .existing(thread))
      #expect(resumed.isCompleted)
    }
  }

  /// Codex knows the turn no more: its end was told and lost, or never told.
  @Test @LoopActor
  func aTurnThatIsOverEnds() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let process = fake.engine.status.processIDs.first
      let turn = try await fake.start("demo: over hang", thread: .persistent)
      let thread = try #require(turn.threadID)
      turn.interrupt()
      #expect(await FakeCodex.Outcome(turn).outcome == .interrupted(TokenUsage()))
      #expect(!fake.engine.hasStuckTurn)
      #expect(try await fake.run("demo: tokens=1", thread: .existing(thread)).isCompleted)
      #expect(fake.engine.status.processIDs.first == process)
    }
  }

  @Test(arguments: ["status=paused", "status=inProgress", "status"]) @LoopActor
  func aTurnThatEndsInNoKnownWayHasFailed(_ status: String) async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=1 \(status)")
      guard case .turnFailed(let failure)? = outcome.failure else {
        Issue.record("taken for a success")
        return
      }
      let error = APIError(failure)
      #expect(error.status == 502)
      #expect(error.type == "codex_error")
      #expect(error.code == "unknown_turn_status")
    }
  }

  @Test @LoopActor
  func commentaryIsTheAnswerOfATurnWithoutOne() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: commentary say=It is 42.")
      #expect(outcome.answer == "It is 42.")
      #expect(outcome.aside == "It is 42.")
      #expect(outcome.isCompleted)
      let other = try await fake.run("demo: two-messages say=42")
      #expect(other.answer == "42")
    }
  }

  @Test(arguments: [(#"{"a":1}"#, true), ("It is 42.", false), ("{}", false)]) @LoopActor
  func commentaryHasToFitTheSchema(_ text: String, _ fits: Bool) async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      var plan = TurnRequest(thread: .ephemeral, input: [.text("demo: commentary say=\(text)")])
      plan.outputSchema = ["type": "object", "required": ["a"]]
      let turn = Turn(plan, requestID: "test")
      try await fake.engine.start(turn)
      let outcome = await FakeCodex.Outcome(turn)
      if fits {
        #expect(outcome.answer == text)
        #expect(outcome.isCompleted)
      } else {
        #expect(outcome.failure == .turnFailed(.schemaMismatch))
        #expect(APIError(TurnFailure.schemaMismatch).status == 502)
        #expect(APIError(TurnFailure.schemaMismatch).code == "schema_mismatch")
      }
    }
  }

  /// A broken file is not a broken bridge.
  @Test(arguments: ["", "\0\0\0\0", "garbage"]) @LoopActor
  func aThreadFileThatCannotBeReadIsALostThread(_ contents: String) async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: tokens=1", thread: .persistent)
      let thread = try #require(turn.threadID)
      _ = await FakeCodex.Outcome(turn)
      let process = try #require(fake.engine.status.processIDs.first)
      kill(process, SIGKILL)
      #expect(await eventually { ![nil, process].contains(fake.engine.status.processIDs.first) })
      try await fake.ready()
      try fake.home.write(contents, to: "fake_threads/\(thread).json")
      await #expect(throws: EngineError.threadNotFound(thread)) {
        _ = try await fake.start("demo: tokens=1", thread: .existing(thread))
      }
    }
  }

  /// What a thread was told is in force in the process that has loaded it, and nowhere else.
  @Test @LoopActor
  func aThreadThatIsLoadedAgainIsToldItsInstructions() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      var plan = TurnRequest(thread: .persistent, instructions: "Be brief.", input: [.text("demo: params")])
      let first = Turn(plan, requestID: "test")
      try await fake.engine.start(first)
      let thread = try #require(first.threadID)
      #expect(await FakeCodex.Outcome(first).answer.contains(#""developerInstructions": "Be brief.""#))
      plan.thread = .existing(thread)
      // New ones need a thread that is loaded anew: the next turn loads it.
      plan.instructions = "Be long."
      plan.changesInstructions = true
      for expected in ["Be brief.", "Be long."] {
        let turn = Turn(plan, requestID: "test")
        try await fake.engine.start(turn)
        #expect(await FakeCodex.Outcome(turn).answer.contains(#""developerInstructions": "\#(expected)""#))
      }
    }
  }

  @Test @LoopActor
  func garbageIsSkipped() async throws {
    try await FakeCodex.run("garbage") { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=5 garbage")
      #expect(outcome.answer == "t0 t1 t2 t3 t4 ")
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func unknownRequestsAreRefusedAndUnknownNotificationsSkipped() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=2 unknown-request unknown-notification")
      #expect(outcome.answer == "t0 t1 ")
      #expect(outcome.isCompleted)
      #expect(fake.engine.status.unknownNotifications > 0)
    }
  }

  @Test @LoopActor
  func anApprovalIsDeclinedWithANote() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=0 approval")
      #expect(outcome.answer == "decision:decline ")
      #expect(outcome.aside.contains("touch approved"))
      #expect(outcome.aside.hasSuffix("Declined: nobody is asked."))
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func aLargeDeltaOfMegabytesPasses() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: big=3000000")
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.isCompleted)
      #expect(outcome.answer.utf8.count == 3_000_000)
    }
  }

  @Test @LoopActor
  func fiftyTurnsAtOnceDoNotCross() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      var outcomes: [Int: FakeCodex.Outcome] = [:]
      let turns = 50
      for number in 0..<turns {
        Loop.spawn {
          outcomes[number] = try? await fake.run("demo: tokens=40 id=n\(number) delay=1")
        }
      }
      #expect(await eventually { outcomes.count == turns })
      for number in 0..<turns {
        #expect(outcomes[number]?.answer == (0..<40).map { "n\(number)-\($0) " }.joined())
      }
      #expect(fake.engine.runningTurns == 0)
    }
  }

  @Test @LoopActor
  func aRetryAfterTextRetractsIt() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let outcome = try await fake.run("demo: tokens=6 retry-after-text")
      #expect(outcome.retractions == 1)
      #expect(outcome.answer.trimmingSpaces() == "t0 t1 t2 t3 t4 t5")
      #expect(outcome.isCompleted)
      let early = try await fake.run("demo: tokens=3 retry-before-text")
      #expect(early.retractions == 0)
      #expect(early.answer == "t0 t1 t2 ")
    }
  }

  @Test @LoopActor
  func textThatComesWholeIsNotLost() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      #expect(try await fake.run("demo: tokens=3 no-deltas").answer == "t0 t1 t2 ")
      let two = try await fake.run("demo: tokens=2 two-messages reasoning=2")
      #expect(two.answer == "t0 t1 ")
      #expect(two.aside.contains("r0 r1"))
      #expect(two.aside.contains("Let me look."))
    }
  }

  @Test @LoopActor
  func aFailureKeepsItsNameAndResetTime() async throws {
    try await FakeCodex.run("resets=1000") { fake in
      try await fake.ready()
      let limited = try await fake.run("demo: fail=usageLimitExceeded message=You_are_out.")
      guard case .turnFailed(let failure)? = limited.failure else {
        Issue.record("ended as \(String(describing: limited.outcome))")
        return
      }
      #expect(failure.name == "usageLimitExceeded")
      #expect(failure.message == "You are out.")
      let other = try await fake.run(#"demo: fail={"responseTooManyFailedAttempts":{"httpStatusCode":429}}"#)
      guard case .turnFailed(let nested)? = other.failure else {
        Issue.record("ended as \(String(describing: other.outcome))")
        return
      }
      #expect(nested.name == "responseTooManyFailedAttempts")
      #expect(nested.upstreamStatus == 429)
    }
  }

  @Test @LoopActor
  func usageIsThatOfTheTurnAlone() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let first = try await fake.start("demo: usage=10,1,5,2", thread: .persistent)
      #expect(
        await FakeCodex.Outcome(first).outcome
          == .completed(TokenUsage(input: 10, cachedInput: 1, output: 5, reasoningOutput: 2)))
      let thread = try #require(first.threadID)
      let second = try await fake.run("demo: usage=7,0,3,0", thread: .existing(thread))
      #expect(second.outcome == .completed(TokenUsage(input: 7, cachedInput: 0, output: 3, reasoningOutput: 0)))
    }
  }

  /// The whole way: HTTP, gateway, engine, process.
  @Test @LoopActor
  func aCrashMidStreamIsOneErrorEvent() async throws {
    try await FakeCodex.run { fake in
      try await fake.ready()
      let directory = try TemporaryDirectory()
      defer { directory.remove() }
      let configuration = try Configuration(sources: [])
      let sessions = try await Sessions.inFiles(directory.path, queueLimit: 4)
      let state = ServerState()
      let gateway = Gateway(
        engine: fake.engine, sessions: sessions, state: state,
        authenticator: Authenticator(keys: configuration[Settings.apiKeys]), configuration: configuration,
        leases: TurnLeases(wait: .seconds(60), repository: MemoryOpenTurns()),
        conversations: ConversationFinder(
          sessions: sessions, points: MemoryPoints(), memory: UnnamedConversations(), continuity: .off),
        responses: ResponseMemory(Database(directory: directory.path), configuration),
        answers: AnswerRegistry(configuration), listening: ["127.0.0.1"])
      let server = try TestServer(limits: .init(), maxBodyBytes: 1 << 20, budget: ContentBudget()) {
        gateway.handle($0, $1)
      }
      for isStream in [true, false] {
        try await fake.ready()
        let request = GatewayServer.chat("demo: tokens=4 kill", stream: isStream)
        let response = try #require(try await TestClient.exchange(port: server.port, request))
        if isStream {
          let events = ChatEvents(response.body)
          #expect(events.problems == [])
          #expect(events.content == "t0 t1 ")
          #expect(events.error?["code"] == "codex_crashed")
        } else {
          #expect(response.status == 502)
          #expect(response.error("code") == "codex_crashed")
          #expect(response.field("x-should-retry") == "false")
        }
      }
      try await fake.ready()
      let next = try await TestClient.exchange(port: server.port, GatewayServer.chat("demo: tokens=2"))
      #expect(next?.json["choices"]?.arrayValue?.first?["message"]?["content"] == "t0 t1 ")
      await server.stopWhenLeft()
      await sessions.close()
    }
  }
}
