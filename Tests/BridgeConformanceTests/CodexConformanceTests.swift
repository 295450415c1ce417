// Does the real Codex still speak as the bridge expects? Without a binary these tests are skipped, loudly by their
// condition, and in CI they fail.

import FoundationEssentials
import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct CodexConformanceTests {
  @Test @LoopActor
  func eachTokenIsAnEventAndComesBeforeTheNextIsMade() async throws {
    try await RealCodex.run { codex in
      let turn = try await codex.start("demo: tokens=40 delay=10 id=x")
      var pieces: [String] = []
      var streamsAtFirstPiece: Int?
      var hasEnded = false
      while !hasEnded {
        for event in await turn.events.next() {
          if case .answer(let text) = event { pieces.append(text.text) }
          if case .ended = event { hasEnded = true }
        }
        if !pieces.isEmpty, streamsAtFirstPiece == nil { streamsAtFirstPiece = codex.model.activeStreams }
      }
      #expect(pieces == (0..<40).map { "x-\($0) " })
      #expect(streamsAtFirstPiece == 1, "the first piece came after the model had ended")
    }
  }

  @Test @LoopActor
  func anInterruptStopsTheModel() async throws {
    try await RealCodex.run { codex in
      let turn = try await codex.start("demo: tokens=10000 delay=20")
      _ = await turn.events.next()
      #expect(codex.model.activeStreams == 1)
      turn.interrupt()
      let outcome = await FakeCodex.Outcome(turn)
      #expect(outcome.failure == nil && !outcome.isCompleted)
      #expect(await eventually { codex.model.activeStreams == 0 })
    }
  }

  /// What Codex says while it waits for the network, and that nothing but the bridge ends it.
  @Test @LoopActor
  func aProviderThatCannotBeReached() async throws {
    try await RealCodex.run(["CODEX_PROVIDER_WAIT": "1s"]) { codex in
      codex.model.stop()
      let turn = try await codex.start("hello")
      #expect(await eventually { codex.engine.status.providerFault != nil })
      let outcome = await FakeCodex.Outcome(turn)
      guard case .providerUnreachable(let detail, after: .seconds(1), hasActed: false)? = outcome.failure else {
        Issue.record("\(String(describing: outcome.outcome))")
        return
      }
      #expect(detail.hasPrefix("Reconnecting... waiting for network"))
      #expect(outcome.reconnections == 1)
      #expect(codex.engine.unavailability == nil)
    }
  }

  @Test @LoopActor
  func aThreadRemembersAndIsResumedByAnotherProcess() async throws {
    try await RealCodex.run { codex in
      let first = try await codex.start("the number is seven", thread: .persistent)
      #expect(await FakeCodex.Outcome(first).isCompleted)
      let thread = try #require(first.threadID)
      try await codex.restart()
      let second = try await codex.run("demo: history", thread: .existing(thread))
      #expect(second.answer.contains("user: the number is seven"))
      let history = try await codex.engine.history(of: thread)
      #expect(history.first == .message(.user, [.text("the number is seven")]))
    }
  }

  @Test @LoopActor
  func historyReachesTheModelWithItsRoles() async throws {
    try await RealCodex.run { codex in
      var plan = TurnRequest(thread: .ephemeral)
      plan.instructions = "be brief"
      plan.history = [
        .message(.user, [.text("u1")]), .message(.assistant, [.text("a1")]),
        .toolCall(Conversation.ToolCall(id: "c1", name: "f", arguments: "{\"x\":1}")),
        .toolOutput(Conversation.ToolOutput(callID: "c1", parts: [.text("sunny")])),
      ]
      plan.input = [.text("demo: history")]
      let answer = await FakeCodex.Outcome(try await codex.start(plan)).answer
      #expect(answer.contains("developer: be brief"))
      #expect(answer.contains("user: u1\nassistant: a1\nuser: demo: history"))
      let input = try #require(codex.requests.last?["input"]?.arrayValue)
      let types = input.compactMap { $0["type"]?.stringValue }
      #expect(types.suffix(5) == ["message", "message", "function_call", "function_call_output", "message"])
    }
  }

  @Test @LoopActor
  func pixelsReachTheModelByteForByte() async throws {
    try await RealCodex.run { codex in
      let url = TestImage.dataURL
      var plan = TurnRequest(thread: .ephemeral)
      plan.input = [.text("before"), .image(url), .text("demo: say=seen")]
      #expect(await FakeCodex.Outcome(try await codex.start(plan)).answer == "seen")
      let parts = try #require(codex.requests.last?["input"]?.arrayValue?.last?["content"]?.arrayValue)
      #expect(parts.map { $0["type"]?.stringValue } == ["input_text", "input_image", "input_text"])
      #expect(parts[1]["image_url"]?.stringValue == url)
    }
  }

  /// The parts of the last message that the model was shown.
  @LoopActor
  private func shownParts(_ image: [UInt8], _ type: String, _ codex: RealCodex) async throws -> [String] {
    var plan = TurnRequest(thread: .ephemeral)
    let url = "data:image/\(type);base64,\(Data(image).base64EncodedString())"
    plan.input = [.image(url), .text("demo: say=seen")]
    #expect(await FakeCodex.Outcome(try await codex.start(plan)).answer == "seen")
    let parts = codex.requests.last?["input"]?.arrayValue?.last?["content"]?.arrayValue ?? []
    return parts.compactMap { $0["type"]?.stringValue }
  }

  /// What the bridge lets through is shown to the model, and what it refuses would have been left out without a word.
  @Test @LoopActor
  func picturesThatAreTakenAreShownToTheModel() async throws {
    try await RealCodex.run { codex in
      for (type, image) in [
        ("jpeg", TestImage.jpeg), ("jpeg", TestImage.progressiveJPEG), ("gif", TestImage.gif),
        ("gif", TestImage.animatedGIF), ("webp", TestImage.webp), ("webp", TestImage.losslessWebP),
        ("webp", TestImage.alphaWebP), ("webp", TestImage.animatedWebP),
      ] {
        #expect(ImageFormat(sniffing: image)?.defect(in: image) == nil)
        #expect(try await shownParts(image, type, codex) == ["input_image", "input_text"])
      }
      var twice = TestImage.jpeg
      let frame = try #require((0..<twice.count - 1).first { twice[$0] == 0xFF && twice[$0 + 1] == 0xC0 })
      twice.insert(contentsOf: twice[frame..<frame + 13], at: frame)
      for image in [[0xFF, 0xD8, 0xFF, 0xD9], twice] {
        #expect(ImageFormat.jpeg.defect(in: image) != nil)
        #expect(try await shownParts(image, "jpeg", codex) == ["input_text", "input_text"])
      }
    }
  }

  /// Images are unpacked between the answer to `turn/start` and the first word about an item.
  @Test @LoopActor
  func itIsKnownWhenTheImagesHaveBeenUnpacked() async throws {
    try await RealCodex.run { codex in
      var plan = TurnRequest(thread: .ephemeral)
      plan.input = [.image(TestImage.dataURL), .text("demo: say=seen")]
      let turn = Turn(plan, requestID: "r")
      var hadEnded: Bool?
      turn.onContentRead = { hadEnded = turn.events.hasEnded }
      try await codex.engine.start(turn)
      #expect(await FakeCodex.Outcome(turn).answer == "seen")
      #expect(hadEnded == false)
    }
  }

  @Test @LoopActor
  func aSchemaBindsTheAnswerOfItsTurnOnly() async throws {
    try await RealCodex.run { codex in
      let schema: JSONValue = [
        "type": "object", "properties": ["b": ["type": "integer"], "a": ["type": "string"]],
      ]
      var plan = TurnRequest(thread: .persistent, input: [.text("hello")])
      plan.outputSchema = schema
      let turn = try await codex.start(plan)
      #expect(await FakeCodex.Outcome(turn).answer == "{\"b\":1,\"a\":\"demo\"}")
      #expect(codex.requests.last?["text"]?["format"]?["schema"] == schema)
      _ = try await codex.run("hello", thread: .existing(try #require(turn.threadID)))
      let format = codex.requests.last?["text"]?["format"] ?? .null
      #expect(format.isNull)
    }
  }

  @Test @LoopActor
  func modelsAreListedWithTheirEfforts() async throws {
    try await RealCodex.run { codex in
      let catalog = try await codex.engine.models()
      #expect(catalog.models.count > 3)
      let hasEfforts = catalog.models.contains { !$0.efforts.isEmpty && $0.defaultEffort != nil }
      #expect(hasEfforts)
      #expect(catalog.configuredModel != nil)
      #expect(catalog.models.filter(\.isDefault).count == 1)
    }
  }

  /// Every name the bridge uses stands in the protocol schema that the binary itself writes.
  @Test @LoopActor
  func everyMethodIsInTheSchema() async throws {
    let program = try #require(RealCodex.program)
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let ended = Waiter<Void>()
    let command = ChildProcess.Command(
      file: program,
      arguments: ["app-server", "generate-json-schema", "--experimental", "--out", directory.path],
      environment: ["CODEX_HOME=\(directory.path)", "PATH=/usr/bin:/bin"], workingDirectory: directory.path)
    let process = try ChildProcess(command) { _ in ended.finish() }
    process.standardInput.close()
    for output in [process.standardOutput, process.standardError] {
      output.onEnd = { [weak output] _ in output?.close() }
      output.startReading()
    }
    await ended.value()
    let known = try ["ClientRequest", "ClientNotification", "ServerNotification", "ServerRequest"].map {
      try #require(directory.read("\($0).json"), "\($0).json")
    }.joined()
    let names = [
      Method.initialize, Method.initialized, Method.accountRead, Method.configRead, Method.modelList,
      Method.threadStart, Method.threadResume, Method.threadRead, Method.threadUnsubscribe,
      Method.threadInjectItems, Method.threadLoadedList, Method.cleanBackgroundTerminals, Method.commandExec,
      Method.turnStart, Method.turnInterrupt,
      Notification.answerDelta, Notification.itemStarted, Notification.itemCompleted,
      Notification.reasoningSummaryDelta, Notification.reasoningSummaryPart, Notification.reasoningTextDelta,
      Notification.tokenUsage, Notification.error, Notification.turnCompleted, Notification.threadClosed,
      Notification.accountUpdated, Notification.rateLimits,
      ServerRequest.commandApproval, ServerRequest.fileChangeApproval,
    ]
    for name in names { #expect(known.contains("\"\(name)\""), "\(name) is not in the schema") }
  }

  /// The process before has the thread loaded; it must let go of it before another can resume it.
  @Test @LoopActor
  func aSessionGoesOnInTheProcessThatTakesOver() async throws {
    try await RealCodex.run { codex in
      let pool = CodexPool(processes: 1...1, limits: .init(turns: 1), make: codex.makeEngine)
      pool.start()
      #expect(await eventually { pool.unavailability == nil })
      let run = { (text: String, thread: TurnRequest.Thread) async throws -> Turn in
        let turn = Turn(TurnRequest(thread: thread, input: [.text(text)]), requestID: "test")
        try await pool.start(turn)
        _ = await FakeCodex.Outcome(turn)
        return turn
      }
      let thread = try #require(try await run("remember: first", .persistent).threadID)
      let before = try #require(pool.status.processIDs.first)
      #expect(
        await eventually {
          pool.checkProcesses()
          return pool.successions == [.turns: 1]
        })
      _ = try await run("remember: second", .existing(thread))
      let input = codex.requests.last?["input"]?.jsonText ?? ""
      #expect(input.contains("remember: first"))
      #expect(input.contains("remember: second"))
      pool.checkProcesses()
      #expect(await eventually { !pool.status.processIDs.contains(before) })
      await pool.stop()
    }
  }

  /// Threads that the real Codex has loaded in a process that is closed are resumed in another.
  @Test @LoopActor
  func sessionsGoOnWhenOneProcessFewerIsNeeded() async throws {
    try await RealCodex.run { codex in
      let pool = CodexPool(
        processes: 1...2, limits: .init(), pace: .byHand(idle: .milliseconds(50)), make: codex.makeEngine)
      pool.start()
      #expect(await eventually { pool.isReady })
      let first = try #require(pool.status.processIDs.first)
      let long = try await pool.start(5, "demo: tokens=1000 delay=50")
      #expect(await eventually { pool.openProcesses == 2 && pool.isReady })
      // There is room for these in the second process only.
      var threads: [ThreadID] = []
      for number in 0..<3 {
        let turn = try await pool.start("remember: \(number)", thread: .persistent)
        #expect(await FakeCodex.Outcome(turn).isCompleted)
        threads.append(try #require(turn.threadID))
      }
      for turn in long {
        turn.interrupt()
        #expect(await !FakeCodex.Outcome(turn).isCompleted)
      }
      #expect(
        await eventually {
          pool.checkProcesses()
          return pool.openProcesses == 1
        })
      for (number, thread) in threads.enumerated() {
        let turn = try await pool.start("remember: again", thread: .existing(thread))
        #expect(await FakeCodex.Outcome(turn).isCompleted)
        let input = codex.requests.last?["input"]?.jsonText ?? ""
        #expect(input.contains("remember: \(number)"))
        #expect(input.contains("remember: again"))
      }
      #expect(await eventually { pool.status.processIDs == [first] })
      await pool.stop()
    }
  }

  /// To where there is less to do.
  @Test @LoopActor
  func aSessionMovesFromABusyProcessToAnother() async throws {
    try await RealCodex.run { codex in
      let pool = CodexPool(
        processes: 1...2, limits: .init(), pace: .byHand(idle: .seconds(60)), make: codex.makeEngine)
      pool.start()
      #expect(await eventually { pool.isReady })
      let turn = try await pool.start("remember: first", thread: .persistent)
      #expect(await FakeCodex.Outcome(turn).isCompleted)
      let thread = try #require(turn.threadID)
      let long = try await pool.start(5, "demo: tokens=1000 delay=50")
      #expect(await eventually { pool.openProcesses == 2 && pool.isReady })
      let busy = try #require(pool.status.processIDs.first)
      let moved = try await pool.start("remember: second", thread: .existing(thread))
      // It goes on without the process that had it.
      #expect(kill(busy, SIGKILL) == 0)
      #expect(await FakeCodex.Outcome(moved).isCompleted)
      let input = codex.requests.last?["input"]?.jsonText ?? ""
      #expect(input.contains("remember: first"))
      #expect(input.contains("remember: second"))
      for turn in long { #expect(await FakeCodex.Outcome(turn).failure == .crashed) }
      await pool.stop()
    }
  }

  /// A thread that was started ahead gets the same conversation as one that is started for its turn.
  @Test @LoopActor
  func aWarmThreadSeesWhatAColdOneSees() async throws {
    try await RealCodex.run(paces: Paces(warmThreads: 1)) { codex in
      var threads: Set<String> = []
      var seen: [[String]] = []
      for _ in 0..<3 {
        var plan = TurnRequest(thread: .ephemeral, input: [.text("the question")])
        plan.instructions = "the instructions"
        plan.history = [.message(.user, [.text("earlier")]), .message(.assistant, [.text("answered")])]
        let turn = try await codex.start(plan)
        #expect(await FakeCodex.Outcome(turn).isCompleted)
        threads.insert(turn.threadID?.raw ?? "")
        let texts = ["the instructions", "earlier", "answered", "the question"]
        let input = (codex.requests.last?["input"]?.arrayValue ?? []).map(\.jsonText)
        seen.append(texts.map { text in "\(text): \(input.filter { $0.contains("\"\(text)\"") }.count)" })
        let places = texts.compactMap { text in input.firstIndex { $0.contains("\"\(text)\"") } }
        #expect(places == places.sorted())
        // Time for the next thread to be started.
        await Loop.sleep(.milliseconds(400))
      }
      #expect(threads.count == 3)
      #expect(Set(seen).count == 1)
      #expect(seen[0].allSatisfy { $0.hasSuffix(": 1") })
    }
  }
}
