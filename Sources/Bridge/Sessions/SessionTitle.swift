// What a session is called in lists.

/// Makes titles of sessions: one line of text without control and format characters.
enum SessionTitle {
  /// With more, a list is harder to read and the map longer.
  static let maxCharacters = 80
  /// UTF-8 bytes of a title: a character may have any number of marks.
  static let maxBytes = 4 * maxCharacters
  /// Unicode scalars of a text that are looked at, because a message may have millions.
  private static let maxScalars = 2000
  private static let ellipsis = "…"

  /// The first words of what the user has said first; nil if those are none.
  static func first(of conversation: Conversation) -> String? {
    let first = conversation.items.lazy.compactMap { $0.message(of: .user) }.first
    return first.flatMap { made(of: $0.text) }
  }

  /// The beginning of a text as a title; nil if there is none.
  static func made(of text: String) -> String? {
    if isPlain(text) { return text }
    let line = line(of: text)
    return line.isEmpty ? nil : fits(line) ? line : shortened(line)
  }

  /// Whether a line is short enough as it is.
  static func fits(_ line: String) -> Bool { line.utf8.count <= maxBytes && line.count <= maxCharacters }

  /// The beginning of a text as one line: white space of any length is a space, and what has no look of its own is left out.
  static func line(of text: String) -> String {
    var line = String.UnicodeScalarView()
    var isBehindSpace = false
    for scalar in text.unicodeScalars.prefix(maxScalars) {
      if scalar.properties.isWhitespace {
        isBehindSpace = true
        continue
      }
      if [.control, .format].contains(scalar.properties.generalCategory) { continue }
      if isBehindSpace, !line.isEmpty { line.append(" ") }
      isBehindSpace = false
      line.append(scalar)
    }
    return String(line)
  }

  /// Most titles that are read back are short and of plain letters.
  private static func isPlain(_ text: String) -> Bool {
    let bytes = text.utf8
    return !bytes.isEmpty && bytes.count <= maxCharacters
      && bytes.allSatisfy { (0x21...0x7E).contains($0) || $0 == 0x20 }
      && bytes.first != 0x20 && bytes.last != 0x20 && !text.contains("  ")
  }

  /// Cut between words, where there are some.
  private static func shortened(_ line: String) -> String {
    var end = line.startIndex
    var characters = 0
    while end < line.endIndex, characters < maxCharacters - 1 {
      let next = line.index(after: end)
      guard line.utf8.distance(from: line.startIndex, to: next) + ellipsis.utf8.count <= maxBytes else { break }
      end = next
      characters += 1
    }
    let whole = line[..<end]
    if line[end...].first == " " { return whole + ellipsis }
    let words = whole.lastIndex(of: " ").map { whole[..<$0] } ?? whole
    return (words.count * 2 > characters ? words : whole) + ellipsis
  }
}
