// Answers in Markdown on a terminal: what each construct looks like, however the text comes in pieces.

import Testing

@testable import Bridge

struct MarkdownTests {
  private func shown(_ text: String, columns: Int = 40, isStyled: Bool = false) -> String {
    var stream = MarkdownStream(columns: columns, isStyled: isStyled)
    return stream.add(text) + stream.end()
  }

  /// A few letters for the codes of styles.
  private func styled(_ text: String, columns: Int = 40) -> String {
    var result = shown(text, columns: columns, isStyled: true)
    for (code, name) in [
      ("\u{1B}[0m", "<>"), ("\u{1B}[0;1m", "<b>"), ("\u{1B}[0;3m", "<i>"), ("\u{1B}[0;36m", "<c>"),
      ("\u{1B}[0;2m", "<d>"), ("\u{1B}[0;1;3m", "<bi>"), ("\u{1B}[0;1;36m", "<bc>"),
    ] {
      result = result.split(separator: code, omittingEmptySubsequences: false).joined(separator: name)
    }
    return result
  }

  // MARK: Words

  @Test(arguments: [
    ("one two three", 9, "one two\nthree"), ("one two", 7, "one two"), ("a  b", 20, "a  b"),
    ("a\nb\n\nc", 20, "a\nb\n\nc"), ("end\n", 20, "end\n"), ("", 20, ""), ("abcdefghij", 5, "abcdefghij"),
    ("ab abcdefghij c", 5, "ab\nabcdefghij\nc"), ("  two three", 6, "  two\n  three"),
  ])
  func wordsStandInRows(_ text: String, _ columns: Int, _ rows: String) {
    #expect(shown(text, columns: columns) == rows)
  }

  @Test func aWordThatFitsIntoNoRowIsNotWaitedFor() {
    var stream = MarkdownStream(columns: 10, isStyled: false)
    var text = ""
    for _ in 0..<25 { text += stream.add("x") }
    #expect(text.count == 22)
    #expect(text + stream.add(" yz") + stream.end() == String(repeating: "x", count: 25) + " yz")
  }

  @Test func wideCharactersAreBrokenBetween() {
    #expect(shown("日本語日本語", columns: 8) == "日本語日\n本語")
    // No row begins with what closes, or ends with what opens.
    #expect(shown("日本語日。本", columns: 8) == "日本語\n日。本")
    #expect(shown("日本語「日」", columns: 8) == "日本語\n「日」")
    #expect(shown("use Swift語 now", columns: 8) == "use\nSwift語\nnow")
  }

  // MARK: Within a line

