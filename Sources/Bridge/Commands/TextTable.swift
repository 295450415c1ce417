// Tables for a terminal: columns by the width that terminals give to characters. Pure.

/// Rows of cells below a heading.
struct TextTable {
  private static let gap = "  "
  /// The last column is never cut to less: the terminal then breaks its lines.
  private static let minLastWidth = 12

  private let head: [String]
  private let rows: [[String]]
  /// Columns of numbers, which stand on the right.
  private let numbers: Set<Int>

  /// Cells may have anything in them: what could drive a terminal or end a line is escaped. Each row has as many as `head`.
  init(_ head: [String], numbers: Set<Int> = [], _ rows: [[String]]) {
    self.head = head
    self.rows = rows.map { $0.map(\.printable) }
    self.numbers = numbers
  }

  /// The lines, the last column cut to fit into `width` columns; nil does not cut.
  func lines(width: Int?) -> [String] {
    let all = [head] + rows
    let widths = head.indices.map { column in all.map { $0[column].displayWidth }.max() ?? 0 }
    let used = widths.dropLast().reduce(0) { $0 + $1 + Self.gap.count }
    let room = width.map { max(Self.minLastWidth, $0 - used) }
    return all.map { cells in
      let last = cells.count - 1
      let padded = cells.enumerated().map { column, cell in
        if column == last, !numbers.contains(column) { return room.map { cell.cut(toWidth: $0) } ?? cell }
        guard numbers.contains(column) else { return cell.padded(toWidth: widths[column]) }
        return String(repeating: " ", count: widths[column] - cell.displayWidth) + cell
      }
      var line = padded.joined(separator: Self.gap)
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
