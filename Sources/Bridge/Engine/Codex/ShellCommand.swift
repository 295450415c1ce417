// Reads the command lines of the app-server, which joins a program and its arguments into one text. Pure.

/// A command line that gives a script to a shell, split into the two.
struct ShellCommand: Equatable {
  /// The shell and its option, as in "/bin/bash -lc".
  let shell: String
  let script: String

  /// In another directory a program with a shell's name may be anything, so its whole command line is shown.
  private static let directories = ["/bin/", "/usr/bin/"]
  private static let names = ["bash", "dash", "sh", "zsh"]
  private static let options = ["-c", "-lc"]

  /// Nil unless the line is a known shell, one known option and one argument.
  init?(_ line: String) {
    guard let words = Self.words(line), words.count == 3, Self.options.contains(words[1]),
      Self.directories.contains(where: { directory in Self.names.contains { directory + $0 == words[0] } })
    else { return nil }
    shell = "\(words[0]) \(words[1])"
    script = words[2]
  }

  private enum Quoting { case none, single, double }

  /// Splits a command line into words (POSIX.1-2024, Shell Command Language §2.2, "Quoting"). Returns nil if the line has
  /// more than three words, or a character that means more to a shell than itself.
  private static func words(_ line: String) -> [String]? {
    var words: [String] = []
    var word: String.UnicodeScalarView?
    var quoting = Quoting.none
    var rest = line.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      switch (quoting, scalar) {
      case (.none, " "), (.none, "\t"), (.none, "\n"):
        if let ended = word { words.append(String(ended)) }
        word = nil
        if words.count > 3 { return nil }
      // Quotes begin a word even if there is nothing between them.
      case (.none, "'"): (quoting, word) = (.single, word ?? .init())
      case (.none, "\""): (quoting, word) = (.double, word ?? .init())
      case (.single, "'"), (.double, "\""): quoting = .none
      case (.none, "\\"):
        guard let quoted = rest.popFirst(), quoted != "\n" else { return nil }
        word = word ?? .init()
        word?.append(quoted)
      case (.none, "#") where word == nil: return nil
      case (.double, "\\"):
        guard let next = rest.first else { return nil }
        guard "$`\"\\".unicodeScalars.contains(next) else {
          if next == "\n" { return nil }
          word?.append(scalar)
          continue
        }
        word?.append(rest.removeFirst())
      case (.double, "$"), (.double, "`"): return nil
      case (.none, _) where "|&;<>()$`*?[{}~!=".unicodeScalars.contains(scalar): return nil
      default:
        word = word ?? .init()
        word?.append(scalar)
      }
    }
    guard quoting == .none else { return nil }
    if let ended = word { words.append(String(ended)) }
    return words
  }
}
