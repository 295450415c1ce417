// The output of a conversation. The answer alone goes to standard output, everything else to standard error. On a terminal,
// control and format characters in what the model and Codex say are escaped.

import Glibc

/// Writes a conversation to standard output and standard error.
@LoopActor
final class TerminalOutput {
  private enum Style { case plain, aside }

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
  private let usesColour = (Configuration.processEnvironment["NO_COLOR"] ?? "").isEmpty
  private var style = Style.plain
  /// Whether the cursor of the terminal is at the start of a line. Both descriptors share it when both are terminals.
  private var isAtLineStart = true
  /// The same for a standard output that is a pipe or a file.
  private var isFileAtLineStart = true
  /// The error of a write to standard output; nothing more is written there.
  private(set) var failure: FileError?

  /// Whether there is a screen that a person sees.
  var hasScreen: Bool { answers.isTerminal || notes.isTerminal }
  /// Where prompts, questions and what is typed are drawn: with the notes, so that the answers can go to a file.
  var screen: Int32 { notes.isTerminal ? notes.descriptor : answers.descriptor }

  /// A piece of the answer. Pipes and files get it exactly as it is.
  func answer(_ text: String) {
    if answers.isTerminal { return write(text, .plain, answers) }
    guard !text.isEmpty, failure == nil else { return }
    do throws(FileError) { try TerminalWriter.write(text, to: answers.descriptor) } catch { failure = error }
    isFileAtLineStart = text.hasSuffix("\n")
  }

  /// Ends the last line of the answer, wherever it goes.
  func endAnswer() {
    endLine()
    if !isFileAtLineStart { answer("\n") }
  }

  /// A piece of reasoning, commentary or activity, dimmed. It is shown on a terminal only.
  func aside(_ text: String) {
    guard notes.isTerminal else { return }
    // After a question or a prompt, the blank lines before a paragraph are left out.
    let begins = isAtLineStart && style == .plain
    write(begins ? String(text.drop { $0 == "\n" }) : text, .aside, notes)
  }

  /// Lines of the program's own: errors and notices.
  func note(_ lines: String) {
    endLine()
    write(lines + "\n", .plain, notes)
  }

  /// Lines that belong to what a person is asked or is typing.
  func show(_ lines: String) {
    endLine()
    write(lines + "\n", .plain, notes.isTerminal ? notes : answers)
  }

  /// Ends a line that was begun on the screen.
  func endLine() {
    if !isAtLineStart { emit("\n") }
    switchTo(.plain)
    isAtLineStart = true
  }

  private func write(_ text: String, _ wanted: Style, _ channel: Channel) {
    let text = text.printableLines
    guard !text.isEmpty else { return }
    guard channel.isTerminal else {
      try? TerminalWriter.write(text, to: channel.descriptor)
      return
    }
    if wanted != style, !isAtLineStart { emit("\n\n") }
    switchTo(wanted)
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
    if usesColour { emit(wanted == .aside ? "\u{1B}[2m" : "\u{1B}[0m") }
  }

  private func emit(_ text: String) { try? TerminalWriter.write(text, to: screen) }
}
