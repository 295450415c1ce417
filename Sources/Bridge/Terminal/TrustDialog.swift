// Whether a person trusts a settings file of the current directory: shows it, and asks where there is somebody to ask.

import Glibc

/// The question at the terminal.
package enum TrustDialog {
  /// The question for `Configuration.load`; nil where nobody can be asked.
  package static var question: Configuration.TrustQuestion? { hasPerson ? { ask(about: $0) } : nil }

  /// Shows each file and trusts it, at a terminal only if the person says so. Without paths these are the files of the
  /// current directory. Returns the exit status: 0 if all of them are trusted.
  package static func trust(paths: [String]) throws(ConfigurationError) -> Int32 {
    var refused = false
    var found = 0
    for path in paths.isEmpty ? SettingsFiles.localNames.map(\.name) : paths {
      guard let file = try LocalSettings.find(path) else {
        if !paths.isEmpty {
          throw ConfigurationError(description: "\(path) is missing, or names no setting of the bridge")
        }
        continue
      }
      found += 1
      if let question {
        guard question(file) else {
          refused = true
          continue
        }
      } else {
        show(file)
      }
      try file.trust()
      write("\(file.path.printable) is trusted as it is now.")
    }
    if found == 0 { write("There is no .env.local or .env here that names a setting of the bridge.") }
    return refused ? 1 : 0
  }

  /// Not in the background, where to read would stop the program.
  private static var hasPerson: Bool {
    isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp()
  }

  private static func ask(about file: LocalSettings) -> Bool {
    show(file)
    write(
      "Whoever wrote these settings decides which programs run and who may use them. Trust them? yes/no: ", end: ""
    )
    // What was typed before the question is no answer to it.
    tcflush(STDIN_FILENO, TCIFLUSH)
    return isYes(readLine())
  }

  /// Whole words only.
  static func isYes(_ answer: String?) -> Bool { answer?.trimmingSpaces().lowercased() == "yes" }

  private static func show(_ file: LocalSettings) {
    let change = file.hasChanged ? ", which has changed since it was trusted" : ""
    write("\(file.path.printable)\(change):")
    // Last what counts, so that nothing long can push it off the screen.
    for line in lines(of: file.text) { write("  | \(line)") }
    write("The settings of the bridge in it:")
    for setting in file.settings { write("  \(setting.name)=\(setting.value.printable)") }
  }

  /// Lines with what could drive a terminal escaped.
  static func lines(of text: String) -> [String] {
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return (lines.last?.isEmpty == true ? lines.dropLast() : lines[...]).map { String($0).printable }
  }

  private static func write(_ line: String, end: String = "\n") {
    let bytes = Array((line + end).utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
