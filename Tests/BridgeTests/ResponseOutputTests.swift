// The items of a response: events of a turn in, what is told and what stays out.

import Testing

@testable import Bridge

struct ResponseOutputTests {
  private static let ids = ResponseIDs("resp_x")
  private static let message = TurnItem.message(nil)
  private static let commentary = TurnItem.message(.commentary)
  private static let messages = ResponseStyle(commentaryIsMessage: true)
  private static let mcp = ResponseStyle(activity: .mcp)

  private static func answer(_ text: String) -> TurnEvent { .answer(EscapedText(text)) }
  private static func thought(_ text: String) -> TurnEvent { .reasoning(EscapedText(text)) }
  private static func remark(_ text: String) -> TurnEvent { .commentary(EscapedText(text)) }
  private static func began(_ number: Int, _ use: ToolUse = .command("ls")) -> TurnEvent {
    .tool(ToolReport(number: number, use: use, progress: .began))
  }
  private static func ended(_ number: Int, _ outcome: ToolOutcome, _ use: ToolUse = .command("ls")) -> TurnEvent {
    .tool(ToolReport(number: number, use: use, progress: .ended(outcome)))
  }
  private static func call(_ id: String) -> Conversation.ToolCall {
    Conversation.ToolCall(id: id, name: "f", arguments: "{}")
  }

  /// What was told, a word for each event: `+1` an item begins, `+1.0` a part of it, `1.0 text` a piece, `-1.0` and `-1` ends.
  private struct Told {
    var words: [String] = []
    var output: ResponseOutput

    /// The items in short: their type, their state, and what they say.
    var items: [String] {
      output.items.map { item in
        let status = item.status == .completed ? "" : " (\(item.status.rawValue))"
        switch item.content {
        case .message(let text, let isCommentary):
          return "\(isCommentary ? "remark" : "message") \(text.text)\(status)"
        case .reasoning(let parts): return "reasoning \(parts.map(\.text.text))\(status)"
        case .call(let call, _): return "call \(call.id)\(status)"
        case .activity(let activity): return "mcp \(activity.outcome.map { "\($0)" } ?? "-")\(status)"
        }
      }
    }
  }

  private func add(_ event: TurnEvent, to output: inout ResponseOutput) -> [String] {
    let events =
      if let (text, channel) = event.text {
        output.add(text.raw.utf8.span, channel)
      } else {
        output.add(event)
      }
    return events.map(word)
  }

  private func word(_ event: ResponseOutput.Event) -> String {
    switch event {
    case .itemAdded(let index): "+\(index)"
    case .partAdded(let index, let part): "+\(index).\(part)"
    case .delta(let index, let part, let text): "\(index).\(part) \(text.text)"
    case .partDone(let index, let part): "-\(index).\(part)"
    case .itemDone(let index): "-\(index)"
    }
  }

  private func told(
    _ events: [TurnEvent], _ style: ResponseStyle = ResponseStyle(), end: ResponseItem.Status = .completed
  ) -> Told {
    var told = Told(output: ResponseOutput(Self.ids, style))
    for event in events { told.words += add(event, to: &told.output) }
    told.words += told.output.end(end).map(word)
    return told
  }

  // MARK: Texts

  @Test func theAnswerIsAMessage() {
    let told = told([.began, .itemBegan(Self.message), Self.answer("a"), Self.answer(""), Self.answer("b\n")])
    #expect(told.words == ["+0", "+0.0", "0.0 a", "0.0 b\n", "-0.0", "-0"])
    #expect(told.items == ["message ab\n"])
  }

  @Test func nothingIsNoItem() {
    let told = told([.began, .itemBegan(.reasoning), .reasoningPart, .itemEnded(.reasoning), .usage(TokenUsage())])
    #expect(told.words == [] && told.items == [])
  }

