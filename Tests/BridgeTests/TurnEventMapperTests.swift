// Notifications of a turn to what the reader sees, with the retries and repetitions of the real engine.

import Testing

@testable import Bridge

struct TurnEventMapperTests {
  /// Notifications by name, as short as a test wants them.
  private struct Script {
    var mapper: TurnEventMapper
    var events: [TurnEvent] = []

    init(showsActivity: Bool = false, baseline: TokenUsage? = nil) {
      mapper = TurnEventMapper(showsActivity: showsActivity, baseline: baseline)
    }

    mutating func map(_ method: String, _ params: JSONValue) { events += mapper.map(method, params) }

    mutating func started(
      _ id: String, _ type: String = "agentMessage", phase: String? = nil, _ more: JSONValue = [:]
    ) {
      map("item/started", ["item": item(id, type, phase, more)])
    }

    mutating func completed(_ id: String, _ text: String, phase: String? = nil) {
      map("item/completed", ["item": item(id, "agentMessage", phase, ["text": .string(text)])])
    }

    mutating func completed(_ id: String, type: String, _ more: JSONValue = [:]) {
      map("item/completed", ["item": item(id, type, nil, more)])
    }

    mutating func delta(_ id: String, _ text: String) {
      let text = EscapedText(text)
      let placement = mapper.delta(
        text.raw.utf8.span, hasEscapes: text.hasEscapes, of: mapper.message(id.utf8.span))
      events += placement.events(text)
    }

    mutating func thought(_ id: String, _ text: String, part: Int = 0) {
      map(
        "item/reasoning/summaryTextDelta",
        ["itemId": .string(id), "delta": .string(text), "summaryIndex": .int(part)])
    }

    mutating func part(_ id: String, _ index: Int) {
      map("item/reasoning/summaryPartAdded", ["itemId": .string(id), "summaryIndex": .int(index)])
    }

    mutating func usage(_ input: Int, _ output: Int, cached: Int = 0, reasoning: Int = 0) {
      map("thread/tokenUsage/updated", Self.usage(input, output, cached: cached, reasoning: reasoning))
    }

    mutating func retry() {
      map("error", ["willRetry": true, "error": ["message": "Reconnecting... 1/5"]])
    }

    static func usage(_ input: Int, _ output: Int, cached: Int = 0, reasoning: Int = 0) -> JSONValue {
      [
        "tokenUsage": [
          "total": [
            "inputTokens": .int(input), "outputTokens": .int(output), "cachedInputTokens": .int(cached),
            "reasoningOutputTokens": .int(reasoning), "totalTokens": .int(input + output),
          ],
          "last": ["inputTokens": 1, "outputTokens": 1],
        ]
      ]
    }

    private func item(_ id: String, _ type: String, _ phase: String?, _ more: JSONValue) -> JSONValue {
      var object = more.objectValue ?? JSONObject()
      object["id"] = .string(id)
      object["type"] = .string(type)
      if type == "agentMessage" {
        object["phase"] = .text(phase)
        if object["text"] == nil { object["text"] = "" }
      }
      return .object(object)
    }

    /// The answer as a client sees it that can take back what is void.
    var answer: String {
      var text = ""
      var kept = ""
      for event in events {
        switch event {
        case .answer(let piece): text += piece.text
        case .began, .reconnecting: break
        case .checkpoint: kept = text
        case .answerRetracted: text = kept
        case .aside, .commentary, .answerIsCommentary, .ended: break
        }
      }
      return text
    }

    var aside: String {
      events.map { event in
        switch event {
        case .aside(let piece), .commentary(let piece): piece.text
        default: ""
        }
      }.joined()
    }

    var retractions: Int { events.count { $0 == .answerRetracted } }
  }

  // MARK: Messages

  @Test func passesDeltasOneByOne() {
    var script = Script()
    script.started("1")
    for piece in ["a", "\"", "é\n"] { script.delta("1", piece) }
    script.completed("1", "a\"é\n")
    #expect(script.events == ["a", "\"", "é\n"].map { .answer(EscapedText($0)) })
  }

  @Test func separatesAnswersByABlankLine() {
    var script = Script()
    for id in ["1", "2", "3"] {
      script.started(id)
      script.delta(id, "m\(id)")
      script.completed(id, "m\(id)")
    }
    #expect(script.answer == "m1\n\nm2\n\nm3")
  }

  @Test func putsNoBlankLineAfterAnEmptyAnswer() {
    var script = Script()
    script.started("1")
    script.completed("1", "")
    script.started("2")
    script.delta("2", "b")
    #expect(script.answer == "b")
  }

