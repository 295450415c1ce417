// Lines from a person or a pipe. On a terminal libedit gives editing and history where it is installed; it is loaded
// when it is needed, so that the daemon does not carry it.

import Glibc

/// Reads lines of standard input, off the loop.
@LoopActor
final class LineReader {
  private static let libraries = ["libedit.so.2", "libedit.so.0", "libreadline.so.8"]
  private static let historyEntries: Int32 = 500

  let isInteractive = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
  private let editor: LineEditor?
  private var savedTerminal: termios?

  /// `historyPath` keeps the lines of earlier conversations, nil keeps none.
  init(historyPath: String?) {
    editor =
      isInteractive ? LineEditor(Self.libraries, historyPath: historyPath, entries: Self.historyEntries) : nil
    var settings = termios()
    if isInteractive, tcgetattr(STDIN_FILENO, &settings) == 0 { savedTerminal = settings }
  }

  /// The next line without its end; nil at the end of input (Ctrl-D).
  func next(prompt: String) async -> String? {
    let editor = editor
    if !isInteractive { return await Loop.offLoop { readLine(strippingNewline: true) } }
    return await Loop.offLoop {
      if let editor { return editor.read(prompt) }
      print(prompt, terminator: "")
      fflush(nil)
      return readLine(strippingNewline: true)
    }
  }

  func remember(_ line: String) { editor?.remember(line) }

  /// Gives the terminal back as it was found; a read may still be under way when the program ends.
  func restoreTerminal() {
    if var savedTerminal { tcsetattr(STDIN_FILENO, TCSANOW, &savedTerminal) }
  }
}

/// The few functions of the readline interface that are used, found at run time.
private struct LineEditor: Sendable {
  private typealias Read = @convention(c) (UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>?
  private typealias Add = @convention(c) (UnsafePointer<CChar>?) -> Int32
  private typealias File = @convention(c) (UnsafePointer<CChar>?) -> Int32
  private typealias Limit = @convention(c) (Int32) -> Void

  private let readLine: Read
  private let addHistory: Add
  private let writeHistory: File?
  private let historyPath: String?

  /// Nil when none of the libraries is installed.
  init?(_ libraries: [String], historyPath: String?, entries: Int32) {
    guard let library = libraries.lazy.compactMap({ dlopen($0, RTLD_NOW) }).first,
      let read = dlsym(library, "readline"), let add = dlsym(library, "add_history")
    else { return nil }
    readLine = unsafeBitCast(read, to: Read.self)
    addHistory = unsafeBitCast(add, to: Add.self)
    writeHistory = dlsym(library, "write_history").map { unsafeBitCast($0, to: File.self) }
    self.historyPath = historyPath
    // Ctrl-C is the program's business: it interrupts a turn.
    dlsym(library, "rl_catch_signals")?.assumingMemoryBound(to: Int32.self).pointee = 0
    if let limit = dlsym(library, "stifle_history") { unsafeBitCast(limit, to: Limit.self)(entries) }
    if let historyPath, let load = dlsym(library, "read_history") {
      _ = unsafeBitCast(load, to: File.self)(historyPath)
    }
  }

  func read(_ prompt: String) -> String? {
    guard let line = readLine(prompt) else { return nil }
    defer { free(line) }
    return String(cString: line)
  }

  func remember(_ line: String) {
    _ = addHistory(line)
    if let historyPath, let writeHistory {
      _ = writeHistory(historyPath)
      chmod(historyPath, 0o600)
    }
  }
}
