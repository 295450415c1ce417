// The line that is being typed: scripts of keys, and what becomes of them.

import Testing

@testable import Bridge

struct LineEditorTests {
  /// Types `script`, in which `<name>` is a key, and shows the text with the cursor as `|`.
  private func type(_ script: String, into editor: inout LineEditor, history: [EnteredLine] = []) -> [EnteredLine]
  {
    var entered: [EnteredLine] = []
    for key in Self.keys(script) {
      if case .entered(let line) = editor.apply(key, history: history) { entered.append(line) }
    }
    return entered
  }

  private func shown(_ script: String, history: [EnteredLine] = []) -> String {
    var editor = LineEditor()
    _ = type(script, into: &editor, history: history)
    var text = editor.cells.map { String($0.character) }
    text.insert("|", at: editor.cursor)
    return text.joined()
  }

  private static let names: [String: KeyPress] = [
    "enter": .enter, "line": .newLine, "left": .left, "right": .right, "up": .up, "down": .down, "home": .home,
    "end": .end, "wleft": .wordLeft, "wright": .wordRight, "bs": .backspace, "del": .delete, "^w": .eraseWordLeft,
    "alt-d": .eraseWordRight, "^u": .eraseToStart, "^k": .eraseToEnd, "^y": .yank, "^d": .endOfInput,
  ]

  private static func keys(_ script: String) -> [KeyPress] {
    var keys: [KeyPress] = []
    var rest = script[...]
    while !rest.isEmpty {
      if rest.hasPrefix("<"), let end = rest.firstIndex(of: ">") {
        let name = String(rest[rest.index(after: rest.startIndex)..<end])
        keys.append(name.hasPrefix("paste:") ? .paste(String(name.dropFirst(6))) : names[name] ?? .clearScreen)
        rest = rest[rest.index(after: end)...]
      } else {
        // Scalar by scalar, as a keyboard may send them.
        let scalars = rest.prefix(1).unicodeScalars
        keys += scalars.map { .text(String($0)) }
        rest = rest.dropFirst()
      }
    }
    return keys
  }

