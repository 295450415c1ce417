// Parses a line of the app-server into a message. `AnswerDelta` and `UserMessageEcho` read two kinds of lines faster.

/// A message from the app-server (JSON-RPC without the `jsonrpc` member, one object per line).
enum RPCMessage: Sendable, Equatable {
  /// An `item/agentMessage/delta` in Codex's usual form. In any other form it is a `notification`.
  case answerDelta(AnswerDelta)
  case notification(method: String, params: JSONValue)
  case request(id: JSONValue, method: String, params: JSONValue)
  case response(id: Int, RPCReply)

  /// Members come in any order. A message is a request with `method` and `id`, a notification with `method` only,
  /// a response without `method`.
  static func parse(_ line: Span<UInt8>) throws(JSONError) -> RPCMessage {
    if let delta = AnswerDelta(scanning: line) { return .answerDelta(delta) }
    if let echo = UserMessageEcho.scan(line) { return .notification(method: echo.method, params: echo.params) }
    let message = try JSONValue(parsing: line)
    if let method = message["method"]?.stringValue {
      let params = message["params"] ?? .null
      guard let id = message["id"], !id.isNull else { return .notification(method: method, params: params) }
      return .request(id: id, method: method, params: params)
    }
    guard let id = message["id"]?.intValue else {
      throw JSONError(reason: "a message with neither method nor known id", offset: 0)
    }
    if let error = message["error"], !error.isNull {
      let failure = RPCFailure(
        code: error["code"]?.intValue ?? 0,
        message: error["message"]?.stringValue ?? "unknown error",
        data: error["data"] ?? .null
      )
      return .response(id: id, .failure(failure))
    }
    return .response(id: id, .result(message["result"] ?? .null))
  }
}

/// What became of a call.
enum RPCReply: Sendable, Equatable {
  case result(JSONValue)
  case failure(RPCFailure)
  /// The call was sent, and no answer came in time.
  case timedOut
  /// The process ended before it answered.
  case disconnected
}

/// The error object of an answer.
struct RPCFailure: Error, Sendable, Equatable {
  /// Codex's code for "overloaded": the call was not made and may be repeated.
  static let overloadedCode = -32001
  /// The failure of a call that was not sent because too many wait.
  static let tooManyCalls = RPCFailure(code: overloadedCode, message: "too many calls", data: .null)

  let code: Int
  let message: String
  let data: JSONValue
}
