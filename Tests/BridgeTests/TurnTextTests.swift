// Notifications of a turn to what the reader sees, with the retries and repetitions of the real engine: the answer, and what
// goes on beside it.

import Testing

@testable import Bridge

struct TurnTextTests {
  // MARK: Messages

  @Test func separatesAnswersByABlankLine() {
    var script = TurnScript()
    for id in ["1", "2", "3"] {
      script.started(id)
      script.delta(id, "m\(id)")
      script.completed(id, "m\(id)")
    }
    #expect(script.answer == "m1\n\nm2\n\nm3")
  }

  @Test func putsNoBlankLineAfterAnEmptyAnswer() {
    var script = TurnScript()
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
    var script = TurnScript()
    script.started("1", phase: phase)
    script.delta("1", "text")
    script.completed("1", "text", phase: phase)
    #expect(script.answer == (isAnswer ? "text" : ""))
    #expect(script.aside == (isAnswer ? "" : "text"))
  }

  @Test func keepsCommentaryOutOfTheAnswer() {
    var script = TurnScript()
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

  @Test func tellsInterleavedItemsApart() {
    var script = TurnScript()
    script.started("1", phase: "commentary")
    script.started("2")
    script.delta("2", "a")
    script.delta("1", "x")
    script.delta("2", "b")
    #expect(script.answer == "ab")
    #expect(script.aside == "x")
  }

  @Test func takesAMessageWithoutDeltas() {
    var script = TurnScript()
    script.started("1")
    script.completed("1", "whole")
    #expect(script.answer == "whole")
  }

  @Test func takesAMessageThatNeverStarted() {
    var script = TurnScript()
    script.completed("1", "an answer")
    script.completed("2", "beside it", phase: "commentary")
    #expect(script.answer == "an answer")
    #expect(script.aside == "beside it")
  }

  @Test func takesDeltasOfAnUnknownItemAsAnswer() {
    var script = TurnScript()
    script.delta("1", "a")
    script.delta("1", "b")
    script.completed("1", "ab")
    #expect(script.answer == "ab")
  }

  @Test(arguments: ["", "a", "aé", "aé😀", "aé😀\"\\n"])
  func completesWhatTheDeltasLeftOut(_ sent: String) {
    var script = TurnScript()
    script.started("1")
    script.delta("1", sent)
    script.completed("1", "aé😀\"\\n")
    #expect(script.answer == "aé😀\"\\n")
  }

  @Test func saysNothingTwiceAtTheEnd() {
    var script = TurnScript()
    script.started("1")
    script.delta("1", "hello")
    script.completed("1", "hello")
    script.completed("1", "hello")
    #expect(script.answer == "hello")
  }

  @Test func separatesPartsOfASummary() {
    var script = TurnScript()
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
    var script = TurnScript()
    script.started("r", "reasoning")
    script.completed("r", type: "reasoning", ["summary": ["One", "Two"]])
    #expect(script.aside == "One\n\nTwo")
  }

  @Test func takesRawReasoning() {
    var script = TurnScript()
    script.started("r", "reasoning")
    script.map("item/reasoning/textDelta", ["itemId": "r", "delta": "raw"])
    #expect(script.aside == "raw")
  }

  @Test func separatesReasoningFromReasoning() {
    var script = TurnScript()
    script.started("r", "reasoning")
    script.thought("r", "a")
    script.started("s", "reasoning")
    script.part("s", 0)
    script.thought("s", "b")
    #expect(script.aside == "a\n\nb")
  }

  @Test func aRetryBeforeAnyTextIsSilent() {
    var script = TurnScript()
    script.retry()
    script.started("1")
    script.retry()
    script.started("2")
    script.delta("2", "answer")
    #expect(script.retractions == 0)
    #expect(script.answer == "answer")
  }

  @Test func aRetryAfterTextTakesItBack() {
    var script = TurnScript()
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
    var script = TurnScript()
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
    var script = TurnScript()
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
    var script = TurnScript()
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
    var script = TurnScript()
    script.started("1")
    script.delta("1", "text")
    script.map("error", ["willRetry": false, "error": ["message": "broken"]])
    script.map("error", ["error": ["message": "broken"]])
    #expect(script.retractions == 0)
  }

  @Test func aRetryDoesNotRepeatReasoning() {
    var script = TurnScript()
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
    var script = TurnScript()
    script.started("r", "reasoning")
    script.thought("r", "thinking")
    script.retry()
    script.events.append(.question(.declinedUnseen("run `rm`")))
    #expect(script.aside == "thinking\n\nCodex asked to run `rm`; declined.")
  }

  /// A command is shown without the shell around it, and nothing that is named looks like another line.
  @Test func activityIsShownEscaped() {
    var script = TurnScript(showsActivity: true)
    script.started("a", "commandExecution", ["command": "/bin/bash -lc 'echo \u{202E}x\nls'"])
    script.started("b", "fileChange", ["changes": [["path": "/a\nb"]]])
    script.started("c", "mcpToolCall", ["tool": "look\u{9B}"])
    #expect(
      script.aside == #"""
        Running `echo \u{202E}x\nls`

        Changing /a\nb

        Calling the tool look\u{009B}
        """#)
    #expect(script.currentTool == #"Calling the tool look\u{009B}"#)
  }

  @Test func ofLongActivityTheBeginningIsShown() {
    var script = TurnScript(showsActivity: true)
    script.started("a", "commandExecution", ["command": .string(String(repeating: "x", count: 100_000))])
    #expect(script.currentTool?.hasSuffix("x… (91808 more bytes)`") == true)
    let change: JSONValue = ["path": "/a"]
    script.started("b", "fileChange", ["changes": .array(Array(repeating: change, count: 150))])
    #expect(script.currentTool?.hasSuffix("/a, /a and 50 more") == true)
  }

  @Test func tellsOfActivityOnlyIfAsked() {
    for showsActivity in [false, true] {
      var script = TurnScript(showsActivity: showsActivity)
      script.started("c", "commandExecution", ["command": "ls"])
      #expect(!script.mapper.tools.isEmpty)
      script.completed("c", type: "commandExecution", ["status": "completed", "exitCode": 0])
      #expect(script.mapper.tools.isEmpty)
      #expect(script.mapper.tools.hasRunCommands)
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
    var script = TurnScript(showsActivity: true)
    script.started("c", type, item)
    #expect(script.aside.contains(word))
    #expect(!script.mapper.tools.isEmpty)
    script.completed("c", type: type)
    #expect(script.mapper.tools.isEmpty)
    #expect(!script.mapper.tools.hasRunCommands)
  }

  @Test func tellsOfADeclinedCommand() {
    var script = TurnScript(showsActivity: true)
    script.started("c", "commandExecution", ["command": "rm"])
    script.completed("c", type: "commandExecution", ["status": "declined"])
    #expect(script.aside.contains("declined"))
  }
}
