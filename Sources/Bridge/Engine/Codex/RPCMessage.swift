// One line of the app-server to a message. The kind that comes once per token is `AnswerDelta`'s business.

/// A message from the app-server (JSON-RPC without the `jsonrpc` member, one object per line).
enum RPCMessage: Sendable, Equatable {
  /// `item/agentMessage/delta` in its usual form; written oddly, it comes as a notification like any other.
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

/// The answer to a call.
enum RPCReply: Sendable, Equatable {
  case result(JSONValue)
  case failure(RPCFailure)
  /// No answer came in time.
  case timedOut
  /// The process ended first.
  case disconnected
}

/// An error answer.
struct RPCFailure: Error, Sendable, Equatable {
  /// `-32001`: the server is overloaded and the call may be repeated.
  static let overloadedCode = -32001
  /// The bridge's own refusal of the same kind.
  static let tooManyCalls = RPCFailure(code: overloadedCode, message: "too many calls", data: .null)

  let code: Int
  let message: String
  let data: JSONValue
}
