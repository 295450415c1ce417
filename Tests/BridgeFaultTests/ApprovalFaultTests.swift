// What Codex asks besides a plain command: put before a person in full, answered in the form that each wants, or
// declined with a note.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ApprovalFaultTests {
  /// Asks `kind` of the fake's questions and decides; returns the question and what came of the turn.
  @LoopActor
  private func ask(
    _ kind: String, _ decision: Approval.Decision
  ) async throws -> (question: Approval.Question, outcome: FakeCodex.Outcome) {
    var result: (Approval.Question, FakeCodex.Outcome)?
    let profile = TurnProfile(workingDirectory: "/tmp", sandbox: .readOnly, approvals: .onRequest)
    try await FakeCodex.run(profile: profile, adjust: { $0.approvalWait = .seconds(60) }) { fake in
      try await fake.ready()
      let turn = try await fake.start("demo: tokens=0 approval=\(kind)")
      #expect(await eventually { !fake.approvals.pending.isEmpty })
      let approval = try #require(fake.approvals.pending.first)
      #expect(fake.approvals.answer(approval.id, decision, by: .everybody))
      result = (approval.question, await FakeCodex.Outcome(turn))
    }
    return try #require(result)
  }

  /// Asks what nobody is asked.
  @LoopActor
  private func declined(_ kind: String, policy: ApprovalPolicy = .onRequest) async throws -> FakeCodex.Outcome {
    var result: FakeCodex.Outcome?
    let profile = TurnProfile(workingDirectory: "/tmp", sandbox: .readOnly, approvals: policy)
    try await FakeCodex.run(profile: profile, adjust: { $0.approvalWait = .seconds(60) }) { fake in
      try await fake.ready()
      var questions = 0
      fake.approvals.onChange = { questions += 1 }
      result = try await fake.run("demo: tokens=0 approval=\(kind)")
      #expect(questions == 0)
    }
    return try #require(result)
  }

  @Test @LoopActor
  func theDirectoryIsCodexsAndNothingForgesALine() async throws {
    let (question, outcome) = try await ask("hostile", .decline)
    #expect(question.workingDirectory == "/tmp/else\u{200B}where\nin /work")
    #expect(
      outcome.aside.hasPrefix(
        #"""
        Codex asks to run a command outside the sandbox:
            echo \u{202E}safe
            rm -rf /\u{1B}[2K
        in /tmp/else\u{200B}where\nin /work
        Reason: to be\nin /work\u{009B}
        Waiting for an answer to apr-
        """#), "\(outcome.aside)")
    #expect(outcome.answer == #"answer:{"decision":"decline"} "#)
    #expect(outcome.isCompleted)
  }

  @Test @LoopActor
  func aConnectionIsShownWithHostAndProtocol() async throws {
    let (question, outcome) = try await ask("network", .acceptForSession)
    #expect(question.subject == "https://example.org:8443")
    #expect(outcome.aside.contains("    https://example.org:8443\n"))
    #expect(outcome.answer == #"answer:{"decision":"acceptForSession"} "#)
  }

  @Test @LoopActor
  func filesComeFromTheItem() async throws {
    let (question, outcome) = try await ask("files", .accept)
    #expect(question.files.map(\.path) == ["/srv/a\n/etc/b", "/srv/c", "/srv/e"])
    #expect(question.files.map(\.diff) == ["one\ntwo\n", "@@ -1 +1 @@\n-x\n+y\n", "gone\n"])
    for line in [
      #"    add /srv/a\n/etc/b"#, "    update /srv/c, moved to /srv/d", "    delete /srv/e",
      "and to write everything below /srv/all from then on",
    ] {
      #expect(outcome.aside.contains(line + "\n"), "\(outcome.aside)")
    }
    #expect(outcome.answer == #"answer:{"decision":"accept"} "#)
  }

  @Test(
    arguments: [
      (.accept, #""scope":"turn"} "#), (.acceptForSession, #""scope":"session"} "#),
      (.decline, #"answer:{"permissions":{},"scope":"turn"} "#),
    ] as [(Approval.Decision, String)]) @LoopActor
  func aPersonDecidesOnMoreRights(_ decision: Approval.Decision, _ end: String) async throws {
    let (question, outcome) = try await ask("permissions", decision)
    #expect(question.body == ["use the network", "write /var/x"])
    #expect(outcome.answer.hasSuffix(end), "\(outcome.answer)")
    #expect(outcome.answer.contains(#""network":{"enabled":true}"#) == (decision != .decline))
  }

  @Test(
    arguments: [
      (.accept, #"answer:{"action":"accept","content":{}} "#),
      (.acceptForSession, #"answer:{"action":"accept","content":{},"_meta":{"persist":"session"}} "#),
      (.decline, #"answer:{"action":"decline"} "#),
    ] as [(Approval.Decision, String)]) @LoopActor
  func aPersonDecidesOnAnMCPTool(_ decision: Approval.Decision, _ answer: String) async throws {
    let (question, outcome) = try await ask("mcp", decision)
    #expect(question.action.kind == "mcp_tool")
    #expect(outcome.aside.contains(#"    text = "hi \u{202E}there""#))
    #expect(outcome.answer == answer)
  }

  @Test(
    arguments: [
      ("long", "run a command of 20000 bytes, too long to be shown: xxx"),
      ("nothing", "run a command that it does not"),
      ("many-files", "change 101 files, too many to be shown"),
      ("unknown-files", "change files that it does not tell"),
      ("unknown-permissions", "have rights that cannot be shown whole"),
      ("mcp-form", "give input to the MCP server “notes” (Your name?), which is not possible here"),
      ("mcp-url", "give input to the MCP server “notes” (Log in), which is not possible here"),
      ("question", "have a question answered, which only your next message can do: Which one?"),
    ]) @LoopActor
  func whatCannotBeShownOrAnsweredIsDeclinedWithANote(_ kind: String, _ note: String) async throws {
    let outcome = try await declined(kind)
    #expect(outcome.aside.hasPrefix("Codex asked to \(note)"), "\(outcome.aside)")
    #expect(outcome.aside.hasSuffix("declined."))
    #expect(!outcome.answer.contains("error") && !outcome.answer.contains("accept"), "\(outcome.answer)")
    #expect(outcome.isCompleted)
  }

  /// What is approved is what is shown, so "for the session" is no more than once where the question names no more.
  @Test(
    arguments: [
      ("input", "terminal_input", #"answer:{"decision":"accept"} "#),
      ("mcp-confirm", "mcp_question", #"answer:{"action":"accept","content":{}} "#),
    ]) @LoopActor
  func forTheSessionIsNoMoreThanTheQuestionSays(_ kind: String, _ name: String, _ answer: String) async throws {
    let (question, outcome) = try await ask(kind, .acceptForSession)
    #expect(question.action.kind == name && question.sessionScope == nil)
    #expect(outcome.answer == answer)
  }

  /// Under `never` Codex asks nothing; if it does, nobody is asked and the note says what it was.
  @Test(arguments: ["files", "permissions", "mcp", "network"]) @LoopActor
  func withoutAnybodyToAskItIsDeclined(_ kind: String) async throws {
    let outcome = try await declined(kind, policy: .never)
    #expect(outcome.aside.hasPrefix("Codex asked to ") && outcome.aside.hasSuffix("\nDeclined: nobody is asked."))
    #expect(!outcome.answer.contains("accept"))
  }
}
