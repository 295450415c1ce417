// Text made safe to show. Control characters (Cc) drive terminals and end lines, and format characters (Cf) change the order
// or the look of the text around them; both are escaped.

extension String {
  /// The text as part of one line: control, format and separating characters are shown escaped, line feeds and tabs among
  /// them.
  package var printable: String { escapingScalars(where: \.isUnsafe) }

  /// The text as lines of its own: line feeds and tabs stay, everything else that `printable` escapes is escaped.
  package var printableLines: String {
    escapingScalars { $0.isUnsafe && $0 != "\n" && $0 != "\t" }
  }

  /// JSON text with the same escaped as JSON does; inside of strings is the only place where it can stand.
  var jsonPrintable: String {
    guard unicodeScalars.contains(where: \.isUnsafe) else { return self }
    return unicodeScalars.map { scalar in
      guard scalar.isUnsafe else { return String(scalar) }
      return String(scalar).utf16.map { "\\u" + String(UInt32($0) + 0x10000, radix: 16).dropFirst() }.joined()
    }.joined()
  }

  private func escapingScalars(where isEscaped: (UnicodeScalar) -> Bool) -> String {
    guard unicodeScalars.contains(where: isEscaped) else { return self }
    return unicodeScalars.map { isEscaped($0) ? $0.escaped(asASCII: true) : String($0) }.joined()
  }
}

extension UnicodeScalar {
  /// Whether it could forge a line or drive a terminal.
  fileprivate var isUnsafe: Bool {
    // What most text is made of.
    if (0x20...0x7E).contains(value) { return false }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }
}
