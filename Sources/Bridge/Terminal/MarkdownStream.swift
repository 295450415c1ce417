// Shows an answer in Markdown on a terminal as it comes. A line is shown as soon as its kind is known, word by word; what is
// on the screen is never changed. Pure: text in, text for the terminal out.

/// An answer as it is shown.
///
/// The text that comes in is free of control characters but for line feeds and tabs; those that go out are this type's own
/// (`TextStyle`). What is no Markdown is shown as it was written.
struct MarkdownStream: Sendable {
  /// What the line under way is.
  private enum Line: Sendable {
    /// Its beginning, from which that cannot be told yet.
    case undecided([UnicodeScalar])
    /// Words that are wrapped.
    case text(MarkdownInline)
    /// A line of code, which is shown as it is.
    case code
    /// Shown when it is whole.
    case fence([UnicodeScalar])
    case tableRow([UnicodeScalar])
  }

  private struct Fence: Sendable {
    let mark: UnicodeScalar
    let count: Int
  }

  /// Columns that the line above and below code has at most.
  private static let ruleWidth = 40
  /// Scalars that a line is looked at before it is taken for text: more blanks than that are no indentation.
  private static let maxUndecided = 200

  /// Columns of the terminal; may change at any time.
  var columns: Int {
    didSet { wrap.columns = columns }
  }
  private let isStyled: Bool
  private var wrap: WordWrap
  private var line = Line.undecided([])
  private var fence: Fence?
  private var table = MarkdownTable()

  init(columns: Int, isStyled: Bool) {
    self.columns = columns
    self.isStyled = isStyled
    wrap = WordWrap(columns: columns, isStyled: isStyled)
  }

  /// Takes a piece of the answer; returns what can be shown.
  mutating func add(_ text: String) -> String {
    var shown = ""
    // Carriage return and line feed are one character, but two scalars.
    for part in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if part.offset > 0 { shown += endLine() }
      if !part.element.isEmpty { shown += take(part.element) }
    }
    return shown
  }

  /// Shows all that was held back: somebody else is about to write, or the answer has ended.
  mutating func flush() -> String {
    var shown = ""
    switch line {
    case .undecided(let held) where held.isEmpty: shown = showTable()
    case .undecided(let held): shown = showTable() + begin(held, isEnd: true)
    case .tableRow(let row):
      table.add(Self.string(row))
      shown = showTable()
    case .fence(let held): shown = Self.string(held)
    case .text, .code: break
    }
    if case .text(var inline) = line { shown += show(inline.finish()) }
    shown += wrap.flush() + wrap.endStyle()
    wrap.moved()
    line = .undecided([])
    return shown
  }

  /// Forgets in what the answer was, for the next one.
  mutating func end() -> String {
    defer { fence = nil }
    return flush()
  }

  // MARK: Lines

  private mutating func take(_ part: Substring.UnicodeScalarView) -> String {
    switch line {
    case .undecided(let held): return begin(held + part, isEnd: false)
    case .text(var inline):
      let spans = inline.add(part)
      line = .text(inline)
      return show(spans)
    case .code: return String(part)
    case .fence(let held):
      let isShort = held.count < Self.maxUndecided
      line = isShort ? .fence(held + part) : .code
      return isShort ? "" : Self.string(held) + String(part)
    case .tableRow(let held):
      let isShort = held.count < MarkdownTable.maxRow
      line = isShort ? .tableRow(held + part) : .code
      return isShort ? "" : showTable() + Self.string(held) + String(part)
    }
  }

  private mutating func endLine() -> String {
    var shown = ""
    switch line {
    case .undecided(let held) where held.allSatisfy { $0 == " " || $0 == "\t" }: shown = showTable() + "\n"
    case .undecided(let held):
      shown = showTable()
      if fence == nil, Self.isRule(held) {
        shown += rule(title: "") + "\n"
      } else if let fence, Self.closes(held, fence) {
        self.fence = nil
        shown += rule(title: "") + "\n"
      } else {
        shown += begin(held, isEnd: true) + endText()
      }
    case .text: shown = endText()
    case .code: shown = "\n"
    case .fence(let held): shown = endFenceLine(held)
    case .tableRow(let row):
      table.add(Self.string(row))
      if table.isFull { shown = showTable() }
    }
    line = .undecided([])
    return shown
  }

  private mutating func endText() -> String {
    guard case .text(var inline) = line else {
      wrap.moved()
      return "\n"
    }
    return show(inline.finish()) + wrap.newLine()
  }

  private mutating func endFenceLine(_ held: [UnicodeScalar]) -> String {
    let body = held.drop { $0 == " " }
    let mark = body.first ?? "`"
    let count = body.prefix { $0 == mark }.count
    let info = body.dropFirst(count)
    // A mark in what follows means code within a line.
    guard mark != "`" || !info.contains("`") else {
      return beginText(lead: "", held, style: []) + endText()
    }
    fence = Fence(mark: mark, count: count)
    return rule(title: Self.string(Array(info)).trimmingSpaces()) + "\n"
  }

  private mutating func showTable() -> String {
    guard !table.isEmpty else { return "" }
    defer { table = MarkdownTable() }
    return table.rendered(columns: columns, isStyled: isStyled)
  }

  private mutating func show(_ spans: [MarkdownInline.Span]) -> String {
    spans.reduce(into: "") { $0 += wrap.add($1.text.unicodeScalars, $1.style) }
  }

  private func rule(title: String) -> String {
    let title = title.isEmpty ? "" : " \(title.beginning(ofBytes: Self.ruleWidth / 2)) "
    let width = max(3, min(Self.ruleWidth, columns - 1) - 2 - title.displayWidth)
    let text = "──" + title + String(repeating: "─", count: width)
    return isStyled ? TextStyle.dim.sequence + text + TextStyle.reset : text
  }

  // MARK: What a line is

  /// Decides what a line is that begins with `held`; returns what can be shown of it.
  private mutating func begin(_ held: [UnicodeScalar], isEnd: Bool) -> String {
    if let fence {
      guard isEnd || !Self.mayClose(held, fence) else {
        line = .undecided(held)
        return ""
      }
      line = .code
      return Self.string(held)
    }
    let indent = held.prefix { $0 == " " || $0 == "\t" }
    let body = held[indent.count...]
    let kind = MarkdownBlock.of(body, isEnd: isEnd || held.count > Self.maxUndecided)
    if kind != .tableRow, kind != .undecided, !table.isEmpty { return showTable() + begin(held, isEnd: isEnd) }
    let lead = Self.string(Array(indent)).replacingTabs
    switch kind {
    case .undecided:
      line = .undecided(held)
      return ""
    case .fence:
      line = .fence(held)
      return ""
    case .tableRow:
      line = .tableRow(held)
      return ""
    case .heading(let marks):
      return beginText(lead: "", Array(body.dropFirst(marks + 1)), style: .bold)
    case .item(let marker, let length):
      let rest = Array(body.dropFirst(length))
      return beginText(lead: lead + marker + " ", rest, style: [])
    case .quote:
      let rest = body.dropFirst()
      let text = Array(rest.first == " " ? rest.dropFirst() : rest)
      return beginText(lead: lead + "│ ", leadStyle: .dim, text, style: [], indent: lead + "│ ")
    case .text: return beginText(lead: lead, Array(body), style: [], indent: lead)
    }
  }

  private mutating func beginText(
    lead: String, leadStyle: TextStyle = [], _ text: [UnicodeScalar], style: TextStyle, indent: String? = nil
  ) -> String {
    // Half a row is left for words, however deep a list goes.
    let lead = lead.displayWidth * 2 > columns ? "" : lead
    let indent = indent.map { lead.isEmpty ? "" : $0 } ?? String(repeating: " ", count: lead.displayWidth)
    var inline = MarkdownInline(base: style)
    let shown = wrap.begin(lead: lead, style: leadStyle, indent: indent) + show(inline.add(text))
    line = .text(inline)
    return shown
  }

  private static func mayClose(_ held: [UnicodeScalar], _ fence: Fence) -> Bool {
    let indent = held.prefix { $0 == " " }.count
    let marks = held.dropFirst(indent).prefix { $0 == fence.mark }.count
    return indent <= 3 && held[(indent + marks)...].allSatisfy { $0 == " " && marks >= fence.count }
  }

  private static func closes(_ held: [UnicodeScalar], _ fence: Fence) -> Bool {
    mayClose(held, fence) && held.count { $0 == fence.mark } >= fence.count
  }

  private static func isRule(_ held: [UnicodeScalar]) -> Bool {
    let marks = held.filter { $0 != " " }
    return marks.count > 2 && "-*_".unicodeScalars.contains(marks[0]) && marks.allSatisfy { $0 == marks[0] }
  }

  private static func string(_ scalars: [UnicodeScalar]) -> String {
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars)
    return text
  }
}

