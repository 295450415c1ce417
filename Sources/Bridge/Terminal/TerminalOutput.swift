// The output of a conversation. The answer alone goes to standard output, everything else to standard error. On a terminal,
// control and format characters in what the model and Codex say are escaped, and answers are shown as Markdown.

import Glibc

/// Writes a conversation to standard output and standard error.
@LoopActor
final class TerminalOutput {
  private enum Style: String {
    case plain = "\u{1B}[0m"
    case aside = "\u{1B}[0;2m"
    case error = "\u{1B}[0;31m"
  }

  /// One of the two descriptors.
  private struct Channel {
    let descriptor: Int32
    let isTerminal: Bool

    init(_ descriptor: Int32) {
      self.descriptor = descriptor
      isTerminal = isatty(descriptor) == 1
    }
  }

  private let answers = Channel(STDOUT_FILENO)
  private let notes = Channel(STDERR_FILENO)
  /// Whether the terminal knows control sequences at all.
  private let isDumb = Configuration.processEnvironment["TERM"] == "dumb"
  private let usesColour: Bool
  private var style = Style.plain
  private var markdown: MarkdownStream
  /// Whether the cursor of the terminal is at the start of a line. Both descriptors share it when both are terminals.
  private var isAtLineStart = true
  /// The line that says what is waited for is on the screen; the cursor is at its end.
  private var showsStatus = false
  /// A line feed was written for that line which belongs to what comes next.
  private var hasBrokenLine = false
  /// The same as `isAtLineStart` for a standard output that is a pipe or a file.
  private var isFileAtLineStart = true
  /// The error of a write to standard output; nothing more is written there.
  private(set) var failure: FileError?

  init() {
    usesColour = (Configuration.processEnvironment["NO_COLOR"] ?? "").isEmpty && !isDumb
    markdown = MarkdownStream(columns: TerminalSize(of: answers.descriptor).columns, isStyled: usesColour)
  }

  /// Whether there is a screen that a person sees.
  var hasScreen: Bool { answers.isTerminal || notes.isTerminal }
  /// Where prompts, questions and what is typed are drawn: with the notes, so that the answers can go to a file.
  var screen: Int32 { notes.isTerminal ? notes.descriptor : answers.descriptor }
  /// Columns of the screen.
  var columns: Int { TerminalSize(of: screen).columns }

  // MARK: The answer

  /// A piece of the answer. Pipes and files get it exactly as it is.
  func answer(_ text: String) {
    if answers.isTerminal {
      markdown.columns = TerminalSize(of: answers.descriptor).columns
      return write(markdown.add(text.printableLines), .plain, answers)
    }
    guard !text.isEmpty, failure == nil else { return }
    do throws(FileError) { try TerminalWriter.write(text, to: answers.descriptor) } catch { failure = error }
    isFileAtLineStart = text.hasSuffix("\n")
  }

  /// Ends the last line of the answer, wherever it goes.
  func endAnswer() {
    write(markdown.end(), .plain, answers)
    endLine()
    if !isFileAtLineStart { answer("\n") }
  }

  // MARK: Everything else

  /// A piece of reasoning, commentary or activity, dimmed. It is shown on a terminal only.
  func aside(_ text: String) {
    guard notes.isTerminal else { return }
    flushAnswer()
    let text = text.printableLines
    // After a question or a prompt, the blank lines before a paragraph are left out.
    let begins = isAtLineStart && style == .plain && !hasBrokenLine
    write(begins ? String(text.drop { $0 == "\n" }) : text, .aside, notes)
  }

  /// A line of the program's own below an answer, dimmed. It is shown on a terminal only.
  func footnote(_ line: String) {
    guard notes.isTerminal else { return }
    endLine()
    write(line.printable + "\n", .aside, notes)
    endLine()
  }

  /// Lines of the program's own: notices.
  func note(_ lines: String) {
    endLine()
    write(lines.printableLines + "\n", .plain, notes)
  }