  @Test(
    arguments: [("final_answer", true), ("partial_answer", true), (nil, true), ("commentary", false)]
      as [(String?, Bool)])
  func sortsMessagesByTheirPhase(_ phase: String?, _ isAnswer: Bool) {
    var script = Script()
    script.started("1", phase: phase)
    script.delta("1", "text")
    script.completed("1", "text", phase: phase)
    #expect(script.answer == (isAnswer ? "text" : ""))
    #expect(script.aside == (isAnswer ? "" : "text"))
  }

  @Test func keepsCommentaryOutOfTheAnswer() {
    var script = Script()
    script.started("1", phase: "commentary")
    script.delta("1", "Let me see.")
    script.completed("1", "Let me see.", phase: "commentary")
    script.started("2", phase: "commentary")
    script.delta("2", "One more.")
    script.started("3", phase: "final_answer")
    script.delta("3", "42")
    #expect(script.answer == "42")
    #expect(script.aside == "Let me see.\n\nOne more.")
  }

  @Test func keepsCommentaryForWhenNothingElseComes() {
    var script = Script()
    script.started("1", phase: "commentary")
    script.delta("1", "Let me see.")
    #expect(script.mapper.commentaryWithoutAnswer == [])
    script.completed("1", "Let me see.", phase: "commentary")
    script.started("2", phase: "commentary")
    script.completed("2", "It is 42.", phase: "commentary")
    // An answer without a word is none.
    script.started("3", phase: "final_answer")
    script.completed("3", "", phase: "final_answer")
    #expect(script.mapper.commentaryWithoutAnswer == ["Let me see.", "It is 42."])
    script.started("4")
    script.delta("4", "4")
    #expect(script.mapper.commentaryWithoutAnswer == [])
  }

  @Test func keepsCommentaryThatARetryRepeatsOnce() {
    var script = Script()
    for id in ["1", "2", "3"] {
      script.completed(id, "Let me see.", phase: "commentary")
      if id == "2" { script.usage(1, 1) } else { script.retry() }
    }
    script.completed("4", "It is 42.", phase: "commentary")
    #expect(script.mapper.commentaryWithoutAnswer == ["Let me see.", "It is 42."])
  }

  @Test func keepsTheLastOfMuchCommentary() {
    var script = Script()
    for id in 0..<40 { script.completed("\(id)", String(repeating: "x", count: 100_000), phase: "commentary") }
    script.completed("last", "It is 42.", phase: "commentary")
    #expect(script.mapper.commentaryWithoutAnswer.count < 12)
    #expect(script.mapper.commentaryWithoutAnswer.last == "It is 42.")
    script.retry()
    #expect(script.mapper.commentaryWithoutAnswer == [])
  }

  @Test func tellsInterleavedItemsApart() {
    var script = Script()
    script.started("1", phase: "commentary")
    script.started("2")
    script.delta("2", "a")
    script.delta("1", "x")
    script.delta("2", "b")
    #expect(script.answer == "ab")
    #expect(script.aside == "x")
  }

  @Test func takesAMessageWithoutDeltas() {
    var script = Script()
    script.started("1")
    script.completed("1", "whole")
    #expect(script.answer == "whole")
  }

  @Test func takesAMessageThatNeverStarted() {
    var script = Script()
    script.completed("1", "an answer")
    script.completed("2", "beside it", phase: "commentary")
    #expect(script.answer == "an answer")
    #expect(script.aside == "beside it")
  }

  @Test func takesDeltasOfAnUnknownItemAsAnswer() {
    var script = Script()
    script.delta("1", "a")
    script.delta("1", "b")
    script.completed("1", "ab")
    #expect(script.answer == "ab")
  }

  @Test(arguments: ["", "a", "aé", "aé😀", "aé😀\"\\n"])
  func completesWhatTheDeltasLeftOut(_ sent: String) {
    var script = Script()
    script.started("1")
    script.delta("1", sent)
    script.completed("1", "aé😀\"\\n")
    #expect(script.answer == "aé😀\"\\n")
  }

  @Test func saysNothingTwiceAtTheEnd() {
    var script = Script()
    script.started("1")
    script.delta("1", "hello")
    script.completed("1", "hello")
    script.completed("1", "hello")
    #expect(script.answer == "hello")
  }

  @Test func dropsEmptyDeltas() {
    var script = Script()
    script.started("1")
    script.delta("1", "")
    #expect(script.events.isEmpty)
  }

