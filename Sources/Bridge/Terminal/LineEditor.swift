// The line that is being typed: keys in, text and cursor out. Pure; who reads the keys and draws the line is `Keyboard`.

/// What a person has entered with one Enter.
struct EnteredLine: Equatable, Sendable {
  /// Whether it may be a command or an answer: words that were pasted are neither, whatever they say.
  enum Origin: Sendable, Equatable {
    case typed
    /// It begins as typed and has something pasted in it.
    case typedAndPasted
    /// It begins with what was pasted.
    case pasted
  }

  /// One line, or several.
  var text: String
  var origin = Origin.typed

  var isBlank: Bool { text.allSatisfy(\.isWhitespace) }
}

struct LineEditor: Sendable {
  /// A character as a person sees it, and how it came.
  struct Cell: Equatable, Sendable {
    let character: Character
    let isPasted: Bool
  }

  /// What a key led to.
  enum Outcome: Equatable, Sendable {
    case unchanged
    case changed
    case entered(EnteredLine)
    /// The text would be longer than a message may be.
    case full
    case interrupt
    case endOfInput
    case suspend
    case clearScreen
    case openEditor
  }

  /// Which line is shown.
  private enum Position: Sendable {
    case own
    /// An earlier one, and the own line that waits meanwhile.
    case earlier(Int, own: [Cell])
  }

  private(set) var cells: [Cell] = []
  /// How many characters are before the cursor.
  private(set) var cursor = 0
  private var killed: [Cell] = []
  private var position = Position.own

  var isEmpty: Bool { cells.isEmpty }
  var text: String { String(cells.map(\.character)) }

  /// `history` are the lines that Up goes back to, oldest first.
  mutating func apply(_ key: KeyPress, history: [EnteredLine] = []) -> Outcome {
    switch key {
    case .text(let text): insert(text, isPasted: false)
    case .paste(let text): insert(text, isPasted: true)
    case .oversizedPaste: .full
    case .enter: enter()
    case .newLine: insert("\n", isPasted: false)
    case .left: move(to: cursor - 1)
    case .right: move(to: cursor + 1)
    case .home: move(to: lineStart(cursor))
    case .end: move(to: lineEnd(cursor))
    case .wordLeft: move(to: wordStart)
    case .wordRight: move(to: wordEnd)
    case .up: goUp(history)
    case .down: goDown(history)
    case .backspace: erase(cursor - 1..<cursor)
    case .delete: erase(cursor..<cursor + 1)
    case .eraseWordLeft: kill(wordStart..<cursor)
    case .eraseWordRight: kill(cursor..<wordEnd)
    case .eraseToStart: kill(lineStart(cursor)..<cursor)
    case .eraseToEnd: kill(cursor..<max(lineEnd(cursor), min(cursor + 1, cells.count)))
    case .yank: insert(killed)
    case .interrupt: .interrupt
    case .endOfInput: cells.isEmpty ? .endOfInput : erase(cursor..<cursor + 1)
    case .suspend: .suspend
    case .clearScreen: .clearScreen
    case .openEditor: .openEditor
    }
  }

  mutating func clear() {
    cells = []
    cursor = 0
    position = .own
  }

  /// Puts a text in the place of what is being typed. It counts as pasted: it was not typed here.
  mutating func replace(with text: String) {
    clear()
    _ = insert(text, isPasted: true)
  }

  /// Puts lines that were entered before in front of what is being typed, for the person to go on with.
  mutating func restore(_ lines: [EnteredLine]) {
    guard !lines.isEmpty else { return }
    let rest = cells
    let distance = cells.count - cursor
    cells = Array(lines.map(Self.cells).joined(separator: [Cell(character: "\n", isPasted: false)]))
    if !rest.isEmpty { cells += [Cell(character: "\n", isPasted: false)] + rest }
    cursor = cells.count - distance
    position = .own
  }

  // MARK: Inserting

  private mutating func insert(_ text: String, isPasted: Bool) -> Outcome {
    insert(text.map { Cell(character: $0, isPasted: isPasted) })
  }

  /// A character may join the one before it, as an accent does, or the one behind it.
  private mutating func insert(_ new: [Cell]) -> Outcome {
    guard !new.isEmpty else { return .unchanged }
    guard cells.count + new.count <= ChatMessage.maxCharacters else { return .full }
    let before = cells[max(0, cursor - 1)..<cursor]
    let after = cells[cursor..<min(cursor + 1, cells.count)]
    let place = before.startIndex..<after.endIndex
    let left = Self.joined(before + new)
    let all = Self.joined(left + after)
    cells.replaceSubrange(place, with: all)
    cursor = place.lowerBound + min(left.count, all.count)
    return .changed
  }

