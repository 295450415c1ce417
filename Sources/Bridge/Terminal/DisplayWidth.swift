// How wide a text is on a terminal, and texts of a width. Pure.

extension String {
  /// The columns that terminals give to the text, which has no line feeds and no control sequences.
  var displayWidth: Int {
    utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + LineLayout.width(of: $1) }
  }

  /// The text, or as much of its beginning as fits, and an ellipsis.
  func cut(toWidth width: Int) -> String {
    guard displayWidth > width else { return self }
    var result = ""
    var used = 1
    for character in self {
      used += LineLayout.width(of: character)
      if used > width { break }
      result.append(character)
    }
    return result + "…"
  }

  /// The text with blanks behind it up to a width.
  func padded(toWidth width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - displayWidth))
  }
}
