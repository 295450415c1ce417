// Turns of an engine that is slow, silent, chatty, or asks for what it may not have.

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
    try await FakeCodex.run("ignore-interrupt") { fake in
      try await fake.ready()
      let process = fake.engine.status.processIDs.first
      let turn = try await fake.start("demo: hang")
      turn.interrupt()
      let ended = Wait()
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
      let sessions = try SessionStore(directory: directory.path, queueLimit: 4)
      let state = ServerState()
      let gateway = Gateway(
        engine: fake.engine, sessions: sessions, state: state,
        authenticator: Authenticator(keys: configuration[Settings.apiKeys]), configuration: configuration,
        listening: ["127.0.0.1"])
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
