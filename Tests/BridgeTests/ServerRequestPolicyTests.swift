// Answers to what the app-server asks: what a person is shown, what is declined without asking, and in which form a
// decision goes back.

import Testing

@testable import Bridge

struct ServerRequestPolicyTests {
  private func profile(
    _ policy: ApprovalPolicy = .onRequest, _ sandbox: SandboxMode = .readOnly
  ) -> TurnProfile {
    TurnProfile(workingDirectory: "/work", sandbox: sandbox, approvals: policy)
  }

  private func answer(
    _ method: String, _ params: JSONValue, item: JSONValue? = nil, _ profile: TurnProfile? = nil
  ) -> ServerRequestAnswer {
    ServerRequestPolicy.answer(method: method, params: params, item: item, profile ?? self.profile())
  }

  private func question(
    _ method: String, _ params: JSONValue, item: JSONValue? = nil, _ profile: TurnProfile? = nil
  ) throws -> Approval.Question {
    guard case .ask(let question, _) = answer(method, params, item: item, profile) else {
      throw Unshowable(what: "not asked")
    }
    return question
  }

  private func isDeclined(_ method: String, _ params: JSONValue, item: JSONValue? = nil) -> Bool {
    if case .decline = answer(method, params, item: item) { true } else { false }
  }

  // MARK: Commands

  private static let command = "item/commandExecution/requestApproval"