  /// Clients that put all parts together need the blank lines.
  @Test func everyPartOfTheReasoningEndsInABlankLine() {
    let told = told([
      .itemBegan(.reasoning), Self.thought("h"), Self.thought("m"), .reasoningPart, Self.thought("ah"),
      .itemEnded(.reasoning), .itemBegan(Self.message), Self.answer("a"),
    ])
    #expect(
      told.words == [
        "+0", "+0.0", "0.0 h", "0.0 m", "0.0 \n\n", "-0.0", "+0.1", "0.1 ah", "0.1 \n\n", "-0.1", "-0", "+1",
        "+1.0",
        "1.0 a", "-1.0", "-1",
      ])
    #expect(told.items == [#"reasoning ["hm\n\n", "ah\n\n"]"#, "message a"])
  }

  @Test func twoItemsOfReasoningAreTwoParts() {
    let told = told([
      .itemBegan(.reasoning), Self.thought("a"), .itemEnded(.reasoning), .itemBegan(.reasoning), Self.thought("b"),
    ])
    #expect(told.items == [#"reasoning ["a\n\n", "b\n\n"]"#])
  }

  /// Many clients put the messages together with nothing between.
  @Test func aFurtherMessageBeginsWithABlankLine() {
    let told = told([
      .itemBegan(Self.message), Self.answer("one"), .itemEnded(Self.message), .itemBegan(Self.message),
      Self.answer("two"), Self.answer("!"), .itemEnded(Self.message),
    ])
    #expect(
      told.words == [
        "+0", "+0.0", "0.0 one", "-0.0", "-0", "+1", "+1.0", "1.0 \n\ntwo", "1.0 !", "-1.0", "-1",
      ])
    #expect(told.items == ["message one", "message \n\ntwo!"])
  }

  // MARK: Commentary

  @Test func commentaryIsAPartOfTheReasoning() {
    let told = told([
      Self.thought("hm"), .itemBegan(Self.commentary), Self.remark("I "), Self.remark("look."),
      .itemEnded(Self.commentary), .itemBegan(.reasoning), Self.thought("ah"), Self.answer("a"),
    ])
    #expect(told.items == [#"reasoning ["hm\n\n", "I look.\n\n", "ah\n\n"]"#, "message a"])
  }

  @Test func commentaryIsAMessageWhereThatIsWanted() {
    let told = told(
      [
        .itemBegan(Self.commentary), Self.remark("I look."), .itemEnded(Self.commentary), Self.began(1),
        .itemBegan(Self.message), Self.answer("a"),
      ], Self.messages)
    #expect(told.items == ["remark I look.", #"reasoning ["Running `ls`\n\n"]"#, "message a"])
    #expect(told.output.items[0].object["phase"] == "commentary")
    #expect(told.output.items[0].beginning["phase"] == "commentary")
    #expect(told.output.items[2].object["phase"] == nil)
  }

  @Test func commentaryThatTakesTheAnswersPlaceIsToldAgain() {
    let events = [
      Self.remark("It is"), .reasoningPart, Self.remark("42."), .answerIsCommentary(["It is", "42."]),
    ]
    #expect(told(events).items == [#"reasoning ["It is\n\n", "42.\n\n"]"#, "message It is\n\n42."])
    #expect(told(events, Self.messages).items == ["remark It is", "remark 42.", "message It is\n\n42."])
  }

  /// Items of different kinds may be under way at once: each text stays in its own.
  @Test func textsThatComeWhileAMessageIsUnderWayStayApart() {
    let remark: [TurnEvent] = [.itemBegan(Self.commentary), Self.remark("I look.")]
    let answer: [TurnEvent] = [.itemBegan(Self.message), Self.answer("a")]
    #expect(
      told(answer + [Self.began(1)] + remark, Self.messages).items == [
        "message a", #"reasoning ["Running `ls`\n\n"]"#, "remark I look.",
      ])
    #expect(
      told(remark + [Self.began(1), Self.answer("a")], Self.messages).items == [
        "remark I look.", #"reasoning ["Running `ls`\n\n"]"#, "message a",
      ])
    #expect(
      told(remark + [Self.began(1), .answerIsCommentary(["I look."])], Self.messages).items == [
        "remark I look.", #"reasoning ["Running `ls`\n\n"]"#, "message I look.",
      ])
  }

  // MARK: Activity

  @Test func activityIsPartsOfTheReasoning() {
    let told = told([
      Self.thought("hm"), Self.began(1), Self.ended(1, .exited(1)), Self.thought("ah"), .effectsStay,
      Self.answer("a"),
    ])
    #expect(
      told.items == [
        #"reasoning ["hm\n\n", "Running `ls`\n\n", "Exit code 1\n\n", "ah\n\n", "\#(ActivityText.effectsStay)\n\n"]"#,
        "message a",
      ])
  }

  @Test func activityIsHiddenWhereThatIsWanted() {
    let events = [
      Self.began(1), Self.ended(1, .done), .toolsLeftOut(3), .effectsStay, Self.answer("a"), .notKept,
    ]
    let told = told(events, ResponseStyle(activity: .none))
    #expect(told.items == ["message a", #"reasoning ["\#(ActivityText.notKept)\n\n"]"#])
  }

  /// An item at a time takes text, so that what Codex does waits for the end of the message.
  @Test func activityWaitsForTheMessageThatIsUnderWay() {
    let told = told([
      .itemBegan(Self.message), Self.answer("a"), Self.began(1), Self.ended(1, .exited(0)), Self.thought("h"),
      Self.thought("m"), Self.answer("b"), .itemEnded(Self.message), Self.thought("later"),
    ])
    #expect(
      told.words == [
        "+0", "+0.0", "0.0 a", "0.0 b", "-0.0", "-0", "+1", "+1.0", "1.0 Running `ls`", "1.0 \n\n", "-1.0", "+1.1",
        "1.1 Exit code 0", "1.1 \n\n", "-1.1", "+1.2", "1.2 hm", "1.2 \n\n", "-1.2", "+1.3", "1.3 later",
        "1.3 \n\n",
        "-1.3", "-1",
      ])
  }

  @Test func whatStillWaitsIsToldAtTheEnd() {
    let told = told([Self.answer("a"), Self.began(1)], end: .incomplete)
    #expect(told.items == ["message a (incomplete)", #"reasoning ["Running `ls`\n\n"] (incomplete)"#])
  }

  @Test func activityIsItemsWhereThatIsWanted() throws {
    let search = ToolUse.webSearch(query: "x")
    let told = told(
      [
        Self.began(1), Self.began(2, search), Self.ended(2, .done, search), Self.answer("a"),
        Self.ended(1, .failed), Self.answer("b"), Self.ended(7, .done),
      ], Self.mcp)
    #expect(told.words == ["+0", "+1", "-1", "+2", "+2.0", "2.0 a", "-0", "2.0 b", "-2.0", "-2"])
    #expect(told.items == ["mcp failed (incomplete)", "mcp done", "message ab"])
    let (failed, done) = (told.output.items[0].object, told.output.items[1].object)
    #expect(failed["name"] == "command_execution" && failed["arguments"] == #"{"command":"ls"}"#)
    #expect(failed["server_label"] == "codex" && failed["output"] == JSONValue.null)
    #expect(failed["error"]?.stringValue?.isEmpty == false && failed["approval_request_id"] == JSONValue.null)
    #expect(done["name"] == "web_search" && done["arguments"] == #"{"query":"x"}"#)
    #expect(done["output"] == "" && done["error"] == JSONValue.null)
    let beginning = told.output.items[0].beginning
    #expect(beginning["status"] == "in_progress" && beginning["arguments"] == "")
  }

  @Test(
    arguments: [
      (.command(nil), "command_execution", ["command": nil]),
      (.fileChange(paths: ["a", "b"], count: 3), "file_change", ["paths": ["a", "b"], "count": 3]),
      (.tool("t\n", server: "s"), "t\\n", ["tool": "t\n", "server": "s"]),
      (.tool("t", server: nil), "t", ["tool": "t", "server": nil]),
    ] as [(ToolUse, String, JSONValue)])
  func everyUseHasItsNameAndArguments(_ use: ToolUse, _ name: String, _ arguments: JSONValue) throws {
    let item = try #require(
      told([Self.began(1, use), Self.ended(1, .exited(3), use)], Self.mcp).output.items.first)
    #expect(item.object["name"] == .string(name))
    #expect(item.object["output"] == "Exit code 3")
    #expect(try JSONValue(parsing: item.object["arguments"]?.stringValue ?? "") == arguments)
  }

  @Test func itemsOfActivityThatHaveNotEndedEndWithTheResponse() {
    let told = told([Self.began(1), Self.began(2)], Self.mcp, end: .incomplete)
    #expect(told.words == ["+0", "+1", "-0", "-1"])
    #expect(told.items == ["mcp - (incomplete)", "mcp - (incomplete)"])
  }

  // MARK: Calls

  @Test func callsComeLastEachWhole() {
    let open = OpenCalls(
      calls: [Self.call("c1"), Self.call("c2")], usage: nil, faults: [SchemaViolation(function: "f", fault: "no")])
    let told = told([Self.thought("hm"), Self.answer("a"), Self.began(1), .toolCalls(open)])
    #expect(told.words.suffix(4) == ["+3", "-3", "+4", "-4"])
    #expect(
      told.items == [
        #"reasoning ["hm\n\n"]"#, "message a",
        #"reasoning ["Running `ls`\n\n", "\#(ActivityText.paragraph(open.faults))\n\n"]"#, "call c1", "call c2",
      ])
    #expect(self.told([.toolCalls(OpenCalls(calls: [Self.call("c1")], usage: nil))]).words == ["+0", "-0"])
  }

  // MARK: Ends

  @Test(
    arguments: [
      (.completed, ""), (.incomplete, " (incomplete)"),
    ] as [(ResponseItem.Status, String)])
  func onlyWhatIsUnderWayEndsAsTheResponse(_ status: ResponseItem.Status, _ word: String) {
    let first: [TurnEvent] = [Self.thought("hm"), .itemBegan(Self.message), Self.answer("a")]
    #expect(told(first, end: status).items == [#"reasoning ["hm\n\n"]"#, "message a\(word)"])
    #expect(
      told(first + [.itemEnded(Self.message)], end: status).items == [#"reasoning ["hm\n\n"]"#, "message a"])
    #expect(told([Self.thought("hm")], end: status).items == [#"reasoning ["hm\n\n"]\#(word)"#])
  }

  @Test func nothingIsToldTwiceAtTheEnd() {
    var output = told([Self.answer("a"), Self.began(1)]).output
    #expect(output.end(.completed) == [])
  }

  // MARK: Ids

  /// Whoever tells the same events again has to give the same ids.
  @Test func idsAreUniqueAndFollowFromThatOfTheResponse() {
    let events = [
      Self.thought("hm"), Self.began(1), Self.answer("a"), .itemBegan(Self.message), Self.answer("b"),
      .toolCalls(OpenCalls(calls: [Self.call("c1"), Self.call("c2")], usage: nil)),
    ]
    for style in ResponseStyle.Activity.allCases.map({ ResponseStyle(activity: $0) }) {
      let ids = told(events, style).output.items.map(\.id)
      #expect(Set(ids).count == ids.count)
      #expect(told(events, style).output.items.map(\.id) == ids)
      #expect(ids.allSatisfy { $0.contains("_x") })
      let types = told(events, style).output.items.map { $0.object["type"]?.stringValue }
      let prefixes = ["message": "msg_", "reasoning": "rs_", "function_call": "fc_", "mcp_call": "mcp_"]
      #expect(zip(ids, types).allSatisfy { $0.hasPrefix(prefixes[$1 ?? ""] ?? "?") })
    }
  }

  // MARK: What is taken back

  /// What is taken from a whole answer, of which nothing was told yet.
  private func gathered(
    _ events: [TurnEvent], _ style: ResponseStyle = ResponseStyle(), _ status: ResponseItem.Status = .completed
  ) -> Told {
    var told = Told(output: ResponseOutput(Self.ids, style))
    for event in events {
      if case .answerRetracted = event { told.output.retract() } else { _ = add(event, to: &told.output) }
    }
    _ = told.output.end(status)
    return told
  }

  @Test func whatBeganSinceTheLastUsageIsTakenBack() {
    let first: [TurnEvent] = [
      .itemBegan(Self.message), Self.answer("first"), .itemEnded(Self.message), .usage(TokenUsage()),
    ]
    let half: [TurnEvent] = [.itemBegan(Self.message), Self.answer("half"), .answerRetracted]
    let whole: [TurnEvent] = [.itemBegan(Self.message), Self.answer("whole")]
    #expect(gathered(half + whole).items == ["message whole"])
    #expect(gathered(first + half + whole).items == ["message first", "message \n\nwhole"])
    #expect(
      gathered([Self.answer("a"), .usage(TokenUsage()), Self.answer("half"), .answerRetracted, Self.answer("b")])
        .items
        == ["message ab"])
    let ids = gathered(first + half + whole).output.items.map(\.id)
    #expect(Set(ids).count == 2)
  }

  /// What was said beside the answer is not told a second time, so it stays.
  @Test func whatWasSaidBesideTheAnswerStays() {
    let half: [TurnEvent] = [.itemBegan(Self.message), Self.answer("half"), .itemEnded(Self.message)]
    #expect(
      gathered(half + [Self.thought("h"), .answerRetracted, Self.thought("m"), Self.answer("b")]).items == [
        #"reasoning ["hm\n\n"]"#, "message b",
      ])
    #expect(
      gathered(half + [Self.began(1), .answerRetracted, Self.ended(1, .exited(0)), Self.answer("b")]).items == [
        #"reasoning ["Running `ls`\n\n", "Exit code 0\n\n"]"#, "message b",
      ])
    #expect(
      gathered(half + [Self.began(1), .answerRetracted, Self.ended(1, .exited(0)), Self.answer("b")], Self.mcp)
        .items
        == ["mcp exited(0)", "message b"])
    #expect(
      gathered([Self.answer("half"), Self.began(1), .answerRetracted]).items == [
        #"reasoning ["Running `ls`\n\n"]"#
      ])
    #expect(
      gathered([Self.answer("half"), Self.began(1), .answerRetracted, Self.answer("b")]).items == [
        #"reasoning ["Running `ls`\n\n"]"#, "message b",
      ])
    let remark: [TurnEvent] = [.itemBegan(Self.commentary), Self.remark("I look."), .itemEnded(Self.commentary)]
    #expect(
      gathered(remark + half + [.answerRetracted, Self.answer("b")], Self.messages).items == [
        "remark I look.", "message b",
      ])
    #expect(
      gathered(half + [Self.remark("I "), .answerRetracted, Self.remark("look.")], Self.messages).items == [
        "remark I look."
      ])
  }

  @Test func commentaryThatBecomesTheAnswerIsNoReasoningAnyMore() {
    var output = ResponseOutput(Self.ids, ResponseStyle())
    for event in [Self.thought("hm"), Self.remark("It is"), .reasoningPart, Self.remark("42."), Self.began(1)] {
      _ = add(event, to: &output)
    }
    output.dropCommentary()
    _ = output.add(.answerIsCommentary(["It is", "42."]))
    _ = output.end(.completed)
    #expect(
      Told(output: output).items == [#"reasoning ["hm\n\n", "Running `ls`\n\n"]"#, "message It is\n\n42."])
  }

  /// What is under way beside it keeps its place.
  @Test func commentaryThatWasAMessageBecomesTheAnswer() {
    var output = ResponseOutput(Self.ids, ResponseStyle(activity: .mcp, commentaryIsMessage: true))
    for event: TurnEvent in [.itemBegan(Self.commentary), Self.remark("I look."), .itemEnded(Self.commentary)] {
      _ = add(event, to: &output)
    }
    _ = add(Self.began(1), to: &output)
    output.dropCommentary()
    _ = add(.answerIsCommentary(["I look."]), to: &output)
    _ = add(Self.ended(1, .exited(0)), to: &output)
    _ = output.end(.completed)
    #expect(Told(output: output).items == ["mcp exited(0)", "message I look."])
  }

  /// However the events come, what was told is what stays, and nothing is told of an item that has ended.
  @Test func whatIsToldIsWhatStays() {
    var random = SeededGenerator(7)
    let kinds: [TurnEvent] = [
      Self.answer("a"), Self.answer("b"), Self.thought("t"), Self.remark("r"), .reasoningPart,
      .itemBegan(Self.message), .itemEnded(Self.message), .itemBegan(.reasoning), .itemEnded(.reasoning),
      .itemBegan(Self.commentary), .itemEnded(Self.commentary),
      .usage(TokenUsage()), .effectsStay, .answerIsCommentary(["r"]), .answerRetracted,
    ]
    for round in 0..<3000 {
      var running: [Int] = []
      let events = (1..<Int.random(in: 2..<20, using: &random)).compactMap { number -> TurnEvent? in
        switch Int.random(in: 0..<10, using: &random) {
        case 0:
          running.append(number)
          return Self.began(number)
        case 1:
          guard let number = running.randomElement(using: &random) else { return nil }
          running.removeAll { $0 == number }
          return Self.ended(number, [.done, .failed, .exited(1)].randomElement(using: &random) ?? .done)
        default: return kinds.randomElement(using: &random)
        }
      }
      let style = ResponseStyle(
        activity: ResponseStyle.Activity.allCases[round % 3], commentaryIsMessage: round.isMultiple(of: 2))
      // A stream takes nothing back.
      let told = told(events.filter { $0 != .answerRetracted }, style)
      var texts: [String: String] = [:]
      var open: Set<String> = []
      for word in told.words {
        let name = String(word.dropFirst())
        if word.hasPrefix("+") {
          #expect(open.insert(name).inserted)
        } else if word.hasPrefix("-") {
          #expect(open.remove(name) != nil)
        } else {
          let parts = word.split(separator: " ", maxSplits: 1)
          #expect(open.contains(String(parts[0])), "\(word) in \(told.words)")
          texts[String(parts[0]), default: ""] += parts[1]
        }
      }
      #expect(open.isEmpty)
      for (index, item) in told.output.items.enumerated() {
        let said: [EscapedText] =
          switch item.content {
          case .message(let text, _): [text]
          case .reasoning(let parts): parts.map(\.text)
          case .call, .activity: []
          }
        #expect(said.enumerated().allSatisfy { $1.text == texts["\(index).\($0)"] }, "\(told.words)")
        #expect(item.status != .inProgress)
      }
      #expect(gathered(events, style).output.items.allSatisfy { $0.status != .inProgress })
    }
  }
}
