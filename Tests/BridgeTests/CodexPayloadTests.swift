// Our values in the app-server's JSON.

import Testing

@testable import Bridge

struct CodexPayloadTests {
  private func profile(
    sandbox: SandboxMode = .readOnly, network: Bool = false, search: Bool = false
  ) -> TurnProfile {
    TurnProfile(
      workingDirectory: "/work", sandbox: sandbox, networkAccess: network, webSearch: search, approvals: .never)
  }

  private func request(_ thread: TurnRequest.Thread = .ephemeral) -> TurnRequest {
    var request = TurnRequest(thread: thread)
    request.instructions = "Be brief."
    request.input = [.text("hi"), .image("data:image/png;base64,AA==")]
    request.model = "gpt-test"
    request.effort = "high"
    request.outputSchema = ["type": "object"]
    return request
  }

  @Test func startsAThread() {
    #expect(
      CodexPayload.threadStart(request(), profile()) == [
        "cwd": "/work", "sandbox": "read-only", "approvalPolicy": "never", "model": "gpt-test",
        "config": ["web_search": "disabled"], "ephemeral": true, "developerInstructions": "Be brief.",
      ])
    #expect(CodexPayload.threadStart(request(.persistent), profile())["ephemeral"] == false)
  }

  @Test func leavesOutWhatIsNotChosen() {
    let params = CodexPayload.threadStart(TurnRequest(thread: .ephemeral), profile())
    #expect(params["model"] == nil)
    #expect(params["developerInstructions"] == nil)
    let turn = CodexPayload.turnStart(TurnRequest(thread: .ephemeral), on: ThreadID("t"), summary: .auto)
    #expect(turn["effort"] == nil)
    #expect(turn["outputSchema"] == nil)
    #expect(turn["input"] == [])
  }

  /// Sandbox and configuration are not kept with a thread and must be said again.
  @Test func resumesAThread() {
    #expect(
      CodexPayload.threadResume(ThreadID("t"), request: request(), profile: profile(search: true)) == [
        "cwd": "/work", "sandbox": "read-only", "approvalPolicy": "never", "model": "gpt-test",
        "config": ["web_search": "live"], "threadId": "t", "excludeTurns": true,
        "developerInstructions": "Be brief.",
      ])
    #expect(
      CodexPayload.threadResume(ThreadID("t"), request: TurnRequest(thread: .ephemeral), profile: profile())[
        "developerInstructions"]
        == nil)
  }

  private var chat: TurnProfile { profile(sandbox: .workspaceWrite, network: true, search: true).plainChat }

  /// The system prompt takes the place of Codex's own, and nothing else of Codex's is left.
  @Test func startsAChat() {
    let params = CodexPayload.threadStart(request(.persistent), chat)
    #expect(params["baseInstructions"] == "Be brief.")
    #expect(params["developerInstructions"] == nil)
    #expect(params["environments"] == [])
    #expect(params["sandbox"] == "read-only" && params["approvalPolicy"] == "never")
    let config = params["config"]
    #expect(config?["web_search"] == "disabled")
    #expect(config?["project_doc_max_bytes"] == 0)
    #expect(config?["features"]?["shell_tool"] == false)
    #expect(config?["sandbox_workspace_write.network_access"] == nil)
    let silent = CodexPayload.threadStart(TurnRequest(thread: .ephemeral), chat)
    #expect(silent["baseInstructions"] == "")
  }

  /// The prompt that its thread was made with comes back by itself, where no other is told.
  @Test func resumesAChat() {
    let params = CodexPayload.threadResume(ThreadID("t"), request: request(), profile: chat)
    #expect(params["baseInstructions"] == "Be brief.")
    #expect(params["environments"] == nil)
    #expect(params["config"]?["project_doc_max_bytes"] == 0)
    let silent = CodexPayload.threadResume(ThreadID("t"), request: TurnRequest(thread: .ephemeral), profile: chat)
    #expect(silent["baseInstructions"] == nil)
  }

  @Test func everyTurnOfAChatHasNoEnvironment() {
    for (kind, environments) in [(ProfileKind.chat, [] as JSONValue?), (.agent, nil)] {
      let params = CodexPayload.turnStart(request(), on: ThreadID("t"), summary: .auto, kind: kind)
      #expect(params["environments"] == environments)
    }
  }

  @Test(arguments: [false, true])
  func opensTheNetworkOnlyInAWritableWorkspace(_ network: Bool) {
    let key = "sandbox_workspace_write.network_access"
    let config = CodexPayload.threadStart(request(), profile(sandbox: .workspaceWrite, network: network))["config"]
    #expect(config?[key] == .bool(network))
    #expect(CodexPayload.threadStart(request(), profile(network: network))["config"]?[key] == nil)
  }

  @Test(
    arguments: [
      (.never, .readOnly, "never", "read-only"), (.onRequest, .workspaceWrite, "on-request", "workspace-write"),
      (.untrusted, .dangerFullAccess, "untrusted", "danger-full-access"),
    ] as [(ApprovalPolicy, SandboxMode, String, String)])
  func saysRightsInCodexsWords(_ policy: ApprovalPolicy, _ sandbox: SandboxMode, _ asks: String, _ opens: String) {
    let profile = TurnProfile(workingDirectory: "/else", sandbox: sandbox, approvals: policy)
    for params in [
      CodexPayload.threadStart(request(), profile),
      CodexPayload.threadResume(ThreadID("t"), request: request(), profile: profile),
    ] {
      #expect(params["cwd"] == "/else")
      #expect(params["approvalPolicy"] == .string(asks))
      #expect(params["sandbox"] == .string(opens))
    }
  }

  @Test func limitsTheOutputOfToolsOnlyWhereThatIsAsked() {
    var profile = profile()
    #expect(CodexPayload.threadStart(request(), profile)["config"]?["tool_output_token_limit"] == nil)
    profile.toolOutputTokens = 5000
    #expect(CodexPayload.threadStart(request(), profile)["config"]?["tool_output_token_limit"] == 5000)
  }

  @Test func startsATurn() {
    #expect(
      CodexPayload.turnStart(request(), on: ThreadID("t"), summary: .detailed) == [
        "threadId": "t",
        "input": [
          ["type": "text", "text": "hi"], ["type": "image", "url": "data:image/png;base64,AA=="],
        ],
        "effort": "high", "summary": "detailed", "outputSchema": ["type": "object"],
      ])
  }

  @Test(
    arguments: [
      (
        .message(.user, [.text("a"), .image("data:image/png;base64,AA==")]),
        [
          "type": "message", "role": "user",
          "content": [
            ["type": "input_text", "text": "a"],
            ["type": "input_image", "image_url": "data:image/png;base64,AA=="],
          ],
        ]
      ),
      (
        .message(.assistant, [.text("a")]),
        [
          "type": "message", "role": "assistant", "content": [["type": "output_text", "text": "a"]],
        ]
      ),
      (
        .message(.developer, [.text("a")]),
        [
          "type": "message", "role": "developer", "content": [["type": "input_text", "text": "a"]],
        ]
      ),
      (
        .toolCall(Conversation.ToolCall(id: "c", name: "f", arguments: "{}")),
        [
          "type": "function_call", "name": "f", "arguments": "{}", "call_id": "c",
        ]
      ),
      (
        .toolOutput(Conversation.ToolOutput(callID: "c", parts: [.text("o")])),
        ["type": "function_call_output", "call_id": "c", "output": "o"]
      ),
    ] as [(Conversation.Item, JSONValue)])
  func injectsHistoryAsResponseItems(_ item: Conversation.Item, _ json: JSONValue) {
    #expect(CodexPayload.item(item) == json)
  }

  @Test func readsReplies() throws {
    #expect(try CodexPayload.result(of: .result(["a": 1])) == ["a": 1])
    let cases: [(RPCReply, EngineError)] = [
      (.failure(RPCFailure(code: -32001, message: "m", data: nil)), .overloaded),
      (.failure(RPCFailure(code: -32600, message: "m", data: nil)), .rejected("m")),
      (.timedOut, .unresponsive), (.disconnected, .crashed),
    ]
    for (reply, error) in cases {
      #expect(throws: error) { try CodexPayload.result(of: reply) }
    }
  }

  @Test func readsTheHistoryOfAThread() {
    let result: JSONValue = [
      "thread": [
        "turns": [
          [
            "items": [
              [
                "type": "userMessage",
                "content": [["type": "text", "text": "hi"], ["type": "image", "url": "data:x"]],
              ],
              ["type": "reasoning", "summary": ["no"]], ["type": "agentMessage", "text": "hello"],
            ]
          ],
          [
            "items": [
              ["type": "userMessage", "content": []], ["type": "agentMessage", "text": ""], ["type": "new"],
            ]
          ],
          [:],
        ]
      ]
    ]
    #expect(
      CodexPayload.history(result) == [
        .message(.user, [.text("hi"), .image("data:x")]), .message(.assistant, [.text("hello")]),
      ])
    #expect(CodexPayload.history(nil) == [])
  }

  @Test(arguments: [
    ("no rollout found for thread id 1", true), ("thread not found: 1", true), ("invalid thread id: x", true),
    ("session 1 is archived", true), ("model not supported", false), ("", false),
  ])
  func knowsWhatMeansALostThread(_ message: String, _ isLost: Bool) {
    #expect(CodexPayload.meansUnknownThread(message) == isLost)
  }
}
