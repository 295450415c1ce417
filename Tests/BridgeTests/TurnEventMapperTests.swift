// Notifications of a turn to events, with the retries and repetitions of the real engine.

import Testing

@testable import Bridge

struct TurnEventMapperTests {
  // MARK: Messages

  @Test func passesDeltasOneByOne() {
    var script = TurnScript()
    script.started("1")
    for piece in ["a", "\"", "é\n"] { script.delta("1", piece) }
    script.completed("1", "a\"é\n")
    let pieces: [TurnEvent] = ["a", "\"", "é\n"].map { .answer(EscapedText($0)) }
    #expect(script.events == [.itemBegan(.message(nil))] + pieces + [.itemEnded(.message(nil))])
  }

  @Test func keepsCommentaryForWhenNothingElseComes() {
    var script = TurnScript()
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
    var script = TurnScript()
    for id in ["1", "2", "3"] {
      script.completed(id, "Let me see.", phase: "commentary")
      if id == "2" { script.usage(1, 1) } else { script.retry() }
    }
    script.completed("4", "It is 42.", phase: "commentary")
    #expect(script.mapper.commentaryWithoutAnswer == ["Let me see.", "It is 42."])
  }

  @Test func keepsTheLastOfMuchCommentary() {
    var script = TurnScript()
    for id in 0..<40 { script.completed("\(id)", String(repeating: "x", count: 100_000), phase: "commentary") }
    script.completed("last", "It is 42.", phase: "commentary")
    #expect(script.mapper.commentaryWithoutAnswer.count < 12)
    #expect(script.mapper.commentaryWithoutAnswer.last == "It is 42.")
    script.retry()
    #expect(script.mapper.commentaryWithoutAnswer == [])
  }

  @Test func dropsEmptyDeltas() {
    var script = TurnScript()
    script.started("1")
    script.delta("1", "")
    #expect(script.events.isEmpty)
  }

