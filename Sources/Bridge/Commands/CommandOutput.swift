// What commands write to standard output: lines for people, or one line of JSON for programs.

import Glibc

enum CommandOutput {
  /// Columns of the terminal that standard output is; nil where it is none, and nothing has to fit.
  static var width: Int? {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return Int(size.ws_col)
  }

  /// One line of JSON, in which what could drive a terminal is escaped as JSON does.
  static func print(json: JSONValue) { Swift.print(json.jsonText.jsonPrintable) }

  /// Lines whose parts were escaped where they were put together.
  static func print(lines: [String]) { for line in lines { Swift.print(line) } }
}
