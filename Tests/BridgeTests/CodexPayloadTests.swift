// Our values in the app-server's JSON.

import Testing

@testable import Bridge

struct CodexPayloadTests {
  private func options(
    sandbox: SandboxMode = .readOnly, network: Bool = false, search: Bool = false,
    summary: ReasoningSummary = .auto
  ) -> CodexEngine.Options {
    CodexEngine.Options(
      workingDirectory: "/work", sandboxMode: sandbox, approvalPolicy: .never, networkAccess: network,
      webSearch: search,
      reasoningSummary: summary, turnTimeout: .seconds(1), turnIdleTimeout: .seconds(1),
      modelsTTL: .seconds(1))
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
      CodexPayload.threadStart(request(), options()) == [
        "cwd": "/work", "sandbox": "read-only", "approvalPolicy": "never", "model": "gpt-test",
        "config": ["web_search": "disabled"], "ephemeral": true, "developerInstructions": "Be brief.",
      ])
    #expect(CodexPayload.threadStart(request(.persistent), options())["ephemeral"] == false)
  }

  @Test func leavesOutWhatIsNotChosen() {
    let params = CodexPayload.threadStart(TurnRequest(thread: .ephemeral), options())
    #expect(params["model"] == nil)
    #expect(params["developerInstructions"] == nil)
    let turn = CodexPayload.turnStart(TurnRequest(thread: .ephemeral), ThreadID("t"), options())
    #expect(turn["effort"] == nil)
    #expect(turn["outputSchema"] == nil)
    #expect(turn["input"] == [])
  }

  /// Sandbox and configuration are not kept with a thread and must be said again.
  @Test func resumesAThread() {
    #expect(
      CodexPayload.threadResume(ThreadID("t"), request(), options(search: true)) == [
        "cwd": "/work", "sandbox": "read-only", "approvalPolicy": "never", "model": "gpt-test",
        "config": ["web_search": "live"], "threadId": "t", "excludeTurns": true,
        "developerInstructions": "Be brief.",
      ])
    #expect(
      CodexPayload.threadResume(ThreadID("t"), TurnRequest(thread: .ephemeral), options())["developerInstructions"]
        == nil)
  }

  @Test(arguments: [false, true])
  func opensTheNetworkOnlyInAWritableWorkspace(_ network: Bool) {
    let key = "sandbox_workspace_write.network_access"
    let config = CodexPayload.threadStart(request(), options(sandbox: .workspaceWrite, network: network))["config"]
    #expect(config?[key] == .bool(network))
    #expect(CodexPayload.threadStart(request(), options(network: network))["config"]?[key] == nil)
  }

  @Test func startsATurn() {
    #expect(
      CodexPayload.turnStart(request(), ThreadID("t"), options(summary: .detailed)) == [
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
        .functionCall(name: "f", arguments: "{}", callID: "c"),
        [
          "type": "function_call", "name": "f", "arguments": "{}", "call_id": "c",
        ]
      ),
      (
        .functionOutput(callID: "c", output: "o"), ["type": "function_call_output", "call_id": "c", "output": "o"]
      ),
    ] as [(TurnRequest.HistoryItem, JSONValue)])
  func injectsHistoryAsResponseItems(_ item: TurnRequest.HistoryItem, _ json: JSONValue) {
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
