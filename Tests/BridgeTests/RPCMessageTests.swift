// Lines of the app-server to messages; the quick reading of deltas must agree with the slow one.

import Testing

@testable import Bridge

struct RPCMessageTests {
  private func parse(_ line: String) throws -> RPCMessage {
    let bytes = Array(line.utf8)
    return try RPCMessage.parse(bytes.span)
  }

  /// The strings of a delta, its ids read from where they lie.
  private struct Delta: Equatable {
    var threadID = "t"
    var turnID = "u"
    var itemID = "i"
    var text = "a\"b\né"
  }

  private func delta(_ line: String) throws -> Delta? {
    guard case .answerDelta(let delta) = try parse(line) else { return nil }
    let bytes = Array(line.utf8)
    let id = { (range: Range<Int>) in String(decoding: bytes[range], as: UTF8.self) }
    return Delta(
      threadID: id(delta.threadID), turnID: id(delta.turnID), itemID: id(delta.itemID),
      text: EscapedText(raw: id(delta.text)).text)
  }

  private static let params = #""params":{"threadId":"t","turnId":"u","itemId":"i","delta":"a\"b\né"}"#
  private static let method = #""method":"item/agentMessage/delta""#

  @Test(arguments: [
    "{\(method),\(params)}", "{\(params),\(method)}", " { \(params) , \(method) } ",
    #"{"emittedAtMs":1,\#(method),"x":{"method":"y","params":[]},\#(params)}"#,
    #"{\#(params),"jsonrpc":"2.0",\#(method)}"#,
    #"{\#(method),"params":{"delta":"a\"b\né","extra":{"delta":"no","threadId":[1]},"itemId":"i","turnId":"u","threadId":"t"}}"#,
    #"{\#(method), "params" : { "threadId" : "t", "n":null, "turnId":"u","itemId":"i","delta":"a\"b\né" } }"#,
  ])
  func readsAnAnswerDelta(_ line: String) throws {
    #expect(try delta(line) == Delta())
  }

  /// What the general parser says about a delta line.
  private func slowDelta(_ line: String) throws -> Delta {
    let params = try #require(try JSONValue(parsing: line)["params"])
    return Delta(
      threadID: params["threadId"]?.stringValue ?? "", turnID: params["turnId"]?.stringValue ?? "",
      itemID: params["itemId"]?.stringValue ?? "", text: params["delta"]?.stringValue ?? "")
  }

