// Answers to what the app-server asks.

import Testing

@testable import Bridge

struct ServerRequestPolicyTests {
  @Test(
    arguments: [
      (["command": "rm -rf /"], "rm -rf /"), ([:], "a command"), (nil, "a command"),
      (["command": ["rm"]], "a command"),
    ] as [(JSONValue, String)])
  func asksAboutCommands(_ params: JSONValue, _ subject: String) {
    let answer = ServerRequestPolicy.answer(method: "item/commandExecution/requestApproval", params: params)
    #expect(answer == .ask(.command, subject: subject))
  }

  @Test(
    arguments: [(["grantRoot": "/work"], "/work"), ([:], "files"), (["grantRoot": 5], "files")]
      as [(JSONValue, String)])
  func asksAboutFileChanges(_ params: JSONValue, _ subject: String) {
    let answer = ServerRequestPolicy.answer(method: "item/fileChange/requestApproval", params: params)
    #expect(answer == .ask(.fileChange, subject: subject))
  }

  /// Nothing that is not understood may be granted.
  @Test(arguments: [
    "item/tool/call", "item/tool/requestUserInput", "execCommandApproval", "applyPatchApproval",
    "account/chatgptAuthTokens/refresh", "mcpServer/elicitation/request", "item/permissions/requestApproval",
    "new", "",
  ])
  func grantsNothing(_ method: String) {
    #expect(ServerRequestPolicy.answer(method: method, params: [:]) == .unsupported)
  }
}
