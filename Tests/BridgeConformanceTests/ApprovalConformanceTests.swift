// What the real Codex asks a person, that what is shown is what happens, and that each decision is understood.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop, .withCodex)
struct ApprovalConformanceTests {
  /// Starts a turn, waits for its question, decides, and returns both.
  @LoopActor
  private func ask(
    _ codex: RealCodex, _ text: String, _ decision: Approval.Decision, thread: TurnRequest.Thread = .ephemeral
  ) async throws -> (question: Approval.Question, outcome: FakeCodex.Outcome) {
    let turn = try await codex.start(text, thread: thread)
    #expect(await eventually { !codex.approvals.pending.isEmpty })
    let approval = try #require(codex.approvals.pending.first)
    #expect(codex.approvals.answer(approval.id, decision, by: .everybody))
    let outcome = await FakeCodex.Outcome(turn)
    #expect(codex.approvals.pending.isEmpty)
    return (approval.question, outcome)
  }

  // MARK: Commands

  @Test @LoopActor
  func aPersonMayApprove() async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "untrusted"]) { codex in
      let script = #"echo "it's" 'approved output' "$((20+3))""#
      let (question, outcome) = try await ask(codex, "demo: run=\(script)", .accept)
      #expect(question.subject == script)
      #expect(question.workingDirectory == codex.directory.path)
      #expect(outcome.answer.contains("it's approved output 23"))
      #expect(outcome.aside.contains("    \(script)\n"))
      #expect(outcome.aside.contains("Approved."))
    }
  }

  /// Codex may run an accepted command that the sandbox stops once more without it, and does not ask again. Whether it
  /// does depends on how quickly the command fails, so the question says that it may.
  @Test @LoopActor
  func underUntrustedTheQuestionSaysThatTheSandboxMayBeLeft() async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "untrusted"]) { codex in
      let (question, outcome) = try await ask(codex, "demo: run=touch made.txt", .decline)
      #expect(
        question.request == "run a command in the sandbox, and outside of it if the sandbox stops it")
      #expect(outcome.isCompleted)
      #expect(codex.directory.read("made.txt") == nil)
    }
  }

  @Test(arguments: [Approval.Decision.accept, .decline]) @LoopActor
  func onRequestAPersonDecidesWhatMayLeaveTheSandbox(_ decision: Approval.Decision) async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "on-request"]) { codex in
      // What stays in the sandbox needs nobody.
      let inside = try await codex.run("demo: run=echo one-$((1+1))")
      #expect(inside.answer.contains("one-2"))
      let (question, outcome) = try await ask(codex, "demo: escalate run=echo hi > made.txt", decision)
      #expect(question.lines().first == "Codex asks to run a command outside the sandbox:")
      #expect(question.body == ["echo hi > made.txt"])
      #expect(question.reason == "The demo model was told to ask.")
      #expect(outcome.isCompleted)
      #expect((codex.directory.read("made.txt") != nil) == (decision == .accept))
    }
  }

  /// The model chooses the directory, so the bridge's own would be a lie.
  @Test @LoopActor
  func theDirectoryShownIsTheOneTheCommandRunsIn() async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "on-request"]) { codex in
      let other = try TemporaryDirectory()
      defer { other.remove() }
      let call =
        #"demo: call=exec_command:{"cmd":"touch made.txt","workdir":"\#(other.path)","#
        + #""sandbox_permissions":"require_escalated","justification":"to see"}"#
      let (question, outcome) = try await ask(codex, call, .accept)
      #expect(question.workingDirectory == other.path)
      #expect(outcome.isCompleted)
      #expect(other.read("made.txt") != nil && codex.directory.read("made.txt") == nil)
    }
  }

  @Test @LoopActor
  func forTheSessionTheSameCommandIsNotAskedAboutAgain() async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "untrusted"]) { codex in
      let first = try await codex.start("hello", thread: .persistent)
      _ = await FakeCodex.Outcome(first)
      let thread = TurnRequest.Thread.existing(try #require(first.threadID))
      _ = try await ask(codex, "demo: run=echo again-$((1+1))", .acceptForSession, thread: thread)
      let outcome = try await codex.run("demo: run=echo again-$((1+1))", thread: thread)
      #expect(outcome.answer.contains("again-2"))
    }
  }

  @Test(arguments: [[:], ["CODEX_APPROVAL_POLICY": "never"]]) @LoopActor
  func byDefaultNobodyIsAskedAndNothingLeavesTheSandbox(_ settings: [String: String]) async throws {
    try await RealCodex.run(settings) { codex in
      var questions = 0
      codex.approvals.onChange = { questions += 1 }
      let outcome = try await codex.run("demo: escalate run=echo hi > made.txt")
      #expect(outcome.isCompleted)
      #expect(questions == 0)
      #expect(codex.directory.read("made.txt") == nil)
    }
  }

  // MARK: Files

  @Test(arguments: [Approval.Decision.accept, .decline]) @LoopActor
  func aChangeOfFilesIsShownWithItsDiffs(_ decision: Approval.Decision) async throws {
    try await RealCodex.run(["CODEX_APPROVAL_POLICY": "on-request"]) { codex in
      try codex.directory.write("x\n", to: "old.txt")
      let patch: JSONValue = """
        *** Begin Patch
        *** Add File: new.txt
        +hello
        *** Update File: old.txt
        *** Move to: moved.txt
        @@
        -x
        +y
        *** End Patch

        """
      let (question, outcome) = try await ask(codex, "demo: call=apply_patch:\(patch.jsonText)", decision)
      let files = question.files.sorted { $0.path < $1.path }
      #expect(files.map(\.path) == ["new.txt", "old.txt"].map { "\(codex.directory.path)/\($0)" })
      #expect(files.map(\.kind) == [.add, .update])
      #expect(files.first?.diff == "hello\n" && files.last?.diff.contains("-x\n+y\n") == true)
      #expect(files.last?.newPath == "\(codex.directory.path)/moved.txt")
      #expect(outcome.aside.contains("    add \(codex.directory.path)/new.txt\n"))
      #expect(outcome.isCompleted)
      #expect((codex.directory.read("new.txt") != nil) == (decision == .accept))
      #expect((codex.directory.read("moved.txt") != nil) == (decision == .accept))
    }
  }

  // MARK: More rights, and questions to the user

  @Test(arguments: Approval.Decision.allCases) @LoopActor
  func moreRightsAreGrantedAsShownOrNotAtAll(_ decision: Approval.Decision) async throws {
    let settings = [
      "CODEX_APPROVAL_POLICY": "on-request", "CODEX_CONFIG": "features.request_permissions_tool=true",
    ]
    try await RealCodex.run(settings) { codex in
      let call = #"demo: call=request_permissions:{"reason":"to see","permissions":{"network":{"enabled":true}}}"#
      let (question, outcome) = try await ask(codex, call, decision)
      #expect(question.action == .permissions(.init(network: true, files: [])))
      #expect(question.reason == "to see" && question.workingDirectory == codex.directory.path)
      #expect(outcome.answer.contains(#""enabled":true"#) == (decision != .decline), "\(outcome.answer)")
      if decision != .decline {
        let scope = decision == .accept ? "turn" : "session"
        #expect(outcome.answer.contains(#""scope":"\#(scope)""#), "\(outcome.answer)")
      }
    }
  }

  @Test @LoopActor
  func aQuestionToTheUserIsDeclinedWithANoteAndTheTurnGoesOn() async throws {
    let settings = [
      "CODEX_APPROVAL_POLICY": "on-request", "CODEX_CONFIG": "features.default_mode_request_user_input=true",
    ]
    try await RealCodex.run(settings) { codex in
      let call =
        #"demo: call=request_user_input:{"questions":[{"header":"H","id":"q","question":"Which one?","#
        + #""options":[{"label":"A","description":"a"},{"label":"B","description":"b"}]}]}"#
      let outcome = try await codex.run(call)
      #expect(outcome.isCompleted)
      #expect(outcome.aside.contains("only your next message can do: Which one?; declined."), "\(outcome.aside)")
      #expect(outcome.answer.contains("request_user_input said:"))
    }
  }

  // MARK: MCP servers

  /// Runs `body` with an MCP server of a few tools, none of which says that it only reads, but `ask`, `confirm`.
  @LoopActor
  private func withServer(
    _ policy: String, _ body: @LoopActor (RealCodex, TemporaryDirectory) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    defer { directory.remove() }
    let tests = String(#filePath.dropLast("BridgeConformanceTests/ApprovalConformanceTests.swift".count))
    let settings = [
      "CODEX_APPROVAL_POLICY": policy,
      "CODEX_CONFIG":
        "mcp_servers.notes.command=\"python3\";"
        + "mcp_servers.notes.args=[\"\(tests)Clients/mcp_server.py\",\"\(directory.path)/calls\"]",
    ]
    try await RealCodex.run(settings) { codex in try await body(codex, directory) }
  }

  @Test(
    arguments: [
      ("on-request", .accept), ("untrusted", .accept), ("on-request", .decline), ("untrusted", .decline),
    ] as [(String, Approval.Decision)]) @LoopActor
  func aToolThatMayWriteWorksAfterAYesAndNotAfterANo(_ policy: String, _ decision: Approval.Decision) async throws
  {
    try await withServer(policy) { codex, directory in
      let (question, outcome) = try await ask(codex, #"demo: call=notes/write_note:{"text":"a\nb"}"#, decision)
      #expect(question.action.kind == "mcp_tool")
      #expect(question.request == "use a tool of the MCP server “notes”")
      #expect(question.body.first?.contains("write_note") == true, "\(question.body)")
      #expect(question.body.last == #"text = "a\nb""#)
      #expect((directory.read("calls") == "write_note\n") == (decision == .accept))
      #expect(outcome.answer.contains("did write_note") == (decision == .accept), "\(outcome.answer)")
      #expect(outcome.isCompleted)
    }
  }

  @Test @LoopActor
  func forTheSessionAToolIsNotAskedAboutAgain() async throws {
    try await withServer("on-request") { codex, directory in
      let first = try await codex.start("hello", thread: .persistent)
      _ = await FakeCodex.Outcome(first)
      let thread = TurnRequest.Thread.existing(try #require(first.threadID))
      _ = try await ask(codex, #"demo: call=notes/write_note:{"text":"1"}"#, .acceptForSession, thread: thread)
      let outcome = try await codex.run(#"demo: call=notes/write_note:{"text":"2"}"#, thread: thread)
      #expect(outcome.answer.contains("did write_note"))
      #expect(directory.read("calls") == "write_note\nwrite_note\n")
    }
  }

  @Test(arguments: [(Approval.Decision.accept, "accept"), (.decline, "decline")]) @LoopActor
  func aServersYesOrNoIsAskedToo(_ decision: Approval.Decision, _ action: String) async throws {
    try await withServer("on-request") { codex, _ in
      let (question, outcome) = try await ask(codex, "demo: call=notes/confirm:{}", decision)
      #expect(question.action == .mcpQuestion(.init(server: "notes", message: "Really?")))
      #expect(outcome.answer.contains("confirm: \(action)"), "\(outcome.answer)")
    }
  }

  @Test @LoopActor
  func aFormThatNeedsInputIsDeclinedWithANote() async throws {
    try await withServer("on-request") { codex, _ in
      let outcome = try await codex.run("demo: call=notes/ask:{}")
      #expect(outcome.aside.contains("(Your name?), which is not possible here; declined."), "\(outcome.aside)")
      #expect(outcome.answer.contains("ask: decline"), "\(outcome.answer)")
    }
  }
}
