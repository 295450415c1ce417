// The message that comes once per token. Its ids are found in place and not copied: whoever receives it knows them
// already and only compares.

/// `item/agentMessage/delta`, with its ids as ranges of the line it came in.
struct AnswerDelta: Sendable, Equatable {
  private static let absent = 0..<0

  private(set) var threadID = absent
  private(set) var turnID = absent
  private(set) var itemID = absent
  /// The text, still escaped, without its quotes: sound, so that it can go on like that.
  private(set) var text = absent
  /// Whether there is a backslash in it.
  private(set) var hasEscapes = false

  /// Nil when the line is another message, or none.
  ///
  /// It knows the line as Codex writes it. What is odd in any way, escapes in names and ids included, is a matter for
  /// the general parser, which also says what is wrong. Members that nobody reads are stepped over unopened.
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
        // Whose they are may not be known yet; mostly the method stands first, and one pass does.
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

  /// False unless each of the four strings is there once.
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
    // A value that is there never begins at the line's first byte, however short it is.
    return threadID != Self.absent && turnID != Self.absent && itemID != Self.absent && text != Self.absent
  }

  /// Whether a string that the scanner has found is UTF-8 with sound escapes, and is one line wherever it stands. Nobody
  /// looks at it again before the client. The general way takes what is not, and escapes it.
  static func isText(_ raw: Span<UInt8>, hasEscapes: Bool) throws(JSONError) -> Bool {
    if hasEscapes { _ = try JSONUnescaper.unescape(raw) }
    return raw.isUTF8 && UnicodeLineBreak.first(in: raw) == nil
  }
}