  @Test func readsDeltasAsTheGeneralParserDoes() throws {
    var random = SeededGenerator(8)
    let pieces = [
      "a", "\\\"", "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00", "é", "😀", "}", "]", ",", ":", " ", "\\/", "{",
    ]
    for _ in 0..<1000 {
      let text = (0..<Int.random(in: 0..<30, using: &random)).compactMap { _ in
        pieces.randomElement(using: &random)
      }
      .joined()
      var members = [
        #""threadId":"thread-1""#, #""turnId":"turn-1""#, #""itemId":"item-1""#, "\"delta\":\"\(text)\"",
        #""other":{"a":[1,"}"]}"#,
      ]
      members.shuffle(using: &random)
      var outer = [Self.method, "\"params\":{\(members.joined(separator: ","))}", #""emittedAtMs":12"#]
      outer.shuffle(using: &random)
      let line = "{\(outer.joined(separator: ","))}"
      #expect(try delta(line) == slowDelta(line), "\(line)")
    }
  }

  /// Codex writes none of these, and they mean what they say all the same.
  @Test(arguments: [
    #"{\#(method),"params":{"threadId":"\u0074","turnId":"u","itemId":"i","delta":"a\"b\né"}}"#,
    #"{\#(method),"params":{"threadId":"t","turnId":"u","item\u0049d":"i","delta":"a\"b\né"}}"#,
    #"{"\u006dethod":"item/agentMessage/delta",\#(params)}"#, #"{"id":null,\#(method),\#(params)}"#,
  ])
  func readsADeltaThatIsWrittenOddly(_ line: String) throws {
    guard case .notification("item/agentMessage/delta", let params) = try parse(line) else {
      Issue.record("no notification")
      return
    }
    #expect(params == ["threadId": "t", "turnId": "u", "itemId": "i", "delta": "a\"b\né"])
    var mapper = TurnEventMapper(baseline: nil)
    let events = mapper.map("item/agentMessage/delta", params)
    #expect(events == [.itemBegan(.message(nil)), .answer(EscapedText("a\"b\né"))])
  }

  @Test(arguments: ["[]", "5", "null", "\"x\"", #"{"delta":"a"}"#, #"{"threadId":5,"turnId":"u","itemId":"i"}"#])
  func takesADeltaWithoutItsFieldsForANotification(_ params: String) throws {
    let line = "{\(Self.method),\"params\":\(params)}"
    #expect(
      try parse(line) == .notification(method: "item/agentMessage/delta", params: try JSONValue(parsing: params)))
  }

  @Test func takesADeltaWithAnIDForARequest() throws {
    guard case .request(7, "item/agentMessage/delta", _) = try parse(#"{"id":7,\#(Self.method),\#(Self.params)}"#)
    else {
      Issue.record("no request")
      return
    }
  }

  /// Which of the two is meant nobody can say; depth counts from the line, wherever a value stands.
  @Test(arguments: [
    #"{\#(method),"params":{"delta":"a","threadId":"t","turnId":"u","delta":"b"}}"#,
    #"{\#(method),\#(params),\#(params)}"#, #"{\#(method),\#(method),\#(params)}"#,
    "{\(method),\(params),\"x\":\(nested(101))}",
    #"{\#(method),"params":{"threadId":"t","turnId":"u","itemId":"i","delta":"a","x":\#(nested(100))}}"#,
  ])
  func refusesADeltaThatTheGeneralParserRefuses(_ line: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: line) }
    #expect(throws: JSONError.self) { try parse(line) }
  }

  private static func nested(_ levels: Int) -> String {
    String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
  }

  /// The text of a delta goes to clients unopened, so a broken one would break their stream.
  @Test(arguments: [
    #"{\#(method),\#(params)"#, #"{\#(method),\#(params)}}"#, #"{\#(method),\#(params)} x"#,
    #"{\#(method),\#(params)]"#,
    #"{\#(method),"params":{"delta":"a}"#, #"{\#(method),"params":{"delta":"\x"}}"#,
    #"{\#(method),"params":{"delta":"\ud83d"}}"#, #"{\#(method),"params":{"delta":"\u12"}}"#,
    "{\(method),\"params\":{\"delta\":\"\\\r\"}}",
  ])
  func refusesABrokenDelta(_ line: String) {
    #expect(throws: JSONError.self) { try parse(line) }
  }

  @Test func readsNotifications() throws {
    #expect(
      try parse(#"{"params":{"a":1},"method":"turn/completed"}"#)
        == .notification(method: "turn/completed", params: ["a": 1]))
    #expect(try parse(#"{"method":"x"}"#) == .notification(method: "x", params: nil))
    #expect(try parse(#"{"method":"x","id":null,"params":{}}"#) == .notification(method: "x", params: [:]))
  }

  @Test(arguments: [#"{"id":7,"method":"m","params":{"a":1}}"#, #"{"params":{"a":1},"method":"m","id":7}"#])
  func readsRequestsInAnyOrder(_ line: String) throws {
    #expect(try parse(line) == .request(id: 7, method: "m", params: ["a": 1]))
  }

  @Test func keepsTheIDOfARequestAsItIs() throws {
    #expect(try parse(#"{"id":"x-1","method":"m"}"#) == .request(id: "x-1", method: "m", params: nil))
  }

  @Test func readsResponses() throws {
    #expect(try parse(#"{"result":{"a":1},"id":7}"#) == .response(id: 7, .result(["a": 1])))
    #expect(try parse(#"{"id":7}"#) == .response(id: 7, .result(nil)))
    #expect(try parse(#"{"id":7,"error":null,"result":1}"#) == .response(id: 7, .result(1)))
    #expect(
      try parse(#"{"error":{"code":-32001,"message":"m","data":[1]},"id":7}"#)
        == .response(id: 7, .failure(RPCFailure(code: -32001, message: "m", data: [1]))))
    #expect(
      try parse(#"{"id":7,"error":{}}"#)
        == .response(id: 7, .failure(RPCFailure(code: 0, message: "unknown error", data: nil))))
  }

  /// A method that only begins or ends like the one of deltas is another one.
  @Test(arguments: ["item/agentMessage/deltaX", "item/agentMessage/delt", "Item/agentMessage/delta", ""])
  func takesOtherMethodsForOthers(_ method: String) throws {
    #expect(
      try parse("{\"method\":\"\(method)\",\"params\":{\"delta\":\"a\"}}")
        == .notification(method: method, params: ["delta": "a"]))
  }

  @Test(arguments: [
    "", " ", "x", "[]", "1", "\"a\"", "null", "{}", "{\"id\":\"7\",\"result\":1}", "{\"id\":1.5}",
    "{\"method\":5}",
  ])
  func refusesWhatIsNoMessage(_ line: String) {
    #expect(throws: JSONError.self) { try parse(line) }
  }

  @Test func survivesCutLines() {
    let line = Array("{\(Self.method),\(Self.params)}".utf8)
    for end in line.indices {
      let cut = Array(line[..<end])
      #expect(throws: JSONError.self) { try RPCMessage.parse(cut.span) }
    }
  }
}
