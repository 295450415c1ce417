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
    if let delta = AnswerDeltaScanner.scan(line) { return .answerDelta(delta) }
    let message = try JSONValue(parsing: line)
    if let method = message["method"]?.stringValue {
      let params = message["params"] ?? .null
      if let id = message["id"], !id.isNull { return .request(id: id, method: method, params: params) }
      if method == Notification.answerDelta, let delta = AnswerDelta(params) { return .answerDelta(delta) }
      return .notification(method: method, params: params)
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

extension RPCMessage.AnswerDelta {
  /// Nil unless all four strings are there.
  init?(_ params: JSONValue) {
    guard let thread = params["threadId"]?.stringValue, let turn = params["turnId"]?.stringValue,
      let item = params["itemId"]?.stringValue, let delta = params["delta"]?.stringValue
    else { return nil }
    self.init(threadID: thread, turnID: turn, itemID: item, delta: EscapedText(delta))
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
///
/// It knows the line as Codex writes it. What is odd in any way, escapes in names and ids included, is a matter for the
/// general parser, which also says what is wrong. Members that nobody reads are stepped over unopened.
private enum AnswerDeltaScanner {
  private static let method = Array(Notification.answerDelta.utf8)

  /// Nil when the line is another message, or none.
  static func scan(_ line: Span<UInt8>) -> RPCMessage.AnswerDelta? {
    (try? message(line)) ?? nil
  }

  private static func message(_ line: Span<UInt8>) throws(JSONError) -> RPCMessage.AnswerDelta? {
    var scanner = JSONScanner()
    var params: Int?
    var isDelta = false
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return nil }
    repeat {
      let (key, hasEscapes) = try scanner.string(line)
      try scanner.expect(0x3A, line)
      if hasEscapes || equals(line, key, "id") { return nil }
      if equals(line, key, "method") {
        guard !isDelta, try scanner.peek(line) == 0x22 else { return nil }
        guard equals(line, try scanner.string(line).range, method) else { return nil }
        isDelta = true
      } else {
        if equals(line, key, "params") {
          guard params == nil, try scanner.peek(line) == 0x7B else { return nil }
          params = scanner.offset
        }
        try scanner.skipValue(line, depth: 1)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    scanner.skipWhitespace(line)
    guard isDelta, let params, scanner.offset == line.count else { return nil }
    return try fields(line, at: params)
  }

  private static func fields(_ line: Span<UInt8>, at start: Int) throws(JSONError) -> RPCMessage.AnswerDelta? {
    var scanner = JSONScanner(at: start)
    var thread: String?
    var turn: String?
    var item: String?
    var delta: String?
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return nil }
    repeat {
      let (key, isEscapedKey) = try scanner.string(line)
      try scanner.expect(0x3A, line)
      if isEscapedKey { return nil }
      guard try scanner.peek(line) == 0x22 else {
        try scanner.skipValue(line, depth: 2)
        continue
      }
      let (value, hasEscapes) = try scanner.string(line)
      switch key.count {
      case 8 where equals(line, key, "threadId"):
        guard thread == nil, !hasEscapes else { return nil }
        thread = text(line, value)
      case 6 where equals(line, key, "turnId"):
        guard turn == nil, !hasEscapes else { return nil }
        turn = text(line, value)
      case 6 where equals(line, key, "itemId"):
        guard item == nil, !hasEscapes else { return nil }
        item = text(line, value)
      case 5 where equals(line, key, "delta"):
        guard delta == nil else { return nil }
        // What goes on still escaped must be sound: nobody looks at it again before the client.
        if hasEscapes { _ = try JSONUnescaper.unescape(line.extracting(value), at: value.lowerBound) }
        delta = text(line, value)
      default: continue
      }
    } while try scanner.take(0x2C, line)
    guard let thread, let turn, let item, let delta else { return nil }
    return RPCMessage.AnswerDelta(threadID: thread, turnID: turn, itemID: item, delta: EscapedText(raw: delta))
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
