// The two texts of an answer: what begins a paragraph, and what is told in which words.

import Testing

@testable import Bridge

struct AnswerParagraphsTests {
  private static let question = Approval.Question(
    action: .command(.init(text: "rm -rf /", sandbox: .outside)), reason: nil, workingDirectory: "/w")
  private static let approval = Approval(
    id: "apr-1", question: question, thread: ThreadID("t"), requestID: "r", owner: .everybody, askedAt: 1,
    expiresAt: 2)

  private func told(_ event: TurnEvent, tools: Bool = true, questions: Bool = true) -> String? {
    var paragraphs = AnswerParagraphs(AnswerParagraphs.Shown(tools: tools, questions: questions))
    return paragraphs.take(event)
  }

  @Test func theFirstParagraphHasNothingBeforeIt() {
    var paragraphs = AnswerParagraphs(AnswerParagraphs.Shown(tools: true))
    func needsBlankLine(_ channel: TextChannel) -> Bool { paragraphs.needsBlankLine(before: channel) }
    func take(_ event: TurnEvent) -> String? { paragraphs.take(event) }
    for _ in 0..<2 { _ = take(.itemBegan(.message(nil))) }
    #expect(!needsBlankLine(.answer))
    #expect(!needsBlankLine(.answer))
    #expect(take(.reconnecting("x")) == "Codex cannot reach the model and tries again: x")
    #expect(take(.reconnecting("y")) == "\n\nCodex cannot reach the model and tries again: y")
    #expect(!needsBlankLine(.answer), "what is beside the answer is another text")
    #expect(needsBlankLine(.reasoning))
    #expect(!needsBlankLine(.commentary), "it is in the same paragraph")
    _ = take(.itemEnded(.reasoning))
    _ = take(.itemBegan(.message(.commentary)))
    #expect(needsBlankLine(.commentary))
    _ = take(.itemBegan(.message(.finalAnswer)))
    #expect(needsBlankLine(.answer))
  }

  @Test func questionsAreToldInWords() {
    let asked = ["    rm -rf /", "in /w"]
    #expect(
      told(.question(.asked(Self.approval)))
        == (["Codex asks to run a command outside the sandbox:"] + asked + ["Waiting for an answer to apr-1."])
        .joined(separator: "\n"))
    for (obstacle, reason) in [
      (QuestionReport.Obstacle.nobodyIsAsked, "nobody is asked."),
      (.tooManyAreOpen, "too many questions are open."),
    ] {
      #expect(
        told(.question(.declined(Self.question, obstacle)))
          == (["Codex asked to run a command outside the sandbox:"] + asked + ["Declined: \(reason)"])
          .joined(separator: "\n"))
    }
    #expect(told(.question(.declinedUnseen("do it"))) == "Codex asked to do it; declined.")
    #expect(told(.question(.answered(id: "a", .decline, byPerson: true))) == "Declined.")
    #expect(
      told(.question(.answered(id: "a", .decline, byPerson: false))) == "Nobody answered in time; declined.")
    for decision in [Approval.Decision.accept, .acceptForSession] {
      #expect(told(.question(.answered(id: "a", decision, byPerson: true))) == "Approved.")
    }
  }

  /// Where questions are asked on the same screen they are not told a second time; what came of them is.
  @Test func whatIsNotShownLeavesNoMark() {
    #expect(told(.question(.asked(Self.approval)), questions: false) == nil)
    #expect(told(.question(.answered(id: "a", .accept, byPerson: true)), questions: false) == "Approved.")
    let report = ToolReport(number: 1, use: .command("ls"), progress: .began)
    #expect(told(.tool(report), tools: false) == nil)
    var paragraphs = AnswerParagraphs(AnswerParagraphs.Shown(tools: false))
    _ = paragraphs.needsBlankLine(before: .reasoning)
    _ = paragraphs.take(.tool(report))
    let isParagraph = paragraphs.needsBlankLine(before: .reasoning)
    #expect(!isParagraph)
  }

  @Test func onlyCommandsHaveAnEndInWords() {
    for outcome in [ToolOutcome.done, .failed, .declined, .exited(1)] {
      let report = ToolReport(number: 1, use: .webSearch(query: "x"), progress: .ended(outcome))
      #expect(told(.tool(report)) == nil)
    }
    func end(_ outcome: ToolOutcome) -> String? {
      told(.tool(ToolReport(number: 1, use: .command(nil), progress: .ended(outcome))))
    }
    #expect(end(.exited(3)) == "Exit code 3" && end(.declined) == "The command was declined.")
    #expect(end(.done) == nil && end(.failed) == nil)
    #expect(ActivityText.line(.command(nil)) == "Running `a command`")
  }
}