  // MARK: Reasoning

  @Test func separatesPartsOfASummary() {
    var script = Script()
    script.started("r", "reasoning")
    script.part("r", 0)
    script.thought("r", "**First**")
    script.thought("r", " thought")
    script.part("r", 1)
    script.thought("r", "Second", part: 1)
    script.completed("r", type: "reasoning", ["summary": ["**First** thought", "Second"], "content": []])
    #expect(script.aside == "**First** thought\n\nSecond")
    #expect(script.answer.isEmpty)
  }

  @Test func takesASummaryWithoutDeltas() {
    var script = Script()
    script.started("r", "reasoning")
    script.completed("r", type: "reasoning", ["summary": ["One", "Two"]])
    #expect(script.aside == "One\n\nTwo")
  }

  @Test func takesRawReasoning() {
    var script = Script()
    script.started("r", "reasoning")
    script.map("item/reasoning/textDelta", ["itemId": "r", "delta": "raw"])
    #expect(script.aside == "raw")
  }

  @Test func separatesReasoningFromReasoning() {
    var script = Script()
    script.started("r", "reasoning")
    script.thought("r", "a")
    script.started("s", "reasoning")
    script.part("s", 0)
    script.thought("s", "b")
    #expect(script.aside == "a\n\nb")
  }

  // MARK: Retries

  @Test func aRetryBeforeAnyTextIsSilent() {
    var script = Script()
    script.retry()
    script.started("1")
    script.retry()
    script.started("2")
    script.delta("2", "answer")
    #expect(script.retractions == 0)
    #expect(script.answer == "answer")
  }

  @Test func aRetryAfterTextTakesItBack() {
    var script = Script()
    script.started("1")
    script.delta("1", "half an ans")
    script.retry()
    script.retry()
    script.started("2")
    script.delta("2", "whole answer")
    script.completed("2", "whole answer")
    #expect(script.retractions == 1)
    #expect(script.answer == "whole answer")
  }

  /// Seen: even a completed message comes again if the stream dies before its response is complete.
  @Test func aRetryTakesBackCompletedMessagesToo() {
    var script = Script()
    script.started("1")
    script.delta("1", "answer")
    script.completed("1", "answer")
    script.retry()
    script.started("2")
    script.delta("2", "answer")
    script.completed("2", "answer")
    #expect(script.answer == "answer")
  }

  @Test func aRetryLeavesWhatIsFinal() {
    var script = Script()
    script.started("1")
    script.delta("1", "first")
    script.completed("1", "first")
    script.usage(10, 5)
    script.started("2")
    script.delta("2", "sec")
    script.retry()
    script.started("3")
    script.delta("3", "second")
    #expect(script.answer == "first\n\nsecond")
    #expect(script.retractions == 1)
  }

  @Test func aRetryRightAfterACheckpointTakesNothingBack() {
    var script = Script()
    script.started("1")
    script.delta("1", "first")
    script.completed("1", "first")
    script.usage(10, 5)
    script.retry()
    script.started("2")
    script.delta("2", "second")
    #expect(script.retractions == 0)
    #expect(script.answer == "first\n\nsecond")
  }

  @Test func theLastErrorTakesNothingBack() {
    var script = Script()
    script.started("1")
    script.delta("1", "text")
    script.map("error", ["willRetry": false, "error": ["message": "broken"]])
    script.map("error", ["error": ["message": "broken"]])
    #expect(script.retractions == 0)
  }

  @Test func aRetryDoesNotRepeatReasoning() {
    var script = Script()
    script.started("r", "reasoning")
    script.thought("r", "thinking")
    script.retry()
    script.started("s", "reasoning")
    script.thought("s", "thinking")
    script.completed("s", type: "reasoning", ["summary": ["thinking"]])
    script.started("1")
    script.delta("1", "answer")
    script.usage(1, 1)
    #expect(script.aside == "thinking")
    #expect(script.answer == "answer")
    script.started("t", "reasoning")
    script.thought("t", "more")
    #expect(script.aside == "thinking\n\nmore")
  }

  /// What the bridge itself did is news and no repetition.
  @Test func aNoteIsShownEvenAfterARetry() {
    var script = Script()
    script.started("r", "reasoning")
    script.thought("r", "thinking")
    script.retry()
    script.events += script.mapper.note("Codex asked to run `rm`; declined.")
    #expect(script.aside == "thinking\n\nCodex asked to run `rm`; declined.")
  }