  @Test(arguments: [
    ("abc", "abc|"), ("abc<left><left>x", "ax|bc"), ("abc<home>x<end>y", "xabcy|"), ("abc<bs><bs>", "a|"),
    ("abc<home><del>", "|bc"), ("abc<home><bs>", "|abc"), ("abc<del>", "abc|"), ("abc<home><^d>", "|bc"),
    ("one two<wleft>x", "one x|two"), ("one two<home><wright>x", "onex| two"), ("one two<^w>", "one |"),
    ("one, two  <^w>", "one, |"), ("one two<home><alt-d>", "| two"), ("one two<wleft><^u>", "|two"),
    ("one two<wleft><^k>", "one |"), ("one two<^w><home><^y> ", "two |one "), ("a<right><right>b", "ab|"),
    ("a\\<enter>b", "a\nb|"), ("a<line>b<up>x", "ax|\nb"), ("abc<line>d<up><down><down>", "abc\nd|"),
    ("ab<line>cd<home>x", "ab\nx|cd"), ("ab<line>cd<up><home><^k>", "|\ncd"), ("ab<line>cd<up><end><^k>", "ab|cd"),
  ])
  func edits(_ script: String, _ text: String) { #expect(shown(script) == text) }

  @Test(arguments: [
    ("你好<bs>", "你|"), ("e\u{301}<bs>", "|"), ("👍🏽x<left><bs>", "|x"), ("🇩🇪<bs>", "|"), ("é<left>x", "x|é"),
    ("日本語<left><left>x", "日x|本語"),
  ])
  func aCharacterIsWhatAPersonSees(_ script: String, _ text: String) { #expect(shown(script) == text) }

  @Test func whatJoinsACharacterIsOneWithIt() {
    var editor = LineEditor()
    for part in ["e", "x"] { _ = editor.apply(.text(part)) }
    _ = editor.apply(.left)
    _ = editor.apply(.text("\u{301}"))
    #expect(editor.cells.map(\.character) == ["e\u{301}", "x"])
    #expect(editor.cursor == 1)
    _ = editor.apply(.backspace)
    #expect(editor.text == "x")
  }

  @Test(arguments: [
    ("hello<enter>", "hello", EnteredLine.Origin.typed), ("a\\<enter>b<enter>", "a\nb", .typed),
    ("<paste:/reset><enter>", "/reset", .pasted), ("/model <paste:x><enter>", "/model x", .typedAndPasted),
    ("  <paste:/reset><enter>", "  /reset", .pasted), ("a<paste:/reset><home><del><enter>", "/reset", .pasted),
    ("<paste:reset><home>/<enter>", "/reset", .typedAndPasted), ("<paste:x><bs>y<enter>", "y", .typed),
    ("<paste:y><^w><^y><enter>", "y", .pasted), ("<paste:a\\><enter>", "a\\", .pasted),
    ("<paste:a\n\tb\n  c><enter>", "a\n\tb\n  c", .pasted),
  ])
  func entersLines(_ script: String, _ text: String, _ origin: EnteredLine.Origin) {
    var editor = LineEditor()
    #expect(type(script, into: &editor) == [EnteredLine(text: text, origin: origin)])
    #expect(editor.isEmpty)
  }

  private let history = [EnteredLine(text: "one"), EnteredLine(text: "/two", origin: .pasted)]

  @Test(arguments: [
    ("x<up>", "/two|"), ("x<up><up>", "one|"), ("x<up><up><up>", "one|"), ("x<up><up><down>", "/two|"),
    ("x<up><down>", "x|"), ("x<down>", "x|"), ("<up><bs><bs>y", "/ty|"),
  ])
  func goesBack(_ script: String, _ text: String) { #expect(shown(script, history: history) == text) }

  @Test func whatWasPastedOnceIsNoCommandLater() {
    var editor = LineEditor()
    #expect(type("<up><enter>", into: &editor, history: history) == [history[1]])
  }

  @Test func whatWasEnteredAheadIsGoneOnWith() {
    var editor = LineEditor()
    _ = type("rest", into: &editor)
    editor.restore([EnteredLine(text: "/a", origin: .pasted), EnteredLine(text: "b")])
    #expect(editor.text == "/a\nb\nrest")
    #expect(editor.cursor == editor.cells.count)
    #expect(editor.apply(.enter) == .entered(EnteredLine(text: "/a\nb\nrest", origin: .pasted)))
  }

  @Test func aMessageIsBounded() {
    var editor = LineEditor()
    let text = String(repeating: "a", count: ChatMessage.maxCharacters)
    #expect(editor.apply(.paste(text)) == .changed)
    #expect(editor.apply(.text("b")) == .full)
    #expect(editor.apply(.oversizedPaste) == .full)
    #expect(editor.cells.count == ChatMessage.maxCharacters)
  }
}

struct LineLayoutTests {
  private func layout(_ text: String, cursor: Int? = nil, columns: Int = 10) -> LineLayout {
    LineLayout(prompt: "> ", text: Array(text), cursor: cursor ?? text.count, columns: columns)
  }

  @Test(
    arguments: [
      ("", ["> "], 0, 2), ("abc", ["> abc"], 0, 5), ("abcdefghij", ["> abcdefgh", "ij"], 1, 2),
      ("abcdefgh", ["> abcdefgh", ""], 1, 0), ("a\nb", ["> a", "  b"], 1, 3), ("a\n", ["> a", "  "], 1, 2),
      ("日本語日本語", ["> 日本語日", "本語"], 1, 4), ("a日本語日本", ["> a日本語", "日本"], 1, 4),
      ("\tb", [">       b"], 0, 9), ("\u{1B}[2J", ["> \\u{1B}[2", "J"], 1, 1),
      ("e\u{301}", ["> e\u{301}"], 0, 3),
      ("각", ["> 각"], 0, 4),
    ] as [(String, [String], Int, Int)])
  func breaksRows(_ text: String, _ rows: [String], _ row: Int, _ column: Int) {
    let layout = layout(text)
    #expect(layout.rows.map(\.text) == rows)
    #expect(layout.cursorRow == row)
    #expect(layout.cursorColumn == column)
  }

  @Test func theCursorIsBeforeItsCharacter() {
    let layout = layout("日本語", cursor: 1)
    #expect((layout.cursorRow, layout.cursorColumn) == (0, 4))
  }

  @Test func aLongQuestionIndentsNothing() {
    let layout = LineLayout(prompt: "Allow? ", text: Array("a\nb"), cursor: 3, columns: 20)
    #expect(layout.rows.map(\.text) == ["Allow? a", "b"])
  }

  @Test(arguments: [(0, 0..<4, 0), (9, 6..<10, 3), (5, 3..<7, 2)])
  func theWindowFollowsTheCursor(_ line: Int, _ rows: Range<Int>, _ cursorRow: Int) {
    let text = (0..<10).map(String.init).joined(separator: "\n")
    let window = layout(text, cursor: line * 2).window(height: 4)
    #expect(window.rows.indices == rows)
    #expect(window.cursorRow == cursorRow)
  }

  @Test(
    arguments: [
      ("a", 1), ("é", 1), ("e\u{301}", 1), ("你", 2), ("😀", 2), ("🇩🇪", 2), ("\u{1112}\u{1161}\u{11AB}", 2), ("ｱ", 1),
      ("Ａ", 2),
    ] as [(Character, Int)])
  func knowsWidths(_ character: Character, _ width: Int) { #expect(LineLayout.width(of: character) == width) }
}