  @Test func aCommandIsShownAsItRuns() throws {
    let params: JSONValue = [
      "kind": "command", "command": "/bin/bash -lc 'rm -rf build'", "cwd": "/else/where",
      "reason": "to begin anew",
      "environmentId": "local",
    ]
    let question = try question(Self.command, params)
    let command = Approval.Command(text: "rm -rf build", shell: "/bin/bash -lc", sandbox: .outside)
    #expect(
      question == .init(action: .command(command), reason: "to begin anew", workingDirectory: "/else/where"))
    #expect(
      question.lines() == [
        "Codex asks to run a command outside the sandbox:", "    rm -rf build", "in /else/where",
        "Reason: to begin anew",
      ])
    #expect(question.subject == "rm -rf build")
  }

  /// Codex does not say whether an accepted command leaves the sandbox.
  @Test(
    arguments: [
      (.onRequest, .readOnly, nil, .outside), (.onRequest, .workspaceWrite, "r", .outside),
      (.untrusted, .readOnly, nil, .mayLeave), (.untrusted, .workspaceWrite, "r", .outside),
      (.untrusted, .dangerFullAccess, nil, .absent), (.onRequest, .dangerFullAccess, "r", .absent),
    ] as [(ApprovalPolicy, SandboxMode, String?, Approval.Sandbox)])
  func whatIsNotKnownToStayInTheSandboxIsToldToLeaveIt(
    _ policy: ApprovalPolicy, _ mode: SandboxMode, _ reason: String?, _ sandbox: Approval.Sandbox
  ) throws {
    let params: JSONValue = ["command": "ls", "reason": .text(reason)]
    guard case .command(let command) = try question(Self.command, params, profile(policy, mode)).action else {
      Issue.record("no command")
      return
    }
    #expect(command.sandbox == sandbox)
  }

  @Test func aCommandWithMoreRightsSaysWhich() throws {
    let params: JSONValue = [
      "command": "ls", "environmentId": "remote\n1",
      "additionalPermissions": ["network": ["enabled": true], "fileSystem": ["read": ["/etc"], "write": .null]],
    ]
    #expect(
      try question(Self.command, params).lines() == [
        "Codex asks to run a command in the sandbox with more rights:", "    ls",
        "in the environment remote\\n1", "with the right to: use the network", "with the right to: read /etc",
      ])
  }

  @Test func inputToATerminalIsNoCommand() throws {
    let question = try question(Self.command, ["kind": "writeStdin", "command": "yes\n", "cwd": "/w"])
    #expect(question.action.kind == "terminal_input")
    #expect(question.lines() == ["Codex asks to send input to a command that is running:", "    yes", "in /w"])
  }

  @Test(
    arguments: [
      [:], ["command": ""], ["command": ["rm"]], ["command": .string(String(repeating: "x", count: 17_000))],
      ["command": "ls", "kind": "new"], ["command": "ls", "cwd": 5],
      ["command": "ls", "cwd": .string(String(repeating: "x", count: 5000))],
      ["command": "ls", "additionalPermissions": ["kernel": true]], ["command": "ls", "additionalPermissions": 5],
      ["command": "curl", "networkApprovalContext": ["host": "h"]],
      ["networkApprovalContext": ["host": "", "protocol": "http"]],
      ["networkApprovalContext": ["host": "h", "protocol": "gopher"]],
    ] as [JSONValue])
  func aCommandThatCannotBeShownWholeIsDeclined(_ params: JSONValue) {
    #expect(isDeclined(Self.command, params))
  }

  @Test(
    arguments: [
      ("network#https#example.org#8443", "https", "https://example.org:8443"),
      ("call_1", "http", "http://example.org"),
      ("network#https#other.org#1", "https", "https://example.org"),
      ("network#socks5-tcp#example.org#22", "socks5Tcp", "socks5Tcp://example.org:22"),
      ("network#http#example.org#99999", "http", "http://example.org"),
    ])
  func aConnectionIsShownWithHostAndProtocol(_ id: String, _ scheme: String, _ url: String) throws {
    let params: JSONValue = [
      "itemId": .string(id), "command": .null,
      "networkApprovalContext": ["host": "example.org", "protocol": .string(scheme)],
    ]
    let question = try question(Self.command, params)
    #expect(question.action.kind == "network" && question.subject == url)
    #expect(question.lines() == ["Codex asks to connect to a host on the network:", "    \(url)"])
  }

  // MARK: Files

  private static let file = "item/fileChange/requestApproval"

  private static let changes: JSONValue = [
    "changes": [
      ["path": "/w/a", "kind": ["type": "add"], "diff": "one\ntwo\n"],
      ["path": "/w/b", "kind": ["type": "update", "move_path": "/w/c"], "diff": "@@ -1 +1 @@\n-x\n+y\n"],
      ["path": "/w/d", "kind": ["type": "delete"], "diff": "gone\n"],
    ]
  ]

  @Test func eachFileHasALineOfItsOwn() throws {
    let question = try question(Self.file, ["grantRoot": "/w/all"], item: Self.changes)
    let files = ["    add /w/a", "    update /w/b, moved to /w/c", "    delete /w/d"]
    let root = "and to write everything below /w/all from then on"
    #expect(question.lines() == ["Codex asks to change 3 files:"] + files + [root])
    #expect(
      question.lines(maxDiffLines: 4) == [
        "Codex asks to change 3 files:", files[0], "      +one", "      +two", files[1], "      @@ -1 +1 @@",
        "      -x", "      (1 more lines are not shown)", files[2], "      (1 more lines are not shown)", root,
      ])
    #expect(question.subject == "/w/a, /w/b, /w/d")
    #expect(question.files.map(\.diff) == ["one\ntwo\n", "@@ -1 +1 @@\n-x\n+y\n", "gone\n"])
  }

  @Test func aRootAloneIsShown() throws {
    let question = try question(Self.file, ["grantRoot": "/w"])
    #expect(question.subject == "everything below /w")
    #expect(
      question.lines() == ["Codex asks to write files:", "and to write everything below /w from then on"])
  }

  @Test func ofLongDiffsTheBeginningIsKeptAndTheRestCounted() throws {
    let long = String(repeating: "é\n", count: 40_000)
    let item: JSONValue = [
      "changes": [
        ["path": "/a", "kind": ["type": "add"], "diff": .string(long)],
        ["path": "/b", "kind": ["type": "add"], "diff": "x"],
      ]
    ]
    let files = try question(Self.file, [:], item: item).files
    #expect(files[0].diff.utf8.count + files[0].hiddenDiffBytes == long.utf8.count)
    #expect(long.hasPrefix(files[0].diff) && files[0].diff.utf8.count <= 64 << 10)
    #expect(files[0].hiddenDiffBytes > 50_000)
    #expect(files[1].path == "/b")
    let lines = try question(Self.file, [:], item: item).lines(maxDiffLines: 1)
    #expect(lines.contains("      (\(files[0].hiddenDiffBytes) more bytes are not shown)"))
  }

  private static func files(_ count: Int, path: String = "/f") -> JSONValue {
    let change: JSONValue = ["path": .string(path), "kind": ["type": "add"], "diff": ""]
    return ["changes": .array(Array(repeating: change, count: count))]
  }

  @Test(
    arguments: [
      nil, ["changes": []], ["changes": [["path": 5, "kind": ["type": "add"]]]],
      ["changes": [["path": "/a", "kind": ["type": "new"]]]], ["changes": [["path": "/a"]]], files(101),
      files(1, path: String(repeating: "x", count: 5000)), files(50, path: String(repeating: "x", count: 4000)),
    ] as [JSONValue?])
  func changesThatCannotBeShownWholeAreDeclined(_ item: JSONValue?) {
    #expect(isDeclined(Self.file, [:], item: item))
  }

  // MARK: Permissions

  private static let permissions = "item/permissions/requestApproval"

  @Test func everyRightIsShown() throws {
    let entries: JSONValue = [
      ["path": ["type": "path", "path": "/a\nb"], "access": "write"],
      ["path": ["type": "glob_pattern", "pattern": "*.key"], "access": "deny"],
      ["path": ["type": "special", "value": ["kind": "root"]], "access": "read"],
      ["path": ["type": "special", "value": ["kind": "project_roots", "subpath": "x"]], "access": "write"],
    ]
    let asked: JSONValue = [
      "network": ["enabled": true],
      "fileSystem": ["entries": entries, "write": ["/a\nb", "/c"], "read": .null, "globScanMaxDepth": 3],
    ]
    let params: JSONValue = ["cwd": "/w", "reason": "r", "permissions": asked]
    #expect(
      try question(Self.permissions, params).lines() == [
        "Codex asks to have more rights:", "    use the network", "    write /a\\nb",
        "    not to use whatever matches *.key", "    read all files of the machine",
        "    write the directories of the project, below x", "    write /c", "in /w", "Reason: r",
      ])
    guard case .ask(_, let reply) = answer(Self.permissions, params) else {
      Issue.record("not asked")
      return
    }
    #expect(reply.result(.accept) == ["permissions": asked, "scope": "turn"])
    #expect(reply.result(.acceptForSession) == ["permissions": asked, "scope": "session"])
    #expect(reply.result(.decline) == ["permissions": [:], "scope": "turn"])
  }

  @Test(
    arguments: [
      nil, [:], ["network": ["enabled": false]], ["network": ["enabled": true, "hosts": ["x"]]],
      ["network": ["enabled": true], "kernel": ["enabled": true]], ["fileSystem": ["write": "x"]],
      ["fileSystem": ["write": [5]]], ["fileSystem": ["execute": ["/a"]]], ["fileSystem": ["entries": [[:]]]],
      ["fileSystem": ["entries": [["path": ["type": "new"], "access": "read"]]]],
      ["fileSystem": ["entries": [["path": ["type": "path", "path": "/a"], "access": "execute"]]]],
      [
        "fileSystem": [
          "entries": [["path": ["type": "special", "value": ["kind": "unknown"]], "access": "read"]]
        ]
      ],
    ] as [JSONValue?])
  func rightsThatCannotBeShownWholeAreDeclined(_ asked: JSONValue?) {
    #expect(isDeclined(Self.permissions, ["cwd": "/w", "permissions": asked ?? .null]))
  }

  // MARK: MCP servers and questions

  private static let elicitation = "mcpServer/elicitation/request"

  private func call(
    meta: JSONValue = ["codex_approval_kind": "mcp_tool_call", "persist": ["session"]], mode: JSONValue = "form",
    properties: JSONValue = [:], message: String = "Allow it?"
  ) -> JSONValue {
    [
      "serverName": "notes", "message": .string(message), "mode": mode, "_meta": meta,
      "requestedSchema": ["type": "object", "properties": properties],
    ]
  }

  @Test func anMCPToolIsShownWithItsArguments() throws {
    let meta: JSONValue = [
      "codex_approval_kind": "mcp_tool_call", "persist": ["session", "always"],
      "tool_params": ["text": "hi \u{202E}\nthere", "n": [1, 2]],
    ]
    let question = try question(Self.elicitation, call(meta: meta))
    #expect(question.action.kind == "mcp_tool")
    #expect(
      question.lines() == [
        "Codex asks to use a tool of the MCP server “notes”:", "    Allow it?",
        "    text = \"hi \\u{202E}\\nthere\"", "    n = [1,2]",
      ])
  }

  @Test func aYesToAnMCPServerHasItsOwnForm() {
    guard case .ask(_, let reply) = answer(Self.elicitation, call()),
      case .ask(let question, let once) = answer(Self.elicitation, call(meta: nil))
    else {
      Issue.record("not asked")
      return
    }
    #expect(reply.result(.accept) == ["action": "accept", "content": [:]])
    #expect(
      reply.result(.acceptForSession) == ["action": "accept", "content": [:], "_meta": ["persist": "session"]])
    #expect(reply.result(.decline) == ["action": "decline"])
    #expect(question.action.kind == "mcp_question" && once == .elicitation)
  }

  @Test(
    arguments: [
      (["session", "always"], true), ("session", true), (["always"], false), ("always", false), (.null, false),
    ] as [(JSONValue, Bool)])
  func aToolIsRememberedIfTheServerOffersIt(_ persist: JSONValue, _ isOffered: Bool) throws {
    let meta: JSONValue = ["codex_approval_kind": "mcp_tool_call", "persist": persist]
    #expect(try (question(Self.elicitation, call(meta: meta)).sessionScope != nil) == isOffered)
  }

  @Test func whatAnMCPServerCannotBeAnsweredIsDeclined() {
    let refused = [
      call(properties: ["name": ["type": "string"]]), call(mode: "url"), call(mode: "openai/userVerification"),
      call(mode: nil), call(meta: ["codex_approval_kind": "new"]),
      call(message: String(repeating: "x", count: 17_000)),
      call(
        meta: [
          "codex_approval_kind": "mcp_tool_call", "tool_params": .string(String(repeating: "x", count: 17_000)),
        ]), [:], ["serverName": "notes"], ["message": "m"],
    ]
    for params in refused { #expect(isDeclined(Self.elicitation, params), "\(params.jsonText.prefix(200))") }
  }

  @Test func aQuestionForTheUserIsDeclinedWithANote() {
    let params: JSONValue = ["questions": [["id": "q", "question": "Which\none?"]]]
    guard case .decline(let note, let reply) = answer("item/tool/requestUserInput", params) else {
      Issue.record("not declined")
      return
    }
    #expect(note.what.hasSuffix("Which\\none?"))
    #expect(reply.result(.decline) == ["answers": [:]])
  }

  // MARK: The rest

  /// Nothing that is not understood may be granted.
  @Test(arguments: [
    "item/tool/call", "execCommandApproval", "applyPatchApproval", "account/chatgptAuthTokens/refresh", "new", "",
  ])
  func grantsNothing(_ method: String) { #expect(answer(method, [:]) == .unsupported) }

  /// No text of Codex, the model or a tool can look like another line, or turn the order of its letters.
  @Test func nothingForgesALine() throws {
    let hostile = "/a\nin /safe\u{202E}\u{200B}\u{1B}[2K\u{9B}\u{2028}b"
    let shown = #"/a\nin /safe\u{202E}\u{200B}\u{1B}[2K\u{009B}\u{2028}b"#
    let change: JSONValue = [
      "path": .string(hostile), "kind": ["type": "update", "move_path": .string(hostile)],
      "diff": .string(hostile),
    ]
    let files = try question(
      Self.file, ["grantRoot": .string(hostile), "reason": .string(hostile)], item: ["changes": [change]])
    #expect(files.lines().contains("    update \(shown), moved to \(shown)"))
    #expect(files.lines().contains("Reason: \(shown)"))
    let command = try question(Self.command, ["command": .string(hostile), "cwd": .string(hostile)])
    #expect(command.lines().last == "in \(shown)")
    // The lines of a script are lines, each behind a margin that nothing else has.
    #expect(command.lines().dropFirst().prefix(2).allSatisfy { $0.hasPrefix("    ") })
    for line in files.lines(maxDiffLines: 9) + command.lines() { #expect(line == line.printable) }
  }
}
