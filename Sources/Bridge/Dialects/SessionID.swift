// What may name a conversation, and what only looks as if it did.

/// Ids of conversations as clients send them.
enum SessionID {
  private static let maxBytes = 256

  /// An id that can be used: not blank, at most 256 bytes of UTF-8, nothing that could break a header or a log line.
  static func checked(_ id: String, field: String) throws(APIError) -> String {
    guard id.utf8.count <= maxBytes else {
      throw .invalid("'\(field)' is longer than \(maxBytes) bytes.", param: field)
    }
    guard !id.allSatisfy(\.isWhitespace) else {
      throw .invalid("'\(field)' is blank.", param: field)
    }
    guard id.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
      throw .invalid("'\(field)' contains a control character.", param: field)
    }
    return id
  }

  /// The error for a field whose bytes are not UTF-8. To replace those would make one id of two.
  static func notUTF8(_ field: String) -> APIError { .invalid("'\(field)' is not UTF-8.", param: field) }

  /// Whether a value is what is left of a template that nobody has filled in, or of a value that was not there. It would
  /// be the same for everybody.
  static func isUnfilled(_ value: String) -> Bool {
    guard value.utf8.count <= maxBytes else { return false }
    let value = value.trimmingSpaces()
    return absentValues.contains(value) || hasPlaceholder(value) || isPlaceholder(value)
  }

  /// How languages write that there is nothing.
  private static let absentValues: Set<String> = [
    "undefined", "null", "NULL", "None", "nil", "NaN", "[object Object]", "(null)", "<null>", "<nil>",
    "<no value>",
  ]

  /// `{{NAME}}` and `${NAME}`, also within other text.
  private static func hasPlaceholder(_ value: String) -> Bool {
    for (begin, end) in [("{{", "}}"), ("${", "}"), ("{%", "%}"), ("#{", "}")] {
      if let start = value.firstRange(of: begin), value[start.upperBound...].contains(end) { return true }
    }
    return false
  }

  /// A name in braces, angle brackets or percent signs, or after a dollar sign, and nothing else.
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

  /// Whether an id stands for chats that are not kept. Open WebUI gives all of a browser tab's temporary chats one id.
  static func isOneOff(_ id: String) -> Bool { id.hasPrefix("temporary:") || id.hasPrefix("local:") }
}
