// Text to the terminal. What the model says is shown, never obeyed: control characters do not get through.

import Glibc

/// Writes a conversation to standard output.
@LoopActor
final class TerminalOutput {
  private enum Style { case plain, aside }

  private let usesColour = isatty(STDOUT_FILENO) == 1 && getenvSaysNoColour == false
  private var style = Style.plain
  private var isAtLineStart = true

  private static let getenvSaysNoColour = !(Configuration.processEnvironment["NO_COLOR"] ?? "").isEmpty

  /// A piece of the answer.
  func answer(_ text: String) { write(text, .plain) }

  /// A piece of what goes on beside the answer, dimmed. Pipes get the answer alone.
  func aside(_ text: String) {
    if usesColour { write(text, .aside) }
  }

  /// A line of the program's own.
  func note(_ line: String) {
    endLine()
    write(line + "\n", .plain)
  }

  /// Ends a line that was begun.
  func endLine() {
    if !isAtLineStart { write("\n", style) }
    switchTo(.plain)
  }

  private func write(_ text: String, _ wanted: Style) {
    let text = Self.printable(text)
    guard !text.isEmpty else { return }
    if wanted != style, !isAtLineStart { emit("\n\n") }
    switchTo(wanted)
    emit(text)
    isAtLineStart = text.hasSuffix("\n")
  }

  private func switchTo(_ wanted: Style) {
    guard wanted != style else { return }
    style = wanted
    if usesColour { emit(wanted == .aside ? "\u{1B}[2m" : "\u{1B}[0m") }
  }

  private func emit(_ text: String) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// The text without what drives a terminal: control characters but line feed and tab, and their C1 relatives.
  nonisolated static func printable(_ text: String) -> String {
    let isSafe = { (scalar: UnicodeScalar) in
      scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
    }
    guard text.unicodeScalars.contains(where: { !isSafe($0) }) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.filter(isSafe)))
  }
}