  /// A line of the program's own: an error.
  func fail(_ line: String) {
    endLine()
    write(line.printableLines + "\n", .error, notes)
    endLine()
  }

  /// Lines that belong to what a person is asked or is typing.
  func show(_ lines: String) {
    endLine()
    write(lines.printableLines + "\n", .plain, notes.isTerminal ? notes : answers)
  }

  /// A list that was asked for: on standard output.
  func list(_ lines: [String]) {
    endLine()
    write(lines.map { $0.printable + "\n" }.joined(), .plain, answers)
  }

  /// A line of JSON for a program.
  func line(_ json: JSONValue) {
    guard failure == nil else { return }
    let text = json.jsonText.jsonPrintable + "\n"
    do throws(FileError) { try TerminalWriter.write(text, to: answers.descriptor) } catch { failure = error }
  }

  /// Has the terminal put a text on the person's clipboard (OSC 52 of xterm). False without a terminal.
  func copy(_ bytes: [UInt8]) -> Bool {
    guard hasScreen, !isDumb else { return false }
    emit("\u{1B}]52;c;\(Base64.encode(bytes))\u{7}")
    return true
  }

  /// Ends a line that was begun on the screen.
  func endLine() {
    flushAnswer()
    clearStatus()
    if !isAtLineStart { emit("\n") }
    switchTo(.plain)
    isAtLineStart = true
    hasBrokenLine = false
  }

  // MARK: What is waited for

  /// Shows a line that is replaced by whatever comes next, on a terminal only. `mayBreakLine`: a paragraph has ended, so that the
  /// line may begin below it.
  func showStatus(_ text: String, mayBreakLine: Bool) {
    guard notes.isTerminal, !isDumb, isAtLineStart || mayBreakLine else { return }
    if mayBreakLine { flushAnswer() }
    if !isAtLineStart {
      emit("\n")
      isAtLineStart = true
      hasBrokenLine = true
    }
    showsStatus = true
    let text = text.printable
    let isRoom = text.displayWidth < columns
    let shown = isRoom ? text : "…"
    emit("\r" + (usesColour ? Style.aside.rawValue + shown + Style.plain.rawValue : shown) + Self.clearToEnd)
  }

  /// Takes that line away.
  func clearStatus() {
    guard showsStatus else { return }
    showsStatus = false
    emit("\r" + Self.clearToEnd + (usesColour ? style.rawValue : ""))
  }

  private static let clearToEnd = "\u{1B}[K"

  // MARK: Writing

  /// Shows what was held back of the answer.
  private func flushAnswer() { write(markdown.flush(), .plain, answers) }

  /// Writes a text in which nothing can drive the terminal but this program's own sequences.
  private func write(_ text: String, _ wanted: Style, _ channel: Channel) {
    guard !text.isEmpty else { return }
    guard channel.isTerminal else {
      try? TerminalWriter.write(text, to: channel.descriptor)
      return
    }
    clearStatus()
    var text = text
    if wanted != style, hasBrokenLine || !isAtLineStart {
      emit(hasBrokenLine ? "\n" : "\n\n")
      text = String(text.drop { $0 == "\n" })
    } else if hasBrokenLine, text.hasPrefix("\n") {
      text.removeFirst()
    }
    hasBrokenLine = false
    switchTo(wanted)
    guard !text.isEmpty else { return }
    do throws(FileError) {
      try TerminalWriter.write(text, to: channel.descriptor)
    } catch {
      if channel.descriptor == answers.descriptor { failure = error }
    }
    isAtLineStart = text.hasSuffix("\n")
  }

  private func switchTo(_ wanted: Style) {
    guard wanted != style else { return }
    style = wanted
    if usesColour { emit(wanted.rawValue) }
  }

  private func emit(_ text: String) { try? TerminalWriter.write(text, to: screen) }
}
