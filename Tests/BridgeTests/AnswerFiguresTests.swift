// The line below an answer, and what the terminal says of itself.

import Testing

@testable import Bridge

struct AnswerFiguresTests {
  @Test func tellsWhatAnAnswerTook() {
    let usage = TokenUsage(input: 1420, cachedInput: 1100, output: 312, reasoningOutput: 5)
    let limits = [
      EngineAccount.Limit(usedPercent: 41.2, windowMinutes: 300),
      EngineAccount.Limit(usedPercent: 12, windowMinutes: 10_080),
    ]
    let figures = AnswerFigures(
      firstWord: .milliseconds(3210), total: .seconds(11), usage: usage, limits: limits)
    #expect(figures.line == "3.2 s to first word · 11 s · 1.4k in (1.1k cached) · 312 out · 41 % of 5 h")
    #expect(AnswerFigures(total: .milliseconds(440), usage: TokenUsage()).line == "0.4 s")
  }

  @Test func anotherWindowIsToldWhenItIsNearlyFull() {
    let limits = [
      EngineAccount.Limit(usedPercent: 1), EngineAccount.Limit(usedPercent: 96, windowMinutes: 10_080),
    ]
    let line = AnswerFigures(total: .seconds(75), usage: TokenUsage(), limits: limits).line
    #expect(line == "1 min 15 s · 1 % of the plan · 96 % of 7 days")
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9950, "10k"), (14_400, "14k"), (999_499, "999k"),
    (999_500, "1.0M"), (1_250_000, "1.3M"),
  ])
  func countsAreShort(_ number: Int, _ text: String) { #expect(Amount.count(number) == text) }

  @Test func strangeLimitsDoNoHarm() {
    for percent in [-1, 1e300, .infinity] { _ = EngineAccount.Limit(usedPercent: percent, windowMinutes: 0).text }
    #expect(EngineAccount.Limit(usedPercent: 10, windowMinutes: 90).text == "10 % of 90 min")
  }
}

struct ChatStatusTests {
  private func profile(_ sandbox: SandboxMode, _ approvals: ApprovalPolicy) -> TurnProfile {
    TurnProfile(workingDirectory: "/home/me/project", sandbox: sandbox, approvals: approvals)
  }

  @Test func oneLineTellsWhatMayHappen() {
    #expect(
      ChatStatus.line(model: "gpt-5.5", effort: "medium", profile(.readOnly, .untrusted), home: "/home/me")
        == "gpt-5.5 medium · ~/project · read-only · asks before all but harmless commands")
    #expect(
      ChatStatus.line(model: "m", effort: nil, profile(.dangerFullAccess, .never), home: nil)
        == "m · /home/me/project · no sandbox: writes everywhere · network · never asks")
  }

  @Test(arguments: [
    ("/home/me", "~"), ("/home/me/a", "~/a"), ("/home/meier", "/home/meier"), ("/x/\u{1B}", "/x/\\u{1B}"),
  ])
  func homeIsATilde(_ path: String, _ shown: String) {
    #expect(ChatStatus.directory(path, home: "/home/me") == shown)
  }

  @Test func theGreetingNamesTheConversation() {
    let one = ChatListTests.conversation("a", title: "Fix it", turns: 1, usedAt: 0)
    #expect(
      ChatStatus.greeting(one, others: 14, now: 90_000)
        == "Continuing “Fix it” (1 turn, yesterday). /new begins another, /resume lists 14 more, /help shows the commands."
    )
    #expect(ChatStatus.greeting(nil, others: 0, now: 0) == "A new conversation. /help shows the commands.")
  }

  @Test func errorsSayWhatCanBeDone() {
    let limit = EngineError.turnFailed(TurnFailure(kind: .usageLimit, name: "x", message: "y"))
    #expect(ChatStatus.advice(limit)?.contains("/status") == true)
    #expect(ChatStatus.advice(.crashed) != nil)
    #expect(ChatStatus.advice(code: "model_not_found")?.contains("/models") == true)
    #expect(ChatStatus.advice(code: nil) == nil)
  }
}

struct AnswerTextTests {
  private func text(_ events: [TurnEvent]) -> String {
    var answer = AnswerText()
    for event in events { answer.take(event) }
    return answer.text
  }

  @Test func isWhatTheModelWrote() {
    let message = TurnItem.message(.finalAnswer)
    #expect(
      text([
        .reasoning(EscapedText("no")), .itemBegan(message), .answer(EscapedText("a\n")), .answer(EscapedText("b")),
        .itemEnded(message), .itemBegan(message), .answer(EscapedText("c")),
      ]) == "a\nb\n\nc")
    #expect(text([.commentary(EscapedText("x")), .answerIsCommentary(["x", "y"])]) == "x\n\ny")
  }

  @Test func whatIsTakenBackIsNotInIt() {
    #expect(
      text([
        .answer(EscapedText("kept")), .usage(TokenUsage()), .answer(EscapedText(" void")), .answerRetracted,
        .answer(EscapedText("!")),
      ]) == "kept!")
  }
}
