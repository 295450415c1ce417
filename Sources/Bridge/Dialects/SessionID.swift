// Decides which values of a client can be the id of a conversation.

/// Ids of conversations as clients send them.
enum SessionID {
  private static let maxBytes = 256

  /// Returns the id if it can be used: it is not blank, has at most 256 bytes of UTF-8, and has no control character, which
  /// could break a header or a log line. Throws an error that names `field` otherwise.
  static func checked(_ id: String, field: String) throws(APIError) -> String {
    guard id.utf8.count <= maxBytes else {
      throw .invalid("'\(field)' is longer than \(maxBytes) bytes.", param: field)
    }
    guard !id.allSatisfy(\.isWhitespace) else {
      throw .invalid("'\(field)' is blank.", param: field)
    }
    // RFC 3986 §5.2.4: in a path these are steps, however they are escaped, so that no path could name such a session.
    guard id != ".", id != ".." else { throw .invalid("'\(field)' is a step of a path.", param: field) }
    guard id.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      throw .invalid("'\(field)' contains a control character.", param: field)
    }
    return id
  }

  /// The error for a field whose bytes are not UTF-8. If they were replaced instead, two ids could become the same.
  static func notUTF8(_ field: String) -> APIError { .invalid("'\(field)' is not UTF-8.", param: field) }

  /// Whether a value is a template that a client did not fill in, or a word for "no value". As an id it would be the same
  /// for all conversations.
  static func isUnfilled(_ value: String) -> Bool {
    guard value.utf8.count <= maxBytes else { return false }
    let value = value.trimmingSpaces()
    return absentValues.contains(value) || hasPlaceholder(value) || isPlaceholder(value)
  }

  /// What programming languages print for an absent value.
  private static let absentValues: Set<String> = [
    "undefined", "null", "NULL", "None", "nil", "NaN", "[object Object]", "(null)", "<null>", "<nil>",
    "<no value>",
  ]

  /// Whether there is a placeholder such as `{{NAME}}` or `${NAME}` in the value.
  private static func hasPlaceholder(_ value: String) -> Bool {
    for (begin, end) in [("{{", "}}"), ("${", "}"), ("{%", "%}"), ("#{", "}")] {
      if let start = value.firstRange(of: begin), value[start.upperBound...].contains(end) { return true }
    }
    return false
  }

  /// Whether the whole value is a name in braces, angle brackets or percent signs, or after a dollar sign.
  private static func isPlaceholder(_ value: String) -> Bool {
    for (begin, end) in [("{", "}"), ("<", ">"), ("%", "%"), ("$", "")] {
      let isEnclosed = value.hasPrefix(begin) && value.hasSuffix(end)
      guard isEnclosed, value.utf8.count > begin.utf8.count + end.utf8.count else { continue }
      let name = value.utf8.dropFirst(begin.utf8.count).dropLast(end.utf8.count)
      if name.first?.isDigit == false, name.allSatisfy(isNameByte) { return true }
    }
    return false
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte.lowercased) || byte.isDigit || [0x20, 0x2D, 0x2E, 0x5F].contains(byte)
  }

  /// Whether an id stands for chats that are not kept. Open WebUI gives all temporary chats of a browser tab the same id,
  /// so they must not become one conversation.
  static func isOneOff(_ id: String) -> Bool { id.hasPrefix("temporary:") || id.hasPrefix("local:") }
}