/// The kind of a line, told by how it begins.
private enum MarkdownBlock: Equatable {
  case undecided
  case text
  /// How many marks it begins with.
  case heading(Int)
  /// What is shown in place of its mark, and how many scalars that has with the blank behind it.
  case item(String, Int)
  case quote
  case fence
  case tableRow

  /// `body` is the beginning of a line without its indentation. `isEnd`: it is all of the line.
  static func of(_ body: ArraySlice<UnicodeScalar>, isEnd: Bool) -> MarkdownBlock {
    guard let first = body.first else { return isEnd ? .text : .undecided }
    let run = body.prefix { $0 == first }.count
    let next = body.dropFirst(run).first
    switch first {
    case "#" where run <= 6: return next == " " ? .heading(run) : next == nil && !isEnd ? .undecided : .text
    case "`", "~":
      if run >= 3 { return .fence }
      return next == nil && !isEnd ? .undecided : .text
    case "|": return .tableRow
    case ">": return body.count == 1 && !isEnd ? .undecided : .quote
    case "-", "*", "+":
      if run == 1, next == " " { return isRuleSoFar(body) && !isEnd ? .undecided : .item("•", 2) }
      return next == nil && !isEnd ? .undecided : .text
    case "_": return next == nil && !isEnd ? .undecided : .text
    case "0"..."9": return numbered(body, isEnd: isEnd)
    default: return .text
    }
  }

  /// A line such as `- - -`.
  private static func isRuleSoFar(_ body: ArraySlice<UnicodeScalar>) -> Bool {
    body.first != "+" && body.allSatisfy { $0 == body.first || $0 == " " }
  }

  private static func numbered(_ body: ArraySlice<UnicodeScalar>, isEnd: Bool) -> MarkdownBlock {
    let digits = body.prefix { ("0"..."9").contains($0) }
    guard digits.count <= 9 else { return .text }
    let rest = body.dropFirst(digits.count)
    guard let mark = rest.first else { return isEnd ? .text : .undecided }
    guard mark == "." || mark == ")" else { return .text }
    guard let blank = rest.dropFirst().first else { return isEnd ? .text : .undecided }
    guard blank == " " else { return .text }
    var marker = ""
    marker.unicodeScalars.append(contentsOf: digits + [mark])
    return .item(marker, digits.count + 2)
  }
}

extension String {
  /// Indentation, with as many blanks as a tab mostly stands for in Markdown.
  fileprivate var replacingTabs: String { map { $0 == "\t" ? "    " : String($0) }.joined() }
}
