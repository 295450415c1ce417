// What the engine repeats of a client's message: whose it is is known, the rest is not read.

import Testing

@testable import Bridge

struct UserMessageEchoTests {
  private static let long = String(repeating: "x", count: 100_000)

  private func parse(_ line: String) throws -> RPCMessage { try RPCMessage.parse(line.utf8.span) }

  @Test(arguments: ["item/started", "item/completed"])
  func aLongMessageOfTheUserIsNotRead(_ method: String) throws {
    let content = #"[{"type":"text","text":"\#(Self.long)\"threadId\":\"forged\""}]"#
    let expected = RPCMessage.notification(
      method: method, params: ["item": ["type": "userMessage"], "threadId": "t", "turnId": "u"])
    for line in [
      #"{"method":"\#(method)","params":{"item":{"type":"userMessage","id":"i","content":\#(content)},"threadId":"t","turnId":"u"}}"#,
      #"{"params":{"item":{"content":\#(content),"type":"userMessage"},"threadId":"t","turnId":"u","more":[1]},"method":"\#(method)"}"#,
    ] {
      let message = try parse(line)
      guard case .notification(let name, let params) = message else {
        Issue.record("\(message)")
        continue
      }
      #expect(name == method)
      #expect(params == expected.params)
    }
  }

  @Test func everythingElseIsReadWhole() throws {
    let item = #"{"type":"agentMessage","id":"i","text":"\#(Self.long)"}"#
    for line in [
      #"{"method":"item/started","params":{"item":\#(item),"threadId":"t"}}"#,
      #"{"method":"turn/completed","params":{"item":{"type":"userMessage","text":"\#(Self.long)"},"threadId":"t"}}"#,
      #"{"method":"item/started","params":{"threadId":"t","item":{"type":"userMessage","text":"short"}}}"#,
      #"{"id":1,"method":"item/started","params":{"item":{"type":"userMessage","text":"\#(Self.long)"}}}"#,
    ] {
      #expect(try parse(line).params == (try JSONValue(parsing: line))["params"])
    }
  }

  @Test func whatIsCutIsRefused() {
    let line = #"{"method":"item/started","params":{"item":{"type":"userMessage","text":"\#(Self.long)"}}"#
    #expect(throws: JSONError.self) { try parse(line) }
    #expect(throws: JSONError.self) { try parse(line + "}}") }
  }
}

extension RPCMessage {
  fileprivate var params: JSONValue? {
    switch self {
    case .notification(_, let params), .request(_, _, let params): params
    case .answerDelta, .response: nil
    }
  }
}
