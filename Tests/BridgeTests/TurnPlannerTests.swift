// What is asked to turns.

import Testing

@testable import Bridge

struct TurnPlannerTests {
  private let selection = ModelSelection(model: "m", effort: "low", resolved: "m", shownName: "m")

  private func ask(_ items: [[Conversation.Item]], format: Conversation.Format = .text) -> Ask {
    Ask(conversation: Conversation(items: items.flatMap(\.self), format: format))
  }

  private func message(_ role: Conversation.Role, _ text: String) -> [Conversation.Item] {
    [.message(role, text.isEmpty ? [] : [.text(text)])]
  }

  private func calls(_ ids: String..., arguments: String = "{}") -> [Conversation.Item] {
    ids.map { .toolCall(Conversation.ToolCall(id: $0, name: "f", arguments: arguments)) }
  }

  private func output(_ id: String, _ text: String) -> [Conversation.Item] {
    [.toolOutput(Conversation.ToolOutput(callID: id, parts: [.text(text)]))]
  }

  private func thread(_ instructions: String? = nil) -> ThreadRecord {
    ThreadRecord(id: ThreadID("t1"), model: "m", instructions: instructions.map(SessionPrompt.checksum))
  }

  /// A later request of a session.
  private func next(
    _ request: Ask, told instructions: String? = nil, prompt: String? = nil
  ) throws(APIError) -> TurnRequest {
    try TurnPlanner.nextOfSession(
      request, selection, on: thread(instructions), prompt: prompt.flatMap(SessionPrompt.init))
  }

  // MARK: One-off

