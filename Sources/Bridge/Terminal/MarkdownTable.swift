// A table of Markdown (GitHub Flavored Markdown §4.10), laid out in the columns of a terminal. Pure.

/// Rows that belong to one table. It can only be shown when all of them are there.
struct MarkdownTable: Sendable {
  /// Bytes of a table. With more, a long one comes later and takes more memory; the rest of a larger one is shown as it was
  /// written.
  static let maxBytes = 64 << 10
  /// Scalars of one row. A longer line is shown as it was written.
  static let maxRow = 8 << 10

  private enum Alignment { case left, center, right }

  private static let gap = 2
  /// A narrower column has no room for a word.
  private static let minWidth = 4

  private var lines: [String] = []
  private var bytes = 0

  var isEmpty: Bool { lines.isEmpty }
  var isFull: Bool { bytes >= Self.maxBytes }

  mutating func add(_ line: String) {
    lines.append(line)
    bytes += line.utf8.count + 1
  }

  /// The rows of the screen, each with its line feed. What is no table is shown as it was written.
  func rendered(columns: Int, isStyled: Bool) -> String {
    let rows = lines.map(Self.cells)
    guard rows.count > 1, let alignments = Self.alignments(rows[1]), alignments.count == rows[0].count else {
      return asWritten
    }
    let count = alignments.count
    let cells = [rows[0]] + rows.dropFirst(2)
    guard count * (Self.minWidth + Self.gap) <= columns + Self.gap else { return asWritten }
    let styled = cells.enumerated().map { index, row in
      (0..<count).map { column in
        MarkdownInline.spans(of: column < row.count ? row[column] : "", base: index == 0 ? .bold : [])
      }
    }
    let natural = (0..<count).map { column in styled.map { Self.width(of: $0[column]) }.max() ?? 0 }
    let widths = Self.fitted(natural, into: columns - Self.gap * (count - 1))
    var text = ""
    for (index, row) in styled.enumerated() {
      text += Self.row(row, widths, alignments, isStyled: isStyled)
      guard index == 0 else { continue }
      let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
      text += isStyled ? TextStyle.dim.sequence + rule + TextStyle.reset + "\n" : rule + "\n"
    }
    return text
  }

  private var asWritten: String { lines.map { $0 + "\n" }.joined() }

  /// The texts between the bars of a row. A bar behind a backslash, or in code, is text.
  private static func cells(_ line: String) -> [String] {
    var cells = [""]
    var (isEscaped, isCode) = (false, false)
    for scalar in line.unicodeScalars {
      if scalar == "|", !isEscaped, !isCode {
        cells.append("")
      } else {
        if scalar == "|", isEscaped { cells[cells.count - 1].unicodeScalars.removeLast() }
        if scalar == "`", !isEscaped { isCode.toggle() }
        cells[cells.count - 1].unicodeScalars.append(scalar)
      }
      isEscaped = scalar == "\\" && !isEscaped
    }
    var trimmed = cells.map { $0.trimmingSpaces() }
    if trimmed.first?.isEmpty == true { trimmed.removeFirst() }
    if trimmed.last?.isEmpty == true { trimmed.removeLast() }
    return trimmed
  }

  private static func alignments(_ cells: [String]) -> [Alignment]? {
    var alignments: [Alignment] = []
    for cell in cells {
      let dashes = cell.utf8.filter { $0 == UInt8(ascii: "-") }.count
      let (begins, ends) = (cell.hasPrefix(":"), cell.hasSuffix(":"))
      guard dashes > 0, dashes + (begins ? 1 : 0) + (ends ? 1 : 0) == cell.utf8.count else { return nil }
      alignments.append(begins && ends ? .center : ends ? .right : .left)
    }
    return alignments.isEmpty ? nil : alignments
  }

  private static func width(of spans: [MarkdownInline.Span]) -> Int {
    spans.reduce(0) { $0 + $1.text.displayWidth }
  }

  /// Takes from the widest columns until all fit.
  private static func fitted(_ natural: [Int], into room: Int) -> [Int] {
    var widths = natural
    var excess = widths.reduce(0, +) - room
    while excess > 0, let widest = widths.max(), widest > minWidth {
      let places = widths.indices.filter { widths[$0] == widest }
      let next = max(minWidth, widths.filter { $0 < widest }.max() ?? minWidth)
      let cut = max(1, min(widest - next, (excess + places.count - 1) / places.count))
      for place in places { widths[place] -= cut }
      excess -= cut * places.count
    }
    return widths.map { max(1, $0) }
  }

  private static func row(
    _ cells: [[MarkdownInline.Span]], _ widths: [Int], _ alignments: [Alignment], isStyled: Bool
  ) -> String {
    let columns = zip(cells, widths).map { lines(of: $0, width: $1, isStyled: isStyled) }
    var text = ""
    for index in 0..<max(1, columns.map(\.count).max() ?? 1) {
      var line = ""
      for (place, column) in columns.enumerated() {
        let (cell, width) = index < column.count ? column[index] : ("", 0)
        let room = max(0, widths[place] - width)
        let left =
          switch alignments[place] {
          case .left: 0
          case .center: room / 2
          case .right: room
          }
        let isLast = place == columns.count - 1
        line += String(repeating: " ", count: left) + cell
        if !isLast { line += String(repeating: " ", count: room - left + gap) }
      }
      text += line + "\n"
    }
    return text
  }

  /// The rows of one cell, and how wide each is.
  private static func lines(
    of spans: [MarkdownInline.Span], width: Int, isStyled: Bool
  ) -> [(text: String, width: Int)] {
    var wrap = WordWrap(columns: width, isStyled: isStyled)
    var text = ""
    for span in spans { text += wrap.add(cut(span.text, toWordsOf: width).unicodeScalars, span.style) }
    text += wrap.flush() + wrap.endStyle()
    return text.split(separator: "\n", omittingEmptySubsequences: false).map {
      (String($0), plain($0).displayWidth)
    }
  }

  /// A word that is wider than its column is cut, since the terminal would break it at its own edge.
  private static func cut(_ text: String, toWordsOf width: Int) -> String {
    guard text.displayWidth > width else { return text }
    var result = ""
    var word = 0
    for character in text {
      let columns = LineLayout.width(of: character)
      word = character == " " ? 0 : word + columns
      if word > width {
        result.append(" ")
        word = columns
      }
      result.append(character)
    }
    return result
  }

  /// A text without the codes of styles. There are no others in it.
  private static func plain(_ text: Substring) -> String {
    var plain = String.UnicodeScalarView()
    var isCode = false
    for scalar in text.unicodeScalars {
      if scalar == "\u{1B}" { isCode = true }
      if !isCode { plain.append(scalar) }
      if isCode, scalar == "m" { isCode = false }
    }
    return String(plain)
  }
}