  /// An item without text is no item: it neither begins nor ends.
  @Test func itemsBeginWithTheirFirstTextAndEndWithTheirPhase() {
    var script = TurnScript()
    script.started("0", phase: "final_answer")
    script.completed("0", "", phase: "final_answer")
    script.started("1", phase: "commentary")
    script.delta("1", "Let me ")
    script.completed("1", "Let me see.", phase: "commentary")
    script.completed("2", "42", phase: "final_answer")
    script.started("3")
    script.delta("3", "!")
    script.completed("3", "!", phase: "partial_answer")
    #expect(
      script.events == [
        .itemBegan(.message(.commentary)), .commentary(EscapedText("Let me ")), .commentary(EscapedText("see.")),
        .itemEnded(.message(.commentary)),
        .itemBegan(.message(.finalAnswer)), .answer(EscapedText("42")), .itemEnded(.message(.finalAnswer)),
        .itemBegan(.message(nil)), .answer(EscapedText("!")), .itemEnded(.message(.partialAnswer)),
      ])
  }

  /// In each channel one item at most is under way, whatever the engine does.
  @Test func anItemEndsBeforeTheNextOfItsChannelBegins() {
    var script = TurnScript()
    for id in ["1", "2"] { script.started(id) }
    script.started("c", phase: "commentary")
    script.delta("1", "a")
    script.delta("c", "x")
    script.delta("1", "b")
    script.delta("2", "c")
    script.delta("1", "d")
    for id in ["1", "2"] { script.completed(id, id == "1" ? "abd" : "c") }
    let message = TurnItem.message(nil)
    #expect(
      script.events == [
        .itemBegan(message), .answer(EscapedText("a")), .itemBegan(.message(.commentary)),
        .commentary(EscapedText("x")), .answer(EscapedText("b")), .itemEnded(message),
        .itemBegan(message), .answer(EscapedText("c")), .itemEnded(message),
        .itemBegan(message), .answer(EscapedText("d")), .itemEnded(message),
      ])
  }

  /// Pieces were lost on the way; what has gone out must not pass for the answer.
  @Test func aMessageThatEndsOtherwiseBeginsAgain() {
    var script = TurnScript()
    script.started("1")
    script.delta("1", "hel wrld")
    script.completed("1", "hello world")
    #expect(
      script.events == [
        .itemBegan(.message(nil)), .answer(EscapedText("hel wrld")), .answerRetracted,
        .itemBegan(.message(nil)), .answer(EscapedText("hello world")), .itemEnded(.message(nil)),
      ])
  }

  // MARK: Reasoning

  @Test func tellsWhereThePartsOfASummaryBegin() {
    var script = TurnScript()
    script.started("r", "reasoning")
    script.part("r", 0)
    script.thought("r", "One")
    script.part("r", 1)
    script.part("r", 2)
    script.thought("r", "Two", part: 2)
    script.completed("r", type: "reasoning", ["summary": ["One", "Two"]])
    script.completed("s", type: "reasoning", ["summary": ["never begun"]])
    script.started("t", "reasoning")
    script.completed("t", type: "reasoning", ["summary": ["Three", "Four"]])
    script.started("u", "reasoning")
    script.part("u", 0)
    script.completed("u", type: "reasoning", ["summary": []])
    #expect(
      script.events == [
        .itemBegan(.reasoning), .reasoning(EscapedText("One")), .reasoningPart, .reasoning(EscapedText("Two")),
        .itemEnded(.reasoning),
        .itemBegan(.reasoning), .reasoning(EscapedText("Three")), .reasoningPart, .reasoning(EscapedText("Four")),
        .itemEnded(.reasoning),
      ])
  }

  // MARK: Retries

  /// What is taken back does not end; what stays is cut and does not go on.
  @Test func aRetryEndsWhatIsUnderWay() {
    var script = TurnScript()
    script.started("r", "reasoning")
    script.thought("r", "hm")
    script.started("1")
    script.delta("1", "half")
    script.retry()
    // Told already, and so not told again: not that it begins either.
    script.started("s", "reasoning")
    script.thought("s", "hm")
    script.completed("s", type: "reasoning", ["summary": ["hm"]])
    script.completed("2", "whole")
    #expect(
      script.events == [
        .itemBegan(.reasoning), .reasoning(EscapedText("hm")), .itemBegan(.message(nil)),
        .answer(EscapedText("half")), .itemEnded(.reasoning), .answerRetracted,
        .itemBegan(.message(nil)), .answer(EscapedText("whole")), .itemEnded(.message(nil)),
      ])
  }

  @Test func knowsWhatARetryWouldRepeat() {
    var script = TurnScript()
    #expect(!script.mapper.hasSpokenInCall)
    script.completed("1", "text")
    #expect(script.mapper.hasSpokenInCall)
    script.usage(1, 1)
    script.started("c", "commandExecution", ["command": "ls"])
    #expect(!script.mapper.hasSpokenInCall)
    script.thought("r", "hm")
    #expect(script.mapper.hasSpokenInCall)
    script.retry()
    #expect(script.mapper.hasSpokenInCall)
  }

  // MARK: Activity

  @Test func tellsTheUseOfToolsAsFacts() {
    var script = TurnScript()
    script.started("a", "commandExecution", ["command": "/bin/bash -lc 'ls\n'"])
    script.started("b", "mcpToolCall", ["tool": "grep", "server": "notes"])
    script.started("c", "fileChange", ["changes": [["path": "/a"], ["path": "/b"]]])
    script.completed("b", type: "mcpToolCall", ["status": "failed"])
    script.completed("a", type: "commandExecution", ["status": "failed", "exitCode": 2])
    script.completed("c", type: "fileChange", ["status": "declined"])
    script.started("d", "webSearch", ["query": "swift"])
    script.completed("d", type: "webSearch")
    script.completed("d", type: "webSearch")
    script.completed("never begun", type: "commandExecution", ["exitCode": 0])
    let command = ToolUse.command("ls\n")
    let tool = ToolUse.tool("grep", server: "notes")
    let change = ToolUse.fileChange(paths: ["/a", "/b"], count: 2)
    let search = ToolUse.webSearch(query: "swift")
    let reports = [
      ToolReport(number: 1, use: command, progress: .began), ToolReport(number: 2, use: tool, progress: .began),
      ToolReport(number: 3, use: change, progress: .began),
      ToolReport(number: 2, use: tool, progress: .ended(.failed)),
      ToolReport(number: 1, use: command, progress: .ended(.exited(2))),
      ToolReport(number: 3, use: change, progress: .ended(.declined)),
      ToolReport(number: 4, use: search, progress: .began),
      ToolReport(number: 4, use: search, progress: .ended(.done)),
    ]
    #expect(script.events == reports.map { .tool($0) })
  }

  @Test func knowsTheToolThatBeganLast() {
    var script = TurnScript()
    #expect(script.currentTool == nil)
    script.started("a", "commandExecution", ["command": "make"])
    script.started("b", "webSearch", ["query": "swift"])
    #expect(script.currentTool?.contains("swift") == true)
    script.completed("b", type: "webSearch")
    #expect(script.currentTool?.contains("make") == true)
    script.completed("a", type: "commandExecution")
    #expect(script.currentTool == nil)
  }

  @Test func knowsTheFilesOfAChangeUnderWay() {
    var script = TurnScript()
    script.started("c", "fileChange", ["changes": [["path": "/a"], ["path": "/b"]]])
    #expect(script.mapper.tools.fileChange("c")?["changes"]?.arrayValue?.count == 2)
    #expect(script.mapper.tools.fileChange("x") == nil)
    script.completed("c", type: "fileChange")
    #expect(script.mapper.tools.fileChange("c") == nil)
  }

  @Test(arguments: ["userMessage", "plan", "contextCompaction", "somethingNew"])
  func knowsWhatIsNoActivity(_ type: String) {
    var script = TurnScript(showsActivity: true)
    script.started("c", type)
    script.completed("c", type: type)
    #expect(script.events.isEmpty)
    #expect(script.mapper.tools.isEmpty)
  }

  // MARK: Usage

  @Test func countsFromTheStartOfTheTurn() {
    var script = TurnScript(baseline: TokenUsage(input: 100, cachedInput: 40, output: 10, reasoningOutput: 5))
    script.usage(150, 12, cached: 60, reasoning: 6)
    script.usage(210, 20, cached: 90, reasoning: 9)
    #expect(script.mapper.turnUsage == TokenUsage(input: 110, cachedInput: 50, output: 10, reasoningOutput: 4))
  }

  @Test func aFreshThreadStartsAtNothing() {
    var script = TurnScript()
    script.usage(50, 2)
    #expect(script.mapper.turnUsage == TokenUsage(input: 50, output: 2))
  }

  @Test func aTurnWithoutModelCallUsesNothing() {
    #expect(TurnScript(baseline: TokenUsage(input: 100, output: 10)).mapper.turnUsage == TokenUsage())
  }

  /// After a resume the engine tells the thread's usage so far under an old turn's id, sometimes after the start.
  @Test func learnsTheStartLate() {
    var script = TurnScript()
    script.mapper.earlierUsage(TurnScript.usage(100, 10))
    #expect(script.mapper.turnUsage == TokenUsage())
    script.usage(130, 15)
    #expect(script.mapper.turnUsage == TokenUsage(input: 30, output: 5))
  }

  @Test func learnsTheStartEvenAfterTheFirstCall() {
    var script = TurnScript()
    script.usage(130, 15)
    script.mapper.earlierUsage(TurnScript.usage(100, 10))
    #expect(script.mapper.turnUsage == TokenUsage(input: 30, output: 5))
  }

  @Test func usageIsThatOfOneCall() {
    var script = TurnScript(baseline: TokenUsage(input: 100, output: 10))
    script.usage(130, 12)
    script.usage(150, 15)
    // The provider has told none.
    script.usage(150, 15)
    let used = [TokenUsage(input: 30, output: 2), TokenUsage(input: 20, output: 3), TokenUsage()]
    #expect(script.events == used.map { .usage($0) })
  }

  @Test func isNotTouchedByBrokenUsage() {
    var script = TurnScript()
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
    var script = TurnScript()
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
    var script = TurnScript(showsActivity: true)
    script.map(method, params)
    #expect(script.events.isEmpty)
  }

  // MARK: Many

  /// Each of sixty thousand messages is found without looking through the others, also those that are not there.
  @Test(.timeLimit(.minutes(5)))
  func oneAnswerMayHaveTensOfThousandsOfMessages() {
    var script = TurnScript(showsActivity: true)
    let count = 60_000
    for number in 0..<count {
      script.completed("m\(number)", "x")
      script.started("tool\(number)", "commandExecution", ["command": .string("\(number)")])
    }
    #expect(script.currentTool == "Running `\(count - 1)`")
    for number in 0..<count { script.completed("tool\(number)", type: "commandExecution") }
    #expect(script.currentTool == nil)
    #expect(script.mapper.tools.isEmpty)
    #expect(script.events.count { if case .answer = $0 { true } else { false } } == count)
  }
}