  @Test func givesAMessageToAThreadThatIsForgotten() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.user, "hi")]), selection)
    #expect(turn.thread == .ephemeral)
    #expect(turn.input == [.text("hi")])
    #expect(turn.history == [])
    #expect(turn.instructions == nil)
    #expect(turn.model == "m")
    #expect(turn.effort == "low")
    #expect(turn.outputSchema == nil)
  }

  @Test func keepsRolesInTheHistory() throws {
    let turn = try TurnPlanner.oneOff(
      ask([
        message(.developer, "Be brief."), message(.developer, "Be kind."), message(.user, "1"),
        message(.assistant, "2"),
        message(.developer, "Later."), message(.user, "3"),
      ]), selection)
    #expect(turn.instructions == "Be brief.\n\nBe kind.")
    #expect(
      turn.history == [
        .message(.user, [.text("1")]), .message(.assistant, [.text("2")]), .message(.developer, [.text("Later.")]),
      ])
    #expect(turn.input == [.text("3")])
  }

  @Test func keepsToolCallsInTheHistory() throws {
    let call = calls("c1", arguments: "{\"a\":1}")
    let turn = try TurnPlanner.oneOff(
      ask([message(.user, "1"), message(.assistant, "Looking."), call, output("c1", "42")]), selection)
    #expect(turn.input == [])
    #expect(
      turn.history == [
        .message(.user, [.text("1")]), .message(.assistant, [.text("Looking.")]),
      ] + call + output("c1", "42"))
  }

  @Test func givesAnAssistantWithoutTextNoMessage() throws {
    let turn = try TurnPlanner.oneOff(
      ask([message(.assistant, ""), calls("c1"), message(.user, "go on")]), selection)
    #expect(turn.history == calls("c1"))
    #expect(turn.input == [.text("go on")])
  }

  @Test func goesOnWithAnAnswerThatTheHistoryEndsWith() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.user, "1"), message(.assistant, "2")]), selection)
    #expect(turn.input == [.text(TurnPlanner.continuation)])
    #expect(turn.history == [.message(.user, [.text("1")]), .message(.assistant, [.text("2")])])
  }

  @Test func takesOnlyTheLastOfSeveralUserMessagesAsInput() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.user, "1"), message(.user, "2")]), selection)
    #expect(turn.history == [.message(.user, [.text("1")])])
    #expect(turn.input == [.text("2")])
  }

  @Test func takesARequestOfInstructionsOnly() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.developer, "Say hi.")]), selection)
    #expect(turn.instructions == "Say hi.")
    #expect(turn.input == [])
    #expect(turn.history == [])
  }

  @Test func leavesOutEmptyInstructions() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.developer, ""), message(.user, "1")]), selection)
    #expect(turn.instructions == nil)
  }

  @Test func keepsTheOrderOfPartsAndImages() throws {
    let image = "data:image/png;base64,AA=="
    let parts: [Conversation.Part] = [.text("a"), .image(image), .text("b")]
    let turn = try TurnPlanner.oneOff(ask([[.message(.user, parts)]]), selection)
    #expect(turn.input == parts)
  }

  @Test func anEmptyUserMessageIsStillAMessage() throws {
    let turn = try TurnPlanner.oneOff(ask([message(.user, "")]), selection)
    #expect(turn.input == [.text("")])
  }

  @Test func asksForAnObjectInWords() throws {
    let turn = try TurnPlanner.oneOff(
      ask([message(.developer, "Be brief."), message(.user, "1")], format: .jsonObject), selection)
    // In the message and not among the instructions, which would bind later turns of the thread too.
    #expect(turn.instructions == "Be brief.")
    guard case .text(let asked) = try #require(turn.input.first) else { return #expect(Bool(false)) }
    #expect(asked.contains("JSON object"))
    #expect(turn.input.last == .text("1"))
    #expect(turn.outputSchema == nil)
  }

  @Test func passesASchemaOn() throws {
    let schema: JSONValue = ["type": "object"]
    let turn = try TurnPlanner.oneOff(ask([message(.user, "1")], format: .jsonSchema(schema)), selection)
    #expect(turn.outputSchema == schema)
    #expect(turn.instructions == nil)
  }

  @Test(arguments: [0, 1])
  func givesLongTextAsHistory(_ excess: Int) throws {
    let text = String(repeating: "x", count: TurnPlanner.maxInputCharacters + excess)
    let turn = try TurnPlanner.oneOff(ask([message(.user, "1"), message(.user, text)]), selection)
    #expect(turn.input.isEmpty == (excess > 0))
    #expect(turn.history.count == 1 + excess)
    if excess > 0 { #expect(turn.history.last == .message(.user, [.text(text)])) }
  }

  // MARK: Sessions

  @Test func theFirstRequestOfASessionBringsItsHistory() throws {
    let turn = try TurnPlanner.firstOfSession(
      ask([message(.developer, "Be brief."), message(.user, "1"), message(.assistant, "2"), message(.user, "3")]),
      selection)
    #expect(turn.thread == .persistent)
    #expect(turn.instructions == "Be brief.")
    #expect(turn.history == [.message(.user, [.text("1")]), .message(.assistant, [.text("2")])])
    #expect(turn.input == [.text("3")])
  }

  @Test func laterRequestsBringWhatIsNew() throws {
    let turn = try next(
      ask([message(.developer, "Be brief."), message(.user, "1"), message(.assistant, "2"), message(.user, "3")]),
      told: "Be brief.")
    #expect(turn.thread == .existing(ThreadID("t1")))
    #expect(turn.history == [])
    #expect(turn.input == [.text("3")])
    #expect(turn.model == "m")
    #expect(turn.effort == "low")
  }

  @Test func allThatFollowsTheLastAnswerIsNew() throws {
    let turn = try next(
      ask([
        message(.user, "1"), message(.assistant, "2"), message(.user, "3"), message(.assistant, "4"),
        message(.user, "5"), message(.user, "6"),
      ]))
    #expect(turn.history == [.message(.user, [.text("5")])])
    #expect(turn.input == [.text("6")])
  }

  /// To go on with the last answer is no reason to ask the question before it again.
  @Test func anAnswerOfTheThreadGoesOn() throws {
    let turn = try next(ask([message(.user, "1"), message(.assistant, "Roses are")]))
    #expect(turn.history == [])
    #expect(turn.input == [.text(TurnPlanner.continuation)])
  }

  @Test func withoutAnAnswerEveryMessageIsNew() throws {
    let turn = try next(ask([message(.user, "same"), message(.user, "same")]))
    #expect(turn.history == [.message(.user, [.text("same")])])
    #expect(turn.input == [.text("same")])
    let alone = try next(ask([message(.developer, "Be brief.")]), told: "Be brief.")
    #expect(alone.history == [])
    #expect(alone.input == [])
  }

  @Test func theOutputOfAToolComesWithItsCall() throws {
    let assistant = message(.assistant, "Looking.") + calls("c1", "c2")
    let turn = try next(ask([message(.user, "1"), assistant, output("c1", "RES")]))
    // A call whose output is not there would get one that Codex makes up.
    #expect(turn.history == calls("c1") + output("c1", "RES"))
    #expect(turn.input == [])
    let answered = try next(ask([assistant, output("c2", "RES"), message(.user, "and now?")]))
    #expect(answered.history.count == 2)
    #expect(answered.input == [.text("and now?")])
  }

  @Test func theOutputOfAnUnknownCallBecomesText() throws {
    let requests = [
      ask([output("c9", "RES")]), ask([message(.user, "1"), message(.assistant, "2"), output("c9", "RES")]),
    ]
    for request in requests {
      #expect(try next(request).history == [.message(.user, [.text("Output of the tool call c9:\nRES")])])
    }
    let oneOff = try TurnPlanner.oneOff(ask([output("c9", "RES")]), selection)
    #expect(oneOff.history == [.message(.user, [.text("Output of the tool call c9:\nRES")])])
  }

  @Test(arguments: [nil, "Be long."] as [String?])
  func aChangedSystemPromptIsToldToTheThread(_ before: String?) throws {
    let turn = try next(
      ask([message(.developer, "Be"), message(.developer, "brief."), message(.user, "3")]), told: before,
      prompt: before)
    #expect(turn.history == [.message(.developer, [.text("Be\n\nbrief.")])])
    #expect(turn.input == [.text("3")])
    #expect(turn.instructions == "Be\n\nbrief.")
    #expect(turn.changesInstructions)
  }

  /// A thread that is loaded again has to be told them again.
  @Test func aRequestWithoutSystemPromptKeepsTheOneBefore() throws {
    let turn = try next(ask([message(.user, "3")]), told: "Be brief.", prompt: "Be brief.")
    #expect(turn.history == [])
    #expect(turn.instructions == "Be brief.")
    #expect(!turn.changesInstructions)
    let same = try next(ask([message(.developer, "Be brief."), message(.user, "3")]), told: "Be brief.")
    #expect(same.instructions == "Be brief.")
    #expect(!same.changesInstructions)
  }

  // MARK: Turns that go on elsewhere

  private func resumed(
    _ prompt: String, _ new: [Conversation.Item] = [], _ profile: ProfileKind
  ) throws(APIError) -> TurnRequest {
    let open = OpenTurn(
      owner: .everybody, session: nil, callIDs: ["c1"], thread: ThreadID("t1"), turnID: "turn", said: [],
      saidBefore: 0, items: [])
    let request = ask([
      message(.developer, prompt), message(.user, "1"), message(.assistant, ""), calls("c1"), output("c1", "42"),
      new,
    ])
    return try TurnPlanner.resumed(
      request, selection, from: open, on: .reverted(ThreadID("t1"), before: "turn"), prompt: nil,
      after: thread("Be brief."), profile: profile)
  }

  @Test func aPromptThatHasChangedMeanwhileIsTold() throws {
    let same = try resumed("Be brief.", [], .chat)
    #expect(!same.changesInstructions && same.instructions == "Be brief.")
    let chat = try resumed("Be kind.", [], .chat)
    #expect(chat.changesInstructions && chat.instructions == "Be kind." && chat.instructionsAfter == [])
    let agent = try resumed("Be kind.", [], .agent)
    #expect(agent.changesInstructions && agent.instructionsAfter == message(.developer, "Be kind."))
  }

  @Test func whatIsSaidBesideTheOutputsIsToldOnce() throws {
    let more = message(.developer, "Hurry.")
    let agent = try resumed("Be brief.", more, .agent)
    #expect(agent.instructionsAfter == more && agent.instructions == "Be brief.\n\nHurry.")
    let both = try resumed("Be kind.", more, .agent)
    #expect(both.instructionsAfter == message(.developer, "Be kind.\n\nHurry."))
  }

  /// A call has one output. What stands in the thread is told once.
  @Test func outputsThatStandInTheThreadAreNotBroughtAgain() throws {
    let request = ask([message(.user, "1"), message(.assistant, ""), calls("c1", "c2"), output("c1", "42")])
    let placed = LateOutputs(calls: ["c1"], arePlaced: true)
    let turn = try TurnPlanner.nextOfSession(request, selection, on: thread(), prompt: nil, late: placed)
    guard case .message(let notice)? = turn.history.first else { return #expect(Bool(false)) }
    #expect(turn.history.count == 1 && turn.input == [] && notice.role == .developer && notice.text.contains("c1"))
  }

  @Test func outputsOfCallsThatHaveOneAreText() throws {
    let request = ask([message(.user, "1"), message(.assistant, ""), calls("c1"), output("c1", "42")])
    let kept = LateOutputs(calls: ["c1"], arePlaced: false)
    let turn = try TurnPlanner.nextOfSession(request, selection, on: thread(), prompt: nil, late: kept)
    #expect(turn.history == [.message(.user, [.text("Output of the tool call c1:\n42")])])
  }

  @Test func laterRequestsMayWantAnObject() throws {
    let turn = try next(ask([message(.user, "3")], format: .jsonObject))
    #expect(turn.history == [])
    #expect(turn.input.count == 2)
    #expect(turn.input.last == .text("3"))
  }

  @Test func whatItCallsInstructionsIsWhatTheFirstTurnWasGiven() throws {
    let request = ask([message(.developer, "A"), message(.developer, "B"), message(.user, "1")])
    let turn = try TurnPlanner.firstOfSession(request, selection)
    #expect(turn.instructions == request.conversation.instructions)
    #expect(ask([message(.user, "1"), message(.developer, "")]).conversation.instructions == nil)
  }
}
