// When a turn begins, Codex repeats the user's message, images included. The bridge does not need it, and parsing
// megabytes of it would hold up the loop, so a long line of this kind is read without its content.

/// A notification with an item `userMessage`, read only as far as needed to find its turn.
struct UserMessageEcho {
  let method: String
  /// The parameters. Of the item only the type is there.
  let params: JSONValue

  /// A shorter line is parsed like any other.
  private static let minBytes = 32 << 10

  /// Nil for any other line, and for one that is not well-formed.
  static func scan(_ line: Span<UInt8>) -> UserMessageEcho? {
    guard line.count > minBytes else { return nil }
    return try? read(line)
  }

  private static func read(_ line: Span<UInt8>) throws(JSONError) -> UserMessageEcho? {
    var scanner = JSONScanner()
    var method: String?
    var params: JSONObject?
    try scanner.expect(0x7B, line)
    repeat {
      switch try name(&scanner, line) {
      case "method": method = try text(&scanner, line)
      case "params":
        guard let found = try readParams(&scanner, line) else { return nil }
        params = found
      // A request or a response.
      case "id": return nil
      default: try scanner.skipValue(line)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    scanner.skipWhitespace(line)
    guard let method, [Notification.itemStarted, Notification.itemCompleted].contains(method), let params,
      scanner.offset == line.count
    else { return nil }
    return UserMessageEcho(method: method, params: .object(params))
  }

  /// Reads the parameters. Returns nil if their item is not a message of the user.
  private static func readParams(_ scanner: inout JSONScanner, _ line: Span<UInt8>) throws(JSONError)
    -> JSONObject?
  {
    var params = JSONObject()
    try scanner.expect(0x7B, line)
    repeat {
      switch try name(&scanner, line) {
      case "item":
        guard try isUserMessage(&scanner, line) else { return nil }
        params["item"] = ["type": "userMessage"]
      case let name where ["threadId", "turnId"].contains(name):
        params[name] = try text(&scanner, line).map { .string($0) }
      default: try scanner.skipValue(line)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    return params["item"] == nil ? nil : params
  }

  private static func isUserMessage(_ scanner: inout JSONScanner, _ line: Span<UInt8>) throws(JSONError) -> Bool {
    var isMessage = false
    try scanner.expect(0x7B, line)
    repeat {
      if try name(&scanner, line) == "type" {
        isMessage = try text(&scanner, line) == "userMessage"
        // An item of another type has to be parsed whole.
        guard isMessage else { return false }
      } else {
        try scanner.skipValue(line)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    return isMessage
  }

  /// Reads the name of a member and the colon behind it. Returns an empty text for a name longer than any that is needed.
  private static func name(_ scanner: inout JSONScanner, _ line: Span<UInt8>) throws(JSONError) -> String {
    let (range, _) = try scanner.string(line)
    try scanner.expect(0x3A, line)
    return range.count <= 16 ? line.extracting(range).text ?? "" : ""
  }

  /// Reads a value. Returns it if it is a short string without escapes, else nil.
  private static func text(_ scanner: inout JSONScanner, _ line: Span<UInt8>) throws(JSONError) -> String? {
    guard try scanner.peek(line) == 0x22 else {
      try scanner.skipValue(line)
      return nil
    }
    let (range, hasEscapes) = try scanner.string(line)
    return hasEscapes || range.count > 256 ? nil : line.extracting(range).text
  }
}
