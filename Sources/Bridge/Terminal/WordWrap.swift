// Breaks text into the rows of a terminal as it comes: between words, and between characters of scripts without spaces. Pure.

/// How a piece of text looks. The terminal's own codes (ECMA-48 SGR) are made here and nowhere else.
struct TextStyle: OptionSet, Sendable, Hashable {
  let rawValue: Int

  static let bold = TextStyle(rawValue: 1)
  static let italic = TextStyle(rawValue: 2)
  static let code = TextStyle(rawValue: 4)
  static let dim = TextStyle(rawValue: 8)

  static let reset = "\u{1B}[0m"

  /// What switches a terminal to this style, whatever it had before.
  var sequence: String {
    var codes = ["0"]
    if contains(.bold) { codes.append("1") }
    if contains(.dim) { codes.append("2") }
    if contains(.italic) { codes.append("3") }
    if contains(.code) { codes.append("36") }
    return "\u{1B}[\(codes.joined(separator: ";"))m"
  }
}

/// Rows of text that grow. A word is held back until it is whole, because only then it is known in which row it stands; what
/// was given out is never changed.
struct WordWrap: Sendable {
  /// Columns of the terminal.
  var columns: Int
  /// Whether styles are written.
  let isStyled: Bool
  private var column = 0
  private var indent = ""
  private var indentWidth = 0
  private var spaces = 0
  private var word: [(text: String, style: TextStyle)] = []
  private var wordScalars = 0
  /// The beginning of a word that is longer than a row has been given out.
  private var isInWord = false
  private var last: UnicodeScalar?
  private var style: TextStyle = []

  init(columns: Int, isStyled: Bool) {
    self.columns = columns
    self.isStyled = isStyled
  }

  /// Characters that do not begin a row, and those that do not end one, in texts without spaces (JLREQ, "cl-01" to "cl-07").
  private static let closing = Set("、。，．：；！？）］｝〕〉》」』】’”…ー・％!?,.:;)]}".unicodeScalars)
  private static let opening = Set("（［｛〔〈《「『【‘“([{".unicodeScalars)

  /// Begins a row: `lead` is put at its beginning, `indent` at that of each row that continues it.
  mutating func begin(lead: String, style: TextStyle, indent: String) -> String {
    self.indent = indent
    indentWidth = indent.displayWidth
    column = lead.displayWidth
    return lead.isEmpty ? "" : switched(to: style) + lead
  }

  /// Adds text of one style; returns what can be shown.
  mutating func add(_ text: some Sequence<UnicodeScalar>, _ wanted: TextStyle) -> String {
    var shown = ""
    for scalar in text {
      if scalar == " " || scalar == "\t" {
        shown += flushWord()
        spaces += 1
        isInWord = false
      } else {
        if breaks(before: scalar) { shown += flushWord() }
        append(scalar, wanted)
        // The rest of it need not be waited for: it fits into no row.
        if wordScalars > columns {
          shown += flushWord()
          isInWord = true
        }
      }
    }
    return shown
  }

  /// Shows what was held back.
  mutating func flush() -> String {
    defer { (spaces, isInWord) = (0, false) }
    return flushWord()
  }

  /// Ends the row and begins a fresh one without indentation.
  mutating func newLine() -> String {
    let shown = flush() + switched(to: []) + "\n"
    (column, indent, indentWidth, last) = (0, "", 0, nil)
    return shown
  }

  /// Somebody else has written: the cursor is at the beginning of a row.
  mutating func moved() { (column, last) = (0, nil) }

  /// Back to the plain style, before somebody else writes.
  mutating func endStyle() -> String { switched(to: []) }

  private func breaks(before scalar: UnicodeScalar) -> Bool {
    guard let last, !word.isEmpty, !Self.closing.contains(scalar), !Self.opening.contains(last) else {
      return false
    }
    guard !scalar.isASCII || !last.isASCII else { return false }
    let width = String(scalar).displayWidth
    // A mark is part of the character before it.
    return width > 0 && (width > 1 || String(last).displayWidth > 1)
  }

  private mutating func append(_ scalar: UnicodeScalar, _ style: TextStyle) {
    if word.last?.style == style {
      word[word.count - 1].text.unicodeScalars.append(scalar)
    } else {
      word.append((String(scalar), style))
    }
    last = scalar
    wordScalars += 1
  }

  private mutating func flushWord() -> String {
    guard !word.isEmpty else { return "" }
    let width = word.reduce(0) { $0 + $1.text.displayWidth }
    var shown = ""
    if !isInWord, column > indentWidth, column + spaces + width > columns {
      shown += broken()
    } else if spaces > 0 {
      // Blanks between words have the style that both have.
      if !style.subtracting(word[0].style).isEmpty { shown += switched(to: style.intersection(word[0].style)) }
      shown += String(repeating: " ", count: spaces)
      column += spaces
    }
    for (text, style) in word { shown += switched(to: style) + text }
    // The terminal itself breaks a word that is longer than a row.
    let end = column + width
    column = end <= columns ? end : end - (end - 1) / max(columns, 1) * columns
    (word, wordScalars, spaces, isInWord) = ([], 0, 0, false)
    return shown
  }

  private mutating func broken() -> String {
    let before = style
    let shown = switched(to: []) + "\n" + indent
    column = indentWidth
    return shown + switched(to: before)
  }

  private mutating func switched(to wanted: TextStyle) -> String {
    guard isStyled, wanted != style else { return "" }
    style = wanted
    return wanted.isEmpty ? TextStyle.reset : wanted.sequence
  }
}
