// Reads the message that comes once per token. Its ids are not copied out of the line: the receiver only compares them with
// ids that it knows.

/// An `item/agentMessage/delta`, with its ids and its text as ranges of the line that it came in.
struct AnswerDelta: Sendable, Equatable {
  private static let absent = 0..<0

  private(set) var threadID = absent
  private(set) var turnID = absent
  private(set) var itemID = absent
  /// The text without its quotes, still escaped. It has been checked to be valid inside a JSON string, so that it can be
  /// sent to clients as it is.
  private(set) var text = absent
  /// Whether there is a backslash in the text.
  private(set) var hasEscapes = false

  /// Nil when the line is another message, or no message.
  ///
  /// This reads only lines in the form in which Codex writes them. Anything unusual, such as an escape in a name or an
  /// id, is left to the general parser, which also reports faults. The values of members that the bridge does not use are
  /// skipped.
  init?(scanning line: Span<UInt8>) {
    guard (try? readMessage(line)) == true else { return nil }
  }

  private mutating func readMessage(_ line: Span<UInt8>) throws(JSONError) -> Bool {
    var scanner = JSONScanner()
    var isDelta = false
    var isRead = false
    var params: Int?
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return false }
    repeat {
      let (name, hasEscapes) = try scanner.string(line)
      try scanner.expect(0x3A, line)
      let key = line.extracting(name)
      if hasEscapes || key.isEqual(to: "id") { return false }
      if key.isEqual(to: "method") {
        guard !isDelta, try scanner.peek(line) == 0x22 else { return false }
        let method = try scanner.string(line).range
        guard line.extracting(method).isEqual(to: Notification.answerDelta.utf8.span) else { return false }
        isDelta = true
      } else if key.isEqual(to: "params") {
        guard params == nil, try scanner.peek(line) == 0x7B else { return false }
        params = scanner.offset
        // The method mostly comes first. If it does not, whose params these are is not known yet, and they are read later.
        if isDelta {
          guard try readParams(&scanner, line) else { return false }
          isRead = true
        } else {
          try scanner.skipValue(line, depth: 1)
        }
      } else {
        try scanner.skipValue(line, depth: 1)
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    scanner.skipWhitespace(line)
    guard isDelta, let params, scanner.offset == line.count, line.isUTF8 else { return false }
    if isRead { return true }
    scanner = JSONScanner(at: params)
    return try readParams(&scanner, line)
  }

  /// Returns false unless each of the four strings is present exactly once.
  private mutating func readParams(_ scanner: inout JSONScanner, _ line: Span<UInt8>) throws(JSONError) -> Bool {
    try scanner.expect(0x7B, line)
    if try scanner.take(0x7D, line) { return false }
    repeat {
      let (name, isEscapedName) = try scanner.string(line)
      try scanner.expect(0x3A, line)
      if isEscapedName { return false }
      guard try scanner.peek(line) == 0x22 else {
        try scanner.skipValue(line, depth: 2)
        continue
      }
      let (value, hasEscapes) = try scanner.string(line)
      let key = line.extracting(name)
      if key.isEqual(to: "threadId") {
        guard threadID == Self.absent, !hasEscapes else { return false }
        threadID = value
      } else if key.isEqual(to: "turnId") {
        guard turnID == Self.absent, !hasEscapes else { return false }
        turnID = value
      } else if key.isEqual(to: "itemId") {
        guard itemID == Self.absent, !hasEscapes else { return false }
        itemID = value
      } else if key.isEqual(to: "delta") {
        guard text == Self.absent, try Self.isText(line.extracting(value), hasEscapes: hasEscapes) else {
          return false
        }
        text = value
        self.hasEscapes = hasEscapes
      }
    } while try scanner.take(0x2C, line)
    try scanner.expect(0x7D, line)
    // A value that is present never has the range 0..<0, because it stands behind the line's opening brace.
    return threadID != Self.absent && turnID != Self.absent && itemID != Self.absent && text != Self.absent
  }

  /// Whether a string that the scanner has found can go to clients unchanged: it is UTF-8, its escapes are valid, and it
  /// has no Unicode line break, which some clients would take for the end of a server-sent event's line. Any other string
  /// is left to the general parser, and escaped anew.
  static func isText(_ raw: Span<UInt8>, hasEscapes: Bool) throws(JSONError) -> Bool {
    if hasEscapes { _ = try JSONUnescaper.unescape(raw) }
    return raw.isUTF8 && UnicodeLineBreak.first(in: raw) == nil
  }
}