  /// The same text in characters as a person sees them.
  private static func joined(_ cells: [Cell]) -> [Cell] {
    let characters = Array(String(cells.map(\.character)))
    if characters.count == cells.count { return cells }
    var result: [Cell] = []
    var rest = cells[...]
    for character in characters {
      var length = character.unicodeScalars.count
      var isPasted = false
      while length > 0, let cell = rest.popFirst() {
        length -= cell.character.unicodeScalars.count
        isPasted = isPasted || cell.isPasted
      }
      result.append(Cell(character: character, isPasted: isPasted))
    }
    return result
  }

  private static func cells(_ line: EnteredLine) -> [Cell] {
    var isFirst = true
    return line.text.map { character in
      defer { isFirst = false }
      let isPasted =
        switch line.origin {
        case .typed: false
        case .typedAndPasted: !isFirst
        case .pasted: true
        }
      return Cell(character: character, isPasted: isPasted)
    }
  }

  // MARK: Entering

  private mutating func enter() -> Outcome {
    // A backslash at the end says that the message goes on, unless it came with a paste.
    if cursor == cells.count, cells.last == Cell(character: "\\", isPasted: false) {
      cells[cells.count - 1] = Cell(character: "\n", isPasted: false)
      return .changed
    }
    let first = cells.first { !$0.character.isWhitespace } ?? cells.first
    let origin: EnteredLine.Origin =
      !cells.contains(where: \.isPasted) ? .typed : first?.isPasted == true ? .pasted : .typedAndPasted
    let line = EnteredLine(text: text, origin: origin)
    clear()
    return .entered(line)
  }

  // MARK: Erasing

  private mutating func erase(_ range: Range<Int>) -> Outcome {
    let range = range.clamped(to: 0..<cells.count)
    guard !range.isEmpty else { return .unchanged }
    cells.removeSubrange(range)
    cursor = range.lowerBound
    return .changed
  }

  private mutating func kill(_ range: Range<Int>) -> Outcome {
    guard !range.isEmpty else { return .unchanged }
    killed = Array(cells[range])
    return erase(range)
  }

  // MARK: Moving

  private mutating func move(to place: Int) -> Outcome {
    let place = min(max(place, 0), cells.count)
    guard place != cursor else { return .unchanged }
    cursor = place
    return .changed
  }

  private func isWord(_ index: Int) -> Bool {
    let character = cells[index].character
    return character.isLetter || character.isNumber
  }

  private var wordStart: Int {
    var place = cursor
    while place > 0, !isWord(place - 1) { place -= 1 }
    while place > 0, isWord(place - 1) { place -= 1 }
    return place
  }

  private var wordEnd: Int {
    var place = cursor
    while place < cells.count, !isWord(place) { place += 1 }
    while place < cells.count, isWord(place) { place += 1 }
    return place
  }

  private func lineStart(_ place: Int) -> Int {
    (cells[..<place].lastIndex { $0.character == "\n" } ?? -1) + 1
  }

  private func lineEnd(_ place: Int) -> Int {
    cells[place...].firstIndex { $0.character == "\n" } ?? cells.count
  }

  /// Up within several lines; above the first of them the earlier message.
  private mutating func goUp(_ history: [EnteredLine]) -> Outcome {
    let start = lineStart(cursor)
    if start > 0 {
      let previous = lineStart(start - 1)
      return move(to: min(previous + cursor - start, start - 1))
    }
    switch position {
    case .own where !history.isEmpty: return show(history.count - 1, of: history, own: cells)
    case .earlier(let index, let own) where index > 0: return show(index - 1, of: history, own: own)
    default: return .unchanged
    }
  }

  private mutating func goDown(_ history: [EnteredLine]) -> Outcome {
    let end = lineEnd(cursor)
    if end < cells.count {
      return move(to: min(end + 1 + cursor - lineStart(cursor), lineEnd(end + 1)))
    }
    guard case .earlier(let index, let own) = position else { return .unchanged }
    guard index + 1 >= history.count else { return show(index + 1, of: history, own: own) }
    position = .own
    cells = own
    cursor = cells.count
    return .changed
  }

  private mutating func show(_ index: Int, of history: [EnteredLine], own: [Cell]) -> Outcome {
    position = .earlier(index, own: own)
    cells = Self.cells(history[index])
    cursor = cells.count
    return .changed
  }
}
