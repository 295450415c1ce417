import Testing

@testable import Bridge

struct ChatCommandTests {
  @Test(arguments: [
    ("", ChatCommand.nothing), ("   ", .nothing), ("hi there ", .message("hi there")), ("/help", .help),
    ("/?", .help), ("/exit", .exit), (" /quit ", .exit), ("/reset", .reset), ("/model", .model(nil)),
    ("/new", .new), ("/resume", .resume(nil)), ("/resume 3", .resume("3")), ("/undo", .undo), ("/models", .models),
    ("/status", .status), ("/details", .details), ("/copy", .copy),
    ("/model gpt-5.5:high", .model("gpt-5.5:high")), ("/modle x", .unknown("/modle")),
    ("/etc/passwd says what?", .message("/etc/passwd says what?")), ("a /exit", .message("a /exit")),
    ("  indented\n\tmore\n", .message("  indented\n\tmore")),
  ])
  func reads(_ line: String, _ command: ChatCommand) { #expect(ChatCommand(EnteredLine(text: line)) == command) }

  @Test(arguments: ["/reset", " /exit", "/model x", "/nonsense"])
  func aPasteIsNeverACommand(_ text: String) {
    #expect(ChatCommand(EnteredLine(text: text, origin: .pasted)) == .message(text))
  }

  @Test(arguments: [
    ("/modle", "/model"), ("/hlep", "/help"), ("/stat", "/status"), ("/resum", "/resume"), ("/undoo", "/undo"),
    ("/EXIT!", "/exit"),
  ])
  func aMistypedCommandIsGuessed(_ name: String, _ meant: String) {
    #expect(ChatCommand.nearest(to: name) == meant)
    #expect(ChatCommand.unknownText(name) == "\(name) is no command; did you mean \(meant)? /help shows them.")
  }

  @Test func nothingIsGuessedFromNothing() {
    for name in ["/", "/x", "/frobnicate", "/\u{1B}"] { #expect(ChatCommand.nearest(to: name) == nil, "\(name)") }
    #expect(ChatCommand.unknownText("/\u{1B}") == "/\\u{1B} is no command; /help shows them.")
  }

  @Test func everyCommandIsInTheHelp() {
    for name in [
      "/new", "/resume", "/undo", "/reset", "/model", "/models", "/status", "/details", "/copy", "/exit",
    ] {
      #expect(ChatCommand.helpText.contains("\n\(name) ") || ChatCommand.helpText.hasPrefix("\(name) "), "\(name)")
    }
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
