// One line of the app-server to a message. The kind that comes once per token is read without building values.

/// A message from the app-server (JSON-RPC without the `jsonrpc` member, one object per line).
enum RPCMessage: Sendable, Equatable {
  /// `item/agentMessage/delta`.
  case answerDelta(AnswerDelta)
  case notification(method: String, params: JSONValue)
  case request(id: JSONValue, method: String, params: JSONValue)
  case response(id: Int, RPCReply)

  /// The thread the message is about.
  var threadID: String? {
    switch self {
    case .answerDelta(let delta): delta.threadID
    case .notification(_, let params), .request(_, _, let params): params["threadId"]?.stringValue
    case .response: nil
    }
  }

  struct AnswerDelta: Sendable, Equatable {
    var threadID = ""
    var turnID = ""
    var itemID = ""
    var delta = EscapedText(raw: "")
  }

  /// Members come in any order. A message is a request with `method` and `id`, a notification with `method` only,
  /// a response without `method`.
  static func parse(_ line: Span<UInt8>) throws(JSONError) -> RPCMessage {
    if let delta = try AnswerDeltaScanner.scan(line) { return .answerDelta(delta) }
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

/// Finds the four strings of an answer delta in place.
private enum AnswerDeltaScanner {
  private static let method = Array(Notification.answerDelta.utf8)

  /// Nil when the line is another message.
  static func scan(_ line: Span<UInt8>) throws(JSONError) -> RPCMessage.AnswerDelta? {
    var scanner = JSONScanner()
    var params: Int?
    var isDelta = false
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return nil }
    repeat {
      let key = try scanner.string(line).range
      try scanner.expect(0x3A, line)
      if equals(line, key, "method") {
        guard try scanner.peek(line) == 0x22 else { return nil }
        guard equals(line, try scanner.string(line).range, method) else { return nil }
        isDelta = true
      } else {
        if equals(line, key, "params") {
          _ = try scanner.peek(line)
          params = scanner.offset
        }
        try scanner.skipValue(line)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    scanner.skipWhitespace(line)
    guard isDelta, let params, scanner.offset == line.count else { return nil }
    return try fields(line, at: params)
  }

  private static func fields(_ line: Span<UInt8>, at start: Int) throws(JSONError) -> RPCMessage.AnswerDelta? {
    var scanner = JSONScanner(at: start)
    var result = RPCMessage.AnswerDelta()
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return nil }
    var found = 0
    repeat {
      let key = try scanner.string(line).range
      try scanner.expect(0x3A, line)
      guard try scanner.peek(line) == 0x22 else {
        try scanner.skipValue(line)
        continue
      }
      let (value, hasEscapes) = try scanner.string(line)
      guard let text = text(line, value) else { return nil }
      switch key.count {
      case 8 where equals(line, key, "threadId"): result.threadID = text
      case 6 where equals(line, key, "turnId"): result.turnID = text
      case 6 where equals(line, key, "itemId"): result.itemID = text
      case 5 where equals(line, key, "delta"):
        // What goes on still escaped must be sound: nobody looks at it again before the client.
        if hasEscapes { _ = try JSONUnescaper.unescape(line.extracting(value), at: value.lowerBound) }
        result.delta = EscapedText(raw: text)
      default: continue
      }
      found += 1
    } while try scanner.take(0x2C, line)
    // A member that occurs twice, or is missing, is a matter for the general parser.
    return found == 4 ? result : nil
  }

  /// Nil when the bytes are not UTF-8.
  private static func text(_ line: Span<UInt8>, _ range: Range<Int>) -> String? {
    line.extracting(range).withUnsafeBufferPointer { String(validating: $0, as: UTF8.self) }
  }

  private static func equals(_ line: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    for index in 0..<range.count where line[range.lowerBound + index] != text.utf8Start[index] { return false }
    return true
  }

  private static func equals(_ line: Span<UInt8>, _ range: Range<Int>, _ text: [UInt8]) -> Bool {
    guard range.count == text.count else { return false }
    for index in 0..<range.count where line[range.lowerBound + index] != text[index] { return false }
    return true
  }
}
