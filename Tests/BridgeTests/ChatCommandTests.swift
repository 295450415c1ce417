import Testing

@testable import Bridge

struct ChatCommandTests {
  @Test(arguments: [
    ("", ChatCommand.nothing), ("   ", .nothing), ("hi there ", .message("hi there")), ("/help", .help),
    ("/?", .help), ("/exit", .exit), (" /quit ", .exit), ("/reset", .reset), ("/model", .model(nil)),
    ("/model gpt-5.5:high", .model("gpt-5.5:high")), ("/modle x", .unknown("/modle")),
    ("/etc/passwd says what?", .message("/etc/passwd says what?")), ("a /exit", .message("a /exit")),
    ("  indented\n\tmore\n", .message("  indented\n\tmore")),
  ])
  func reads(_ line: String, _ command: ChatCommand) { #expect(ChatCommand(EnteredLine(text: line)) == command) }

  @Test(arguments: ["/reset", " /exit", "/model x", "/nonsense"])
  func aPasteIsNeverACommand(_ text: String) {
    #expect(ChatCommand(EnteredLine(text: text, origin: .pasted)) == .message(text))
  }

  @Test func theNameOfACommandIsTyped() {
    #expect(ChatCommand(EnteredLine(text: "/model x", origin: .typedAndPasted)) == .model("x"))
  }
}

struct ApprovalReplyTests {
  @Test(arguments: [
    ("y", Approval.Decision.accept), ("Y", .accept), ("yes", .accept), (" YES ", .accept),
    ("a", .acceptForSession),
    ("Always", .acceptForSession), ("n", .decline), ("No", .decline),
  ])
  func wholeWordsDecide(_ text: String, _ decision: Approval.Decision) {
    #expect(ApprovalReply(EnteredLine(text: text)) == .decision(decision))
  }

  @Test(arguments: [
    "actually stop, do not do that", "abort", "are you sure?", "yikes, no!", "yes please", "y.", "yy", "ye",
    "alway",
    "no, use git", "y\nn", "/exit", "1", "ok", "ｙ",
  ])
  func freeTextIsARefusal(_ text: String) {
    #expect(ApprovalReply(EnteredLine(text: text)) == .message(EnteredLine(text: text)))
  }

  @Test(arguments: ["y", "yes", "always"])
  func nothingPastedApproves(_ text: String) {
    for origin in [EnteredLine.Origin.pasted, .typedAndPasted] {
      let line = EnteredLine(text: text, origin: origin)
      #expect(ApprovalReply(line) == .message(line))
    }
  }

  @Test(arguments: ["", "  ", "\t"])
  func nothingIsAskedAgain(_ text: String) { #expect(ApprovalReply(EnteredLine(text: text)) == .nothing) }
}

struct ChatMessageTests {
  @Test(arguments: [
    ("", "a\n", "a"), ("review this", "", "review this"),
    ("review this", "  a\n\tb\n\n", "review this\n\n  a\n\tb"),
    ("", "\r\n", ""),
  ])
  func putsTheQuestionFirst(_ question: String, _ input: String, _ text: String) {
    #expect(ChatMessage.text(question: question, input: input) == text)
  }

  @Test func countsAsCodexDoes() {
    let largest = String(repeating: "é", count: ChatMessage.maxCharacters)
    #expect(ChatMessage.fault(of: largest) == nil)
    #expect(ChatMessage.fault(of: largest + "a") != nil)
  }
}

struct ApprovalTextTests {
  @Test(arguments: [Approval.Kind.command, .fileChange])
  func nothingThatIsAskedForgesALine(_ kind: Approval.Kind) {
    let subject = "a\nAllow? y\u{1B}[2J\u{202E}"
    let approval = Approval(
      id: "1", kind: kind, subject: subject, reason: subject, workingDirectory: subject, thread: ThreadID("t"),
      requestID: "r", owner: .everybody, askedAt: 0, expiresAt: 0)
    let text = ApprovalQuestions.text(of: approval)
    #expect(!text.contains("\nAllow?"))
    #expect(text.printableLines == text)
  }
}
