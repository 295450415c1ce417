import Testing

@testable import Bridge

struct ChatCommandTests {
  @Test(arguments: [
    ("", ChatCommand.nothing), ("   ", .nothing), ("hi there ", .message("hi there")), ("/help", .help),
    ("/?", .help), ("/exit", .exit), (" /quit ", .exit), ("/reset", .reset), ("/model", .model(nil)),
    ("/model gpt-5.5:high", .model("gpt-5.5:high")), ("/modle x", .unknown("/modle")),
    ("/etc/passwd says what?", .message("/etc/passwd says what?")), ("a /exit", .message("a /exit")),
  ])
  func reads(_ line: String, _ command: ChatCommand) { #expect(ChatCommand(line) == command) }

  @Test func whatTheModelSaysCannotDriveTheTerminal() {
    let text = "a\u{1B}[2Jb\u{9B}31mc\rd\u{7F}e\tf\ng\u{8}"
    #expect(TerminalOutput.printable(text) == "a[2Jb31mcde\tf\ng")
    #expect(TerminalOutput.printable("plain äöü 😀") == "plain äöü 😀")
  }
}