  // MARK: Activity

  /// A command is shown without the shell around it, and nothing that is named looks like another line.
  @Test func activityIsShownEscaped() {
    var script = Script(showsActivity: true)
    script.started("a", "commandExecution", ["command": "/bin/bash -lc 'echo \u{202E}x\nls'"])
    script.started("b", "fileChange", ["changes": [["path": "/a\nb"]]])
    script.started("c", "mcpToolCall", ["tool": "look\u{9B}"])
    #expect(
      script.aside == #"""
        Running `echo \u{202E}x\nls`

        Changing /a\nb

        Calling the tool look\u{009B}
        """#)
    #expect(script.mapper.currentTool == #"Calling the tool look\u{009B}"#)
  }

  @Test func ofLongActivityTheBeginningIsShown() {
    var script = Script(showsActivity: true)
    script.started("a", "commandExecution", ["command": .string(String(repeating: "x", count: 100_000))])
    #expect(script.mapper.currentTool?.hasSuffix("x… (91808 more bytes)`") == true)
    let change: JSONValue = ["path": "/a"]
    script.started("b", "fileChange", ["changes": .array(Array(repeating: change, count: 150))])
    #expect(script.mapper.currentTool?.hasSuffix("/a, /a and 50 more") == true)
  }

  @Test func tellsOfActivityOnlyIfAsked() {
    for showsActivity in [false, true] {
      var script = Script(showsActivity: showsActivity)
      script.started("c", "commandExecution", ["command": "ls"])
      #expect(script.mapper.runningTools == ["c"])
      script.completed("c", type: "commandExecution", ["status": "completed", "exitCode": 0])
      #expect(script.mapper.runningTools.isEmpty)
      #expect(script.mapper.hasRunCommands)
      script.started("1")
      script.delta("1", "answer")
      #expect(script.answer == "answer")
      #expect(script.aside == (showsActivity ? "Running `ls`\n\nExit code 0" : ""))
    }
  }

  @Test(
    arguments: [
      ("fileChange", ["changes": [["path": "/a"], ["path": "/b"]]], "/a, /b"),
      ("webSearch", ["query": "swift"], "swift"),
      ("mcpToolCall", ["tool": "grep"], "grep"), ("dynamicToolCall", ["tool": "look"], "look"),
    ] as [(String, JSONValue, String)])
  func namesWhatIsDone(_ type: String, _ item: JSONValue, _ word: String) {
    var script = Script(showsActivity: true)
    script.started("c", type, item)
    #expect(script.aside.contains(word))
    #expect(script.mapper.runningTools == ["c"])
    script.completed("c", type: type)
    #expect(script.mapper.runningTools.isEmpty)
    #expect(!script.mapper.hasRunCommands)
  }

  @Test func knowsTheToolThatBeganLast() {
    var script = Script()
    #expect(script.mapper.currentTool == nil)
    script.started("a", "commandExecution", ["command": "make"])
    script.started("b", "webSearch", ["query": "swift"])
    #expect(script.mapper.currentTool?.contains("swift") == true)
    script.completed("b", type: "webSearch")
    #expect(script.mapper.currentTool?.contains("make") == true)
    script.completed("a", type: "commandExecution")
    #expect(script.mapper.currentTool == nil)
  }

  @Test func knowsTheFilesOfAChangeUnderWay() {
    var script = Script()
    script.started("c", "fileChange", ["changes": [["path": "/a"], ["path": "/b"]]])
    #expect(script.mapper.fileChange(itemID: "c")?["changes"]?.arrayValue?.count == 2)
    #expect(script.mapper.fileChange(itemID: "x") == nil)
    script.completed("c", type: "fileChange")
    #expect(script.mapper.fileChange(itemID: "c") == nil)
  }

  @Test func tellsOfADeclinedCommand() {
    var script = Script(showsActivity: true)
    script.started("c", "commandExecution", ["command": "rm"])
    script.completed("c", type: "commandExecution", ["status": "declined"])
    #expect(script.aside.contains("declined"))
  }

  @Test(arguments: ["userMessage", "plan", "contextCompaction", "somethingNew"])
  func knowsWhatIsNoActivity(_ type: String) {
    var script = Script(showsActivity: true)
    script.started("c", type)
    script.completed("c", type: type)
    #expect(script.events.isEmpty)
    #expect(script.mapper.runningTools.isEmpty)
  }

  // MARK: Usage

  @Test func countsFromTheStartOfTheTurn() {
    var script = Script(baseline: TokenUsage(input: 100, cachedInput: 40, output: 10, reasoningOutput: 5))
    script.usage(150, 12, cached: 60, reasoning: 6)
    script.usage(210, 20, cached: 90, reasoning: 9)
    #expect(script.mapper.turnUsage == TokenUsage(input: 110, cachedInput: 50, output: 10, reasoningOutput: 4))
  }

  @Test func aFreshThreadStartsAtNothing() {
    var script = Script()
    script.usage(50, 2)
    #expect(script.mapper.turnUsage == TokenUsage(input: 50, output: 2))
  }

  @Test func aTurnWithoutModelCallUsesNothing() {
    #expect(Script(baseline: TokenUsage(input: 100, output: 10)).mapper.turnUsage == TokenUsage())
  }

  /// After a resume the engine tells the thread's usage so far under an old turn's id, sometimes after the start.
  @Test func learnsTheStartLate() {
    var script = Script()
    script.mapper.earlierUsage(Script.usage(100, 10))
    #expect(script.mapper.turnUsage == TokenUsage())
    script.usage(130, 15)
    #expect(script.mapper.turnUsage == TokenUsage(input: 30, output: 5))
  }

  @Test func learnsTheStartEvenAfterTheFirstCall() {
    var script = Script()
    script.usage(130, 15)
    script.mapper.earlierUsage(Script.usage(100, 10))
    #expect(script.mapper.turnUsage == TokenUsage(input: 30, output: 5))
  }

  @Test func usageIsACheckpoint() {
    var script = Script()
    script.usage(1, 1)
    #expect(script.events == [.checkpoint])
  }

  @Test func isNotTouchedByBrokenUsage() {
    var script = Script()
    script.usage(5, 5)
    script.map("thread/tokenUsage/updated", ["tokenUsage": ["total": ["totalTokens": 9]]])
    script.map("thread/tokenUsage/updated", [:])
    #expect(script.mapper.turnUsage == TokenUsage(input: 5, output: 5))
  }

  /// An engine that counts nonsense must not take the bridge down with it.
  @Test(arguments: [
    (Int.max, Int.max, 0, 0), (0, 0, Int.max, Int.max), (Int.min, Int.min, 1, 1), (1, 1, Int.min, Int.min),
    (Int.max, 0, Int.min, Int.min),
  ])
  func survivesAbsurdUsage(_ earlierInput: Int, _ earlierOutput: Int, _ input: Int, _ output: Int) {
    func total(_ input: Int, _ output: Int) -> JSONValue {
      ["tokenUsage": ["total": ["inputTokens": .int(input), "outputTokens": .int(output)]]]
    }
    var script = Script()
    script.mapper.earlierUsage(total(earlierInput, earlierOutput))
    script.map("thread/tokenUsage/updated", total(input, output))
    #expect(script.mapper.turnUsage.total >= 0)
  }

  // MARK: The unknown

  @Test(
    arguments: [
      ("item/somethingNew", ["itemId": "1"]), ("turn/plan/updated", [:]), ("", nil), ("item/started", nil),
      ("item/started", ["item": nil]), ("item/started", ["item": ["id": 5, "type": "agentMessage"]]),
      ("item/started", ["item": ["id": "1"]]), ("item/completed", ["item": []]), ("error", nil),
      ("item/reasoning/summaryTextDelta", ["itemId": "1"]), ("item/reasoning/summaryTextDelta", ["delta": "1"]),
    ] as [(String, JSONValue)])
  func skipsWhatItDoesNotKnow(_ method: String, _ params: JSONValue) {
    var script = Script(showsActivity: true)
    script.map(method, params)
    #expect(script.events.isEmpty)
  }

  // MARK: Many

  /// Each of sixty thousand messages is found without looking through the others, also those that are not there.
  @Test(.timeLimit(.minutes(5)))
  func oneAnswerMayHaveTensOfThousandsOfMessages() {
    var script = Script(showsActivity: true)
    let count = 60_000
    for number in 0..<count {
      script.completed("m\(number)", "x")
      script.started("tool\(number)", "commandExecution", ["command": .string("\(number)")])
    }
    #expect(script.mapper.currentTool == "Running `\(count - 1)`")
    for number in 0..<count { script.completed("tool\(number)", type: "commandExecution") }
    #expect(script.mapper.currentTool == nil)
    #expect(script.mapper.runningTools.isEmpty)
    #expect(script.events.count { if case .answer = $0 { true } else { false } } == count)
  }
}
