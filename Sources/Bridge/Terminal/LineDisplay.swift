// Draws the line that is being typed. Owns what of it is on the screen: nobody else may write there until it is finished.

import Glibc

@LoopActor
final class LineDisplay {
  private struct Drawn {
    var widths: [Int]
    var cursorRow: Int
    var cursorColumn: Int
  }

  private let descriptor: Int32
  private var drawn: Drawn?

  /// Draws on the terminal that `descriptor` is open on.
  init(descriptor: Int32) { self.descriptor = descriptor }

  private static let clearBelow = "\r\u{1B}[J"

  /// Draws a prompt and what is being typed in place of what was drawn before.
  func draw(_ prompt: String, _ editor: LineEditor) {
    let size = TerminalSize(of: descriptor)
    let layout = LineLayout(
      prompt: prompt, text: editor.cells.map(\.character), cursor: editor.cursor, columns: size.columns)
    let (rows, cursorRow) = layout.window(height: size.rows - 1)
    var text = beginning
    text += rows.map(\.text).joined(separator: "\n")
    text += Self.up(rows.count - 1 - cursorRow) + "\r" + Self.right(layout.cursorColumn)
    try? TerminalWriter.write(text, to: descriptor)
    drawn = Drawn(widths: rows.map(\.width), cursorRow: cursorRow, cursorColumn: layout.cursorColumn)
  }

  /// Leaves what is drawn where it is; what follows begins below it.
  func finish() {
    guard let drawn else { return }
    try? TerminalWriter.write(
      Self.down(drawn.widths.count - 1 - drawn.cursorRow) + "\r\n", to: descriptor)
    self.drawn = nil
  }

  func clearScreen() {
    try? TerminalWriter.write("\u{1B}[H\u{1B}[2J", to: descriptor)
    drawn = nil
  }

  /// What brings the cursor to where drawing begins, with nothing left below.
  private var beginning: String {
    guard let drawn else { return "" }
    let columns = max(TerminalSize(of: descriptor).columns, 1)
    // A screen that has become narrower has broken the rows anew.
    let rows = { (width: Int) in max(1, (width + columns - 1) / columns) }
    let above = drawn.widths.prefix(drawn.cursorRow).reduce(0) { $0 + rows($1) } + drawn.cursorColumn / columns
    return Self.up(above) + Self.clearBelow
  }

  private static func up(_ count: Int) -> String { count > 0 ? "\u{1B}[\(count)A" : "" }
  private static func down(_ count: Int) -> String { count > 0 ? "\u{1B}[\(count)B" : "" }
  private static func right(_ count: Int) -> String { count > 0 ? "\u{1B}[\(count)C" : "" }
}

/// Columns and rows of a terminal.
struct TerminalSize: Equatable, Sendable {
  var columns = 80
  var rows = 24

  /// The usual size where the terminal does not know its own.
  init(of descriptor: Int32) {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return }
    columns = Int(size.ws_col)
    rows = Int(size.ws_row)
  }
}

/// Writes whole texts to a descriptor, however many calls that takes.
enum TerminalWriter {
  /// Returns when all is written. When it throws, some of it may have been.
  static func write(_ text: String, to descriptor: Int32) throws(FileError) {
    var text = text
    let failure = text.withUTF8 { bytes -> FileError? in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count > 0 {
          rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        } else if errno == EAGAIN {
          waitForRoom(descriptor)
        } else if errno != EINTR {
          return .system()
        }
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Waits for a descriptor that the program has inherited in non-blocking mode.
  private static func waitForRoom(_ descriptor: Int32) {
    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    poll(&wait, 1, -1)
  }
}
