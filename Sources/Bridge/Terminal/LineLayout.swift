// How a line that is being typed lies on the screen: rows, and where the cursor is. Pure.

internal import CUtf8proc

/// A prompt and a text, broken into rows of a screen.
struct LineLayout: Equatable, Sendable {
  struct Row: Equatable, Sendable {
    var text = ""
    /// Columns that the text takes.
    var width = 0
  }

  private(set) var rows = [Row()]
  private(set) var cursorRow = 0
  private(set) var cursorColumn = 0
  private let columns: Int

  /// Lays out `text` behind `prompt` with the cursor before the character number `cursor`. Further lines of the text
  /// begin below the end of a short prompt.
  init(prompt: String, text: [Character], cursor: Int, columns: Int) {
    self.columns = max(columns, 1)
    let indentation = String(repeating: " ", count: prompt.count <= Self.longestIndentation ? prompt.count : 0)
    for character in prompt { append(Self.form(of: character, at: 0)) }
    for (index, character) in text.enumerated() {
      if index == cursor { placeCursor() }
      if character == "\n" {
        rows.append(Row())
        append(indentation)
      } else {
        append(Self.form(of: character, at: rows[rows.count - 1].width))
      }
    }
    if cursor >= text.count { placeCursor() }
  }

  /// With longer prompts, such as a question, further lines begin at the left edge.
  private static let longestIndentation = 4
  private static let tabStop = 8

  /// The rows around the cursor that fit into `height`, and the cursor's row among them.
  func window(height: Int) -> (rows: ArraySlice<Row>, cursorRow: Int) {
    let height = max(height, 1)
    guard rows.count > height else { return (rows[...], cursorRow) }
    let start = min(max(0, cursorRow - height / 2), rows.count - height)
    return (rows[start..<start + height], cursorRow - start)
  }

  private mutating func append(_ text: String) {
    for character in text {
      let width = Self.width(of: character)
      if rows[rows.count - 1].width + width > columns { rows.append(Row()) }
      rows[rows.count - 1].text.append(character)
      rows[rows.count - 1].width += width
    }
  }

  private mutating func placeCursor() {
    // Behind a full row the cursor is at the beginning of the next.
    if rows[rows.count - 1].width >= columns { rows.append(Row()) }
    cursorRow = rows.count - 1
    cursorColumn = rows[cursorRow].width
  }

  /// How a character is shown: as it is, unless it would do something to the terminal.
  private static func form(of character: Character, at column: Int) -> String {
    character == "\t"
      ? String(repeating: " ", count: tabStop - column % tabStop) : String(character).printable
  }

  /// The columns that terminals give to a character as a person sees it.
  static func width(of character: Character) -> Int {
    if character.isASCII { return 1 }
    var isFirst = true
    return character.unicodeScalars.reduce(0) { sum, scalar in
      defer { isFirst = false }
      // Vowels and final consonants of Korean that are written in parts are drawn into the first.
      let joins = !isFirst && (0x1160...0x11FF).contains(scalar.value)
      return sum + (joins ? 0 : Int(utf8proc_charwidth(utf8proc_int32_t(bitPattern: scalar.value))))
    }
  }
}