  @Test(arguments: [
    ("a **b c** d", "a <b>b c<> d"), ("*i* and _i_", "<i>i<> and <i>i<>"), ("`code` x", "<c>code<> x"),
    ("***both***", "<bi>both<>"), ("**a `c` b**", "<b>a <bc>c<b> b<>"), ("2 * 3 * 4", "2 * 3 * 4"),
    ("snake_case_name", "snake_case_name"), ("a*b*c", "a*b*c"), ("**open", "**open"), ("`open", "`open"),
    ("\\*not\\*", "*not*"), ("C:\\dir", "C:\\dir"), ("``a`b``", "<c>a`b<>"), ("`` ` ``", "<c>`<>"),
    ("这是**重点**内容", "这是<b>重点<>内容"), ("** no **", "** no **"), ("f(**args)", "f(**args)"),
  ])
  func emphasisIsShown(_ text: String, _ result: String) { #expect(styled(text) == result) }

  @Test func aLoneMarkHoldsBackNoMoreThanItsBound() {
    var stream = MarkdownStream(columns: 80, isStyled: true)
    let shown = stream.add("**" + String(repeating: "word ", count: 200))
    #expect(shown.hasPrefix("**word word"))
  }

  // MARK: Blocks

  @Test(arguments: [
    ("# Head\ntext", "<b>Head<>\ntext"), ("####### no", "####### no"), ("#tag", "#tag"),
    ("- one\n- two", "• one\n• two"), ("* one\n+ two", "• one\n• two"), ("1. a\n10) b", "1. a\n10) b"),
    ("-5 degrees", "-5 degrees"), ("2024 was", "2024 was"), ("> said", "<d>│ <>said"),
    ("  - nested", "  • nested"), ("**bold** line", "<b>bold<> line"), ("--flag", "--flag"),
  ])
  func blocksAreShown(_ text: String, _ result: String) { #expect(styled(text) == result) }

  @Test func aListIsIndented() {
    #expect(shown("- one two three", columns: 9) == "• one two\n  three")
    #expect(shown("10. one two", columns: 8) == "10. one\n    two")
  }

  @Test func aRuleIsALine() {
    for rule in ["---", "***", "___", "- - -"] { #expect(shown(rule + "\n", columns: 10) == "─────────\n") }
    #expect(shown("--\n") == "--\n")
  }

  @Test func codeIsShownAsItIs() {
    let code = "```swift\nlet x = 1  // **not bold** and far longer than the row\n\n  - no item\n```\nafter"
    #expect(
      shown(code, columns: 20)
        == "── swift ──────────\nlet x = 1  // **not bold** and far longer than the row\n\n  - no item\n"
        + "───────────────────\nafter")
    #expect(shown("```a``` b") == "```a``` b")
    #expect(styled("```a``` b\n") == "<c>a<> b\n")
    // Tildes do not end what graves have begun, nor do fewer of them.
    #expect(shown("````\n```\n~~~~\n````\nx", columns: 9) == "────────\n```\n~~~~\n────────\nx")
  }

  @Test func aTableIsLaidOut() {
    let table = "| Name | What |\n|---|--:|\n| a | first |\n| 日本 | `x|y` \\| **z** |\n\nafter"
    #expect(
      shown(table)
        == "Name     What\n────  ───────\na       first\n日本  x|y | z\n\nafter")
    #expect(styled("| a | b |\n|--|--|\n").hasPrefix("<b>a<>  <b>b<>\n<d>─  ─<>\n"))
  }

  @Test func aTableIsAsWideAsTheTerminal() {
    let words = "| one two three four | five six seven eight |"
    let rows = shown("| A | B |\n|---|---|\n\(words)\n", columns: 24).split(separator: "\n")
    #expect(rows.allSatisfy { String($0).displayWidth <= 24 }, "\(rows)")
    #expect(rows.count > 3)
    // A word without a place to break it does not push the next column away.
    let long = shown("| A | B |\n|---|---|\n| \(String(repeating: "x", count: 60)) | b |\n", columns: 24)
    #expect(long.split(separator: "\n").allSatisfy { String($0).displayWidth <= 24 }, "\(long)")
  }

  @Test(arguments: ["| a | b |\n", "| a | b |\nc\n", "| a |\n| b |\n", "||\n|-|-|\n"])
  func whatIsNoTableIsShownAsItIs(_ text: String) { #expect(shown(text) == text) }

  @Test func tooManyColumnsAreShownAsTheyAre() {
    let row = String(repeating: "| a ", count: 30) + "|\n"
    let text = row + String(repeating: "|---", count: 30) + "|\n" + row
    #expect(shown(text) == text)
  }

  // MARK: Pieces

  private static let everything =
    "# Head\n\nWords **bold** and `code`, *i*.\n- one\n- two three four five six seven eight nine ten\n  1. in\n\n"
    + "| a | b |\n|---|:-:|\n| 1 | 2 |\ntext 日本語日本語日本語日本語、日本語。\n\n```c\nint x;\n```\n> q\n---\n* * *\nend"

  @Test func howItComesMakesNoDifference() {
    let whole = shown(Self.everything, columns: 30, isStyled: true)
    let scalars = Array(Self.everything.unicodeScalars)
    for size in 1...17 {
      var stream = MarkdownStream(columns: 30, isStyled: true)
      var text = ""
      for start in stride(from: 0, to: scalars.count, by: size) {
        var piece = String.UnicodeScalarView()
        piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
        text += stream.add(String(piece))
      }
      #expect(text + stream.end() == whole, "in pieces of \(size)")
    }
  }

  /// Whatever a model writes, every character of it that is no mark is shown once, and no control character is.
  @Test func nothingIsLost() {
    var random = SeededGenerator(7)
    let parts = [
      "a", "b ", "**", "*", "`", "```", "|", "-", " ", "\n", "# ", "1. ", "> ", "日", "\\", "_", "~~~", "|-|\n",
    ]
    for _ in 0..<2000 {
      let text = (0..<Int.random(in: 1...30, using: &random)).map { _ in parts.randomElement(using: &random) ?? ""
      }
      .joined()
      var stream = MarkdownStream(columns: Int.random(in: 1...20, using: &random), isStyled: false)
      var result = ""
      for character in text { result += stream.add(String(character)) }
      result += stream.end()
      let letters = { (text: String) in text.filter { "ab日".contains($0) } }
      // The word behind the marks of code names a language, of which the beginning is shown.
      guard !text.contains("```"), !text.contains("~~~") else { continue }
      #expect(letters(result) == letters(text), "\(text.debugDescription) as \(result.debugDescription)")
      #expect(!result.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(text.debugDescription)")
    }
  }

  @Test func anInterruptionShowsWhatWasHeldBack() {
    var stream = MarkdownStream(columns: 40, isStyled: false)
    #expect(stream.add("| a | b |\n|---|---|\n| 1") == "")
    #expect(stream.flush() == "a  b\n─  ─\n1  \n")
    #expect(stream.add("word") + stream.flush() == "word")
    // Code goes on behind it.
    _ = stream.add("```\nco")
    #expect(stream.flush() == "")
    #expect(stream.add("de **x**\n") == "de **x**\n")
  }
}
