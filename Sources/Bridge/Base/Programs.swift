// Looking programs up as a shell would, and why the system would not run one.

import Glibc

enum Programs {
  /// The first executable of that name in the directories of `path`, separated by colons.
  static func find(_ name: String, path: String) -> String? {
    path.split(separator: ":").lazy.map { "\($0)/\(name)" }.first(where: isExecutable)
  }

  /// Whether a path is a regular file that may be executed. A directory can have the same permission bit, which means
  /// something else there.
  static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }

  /// The program that a script names in its first line, if there is none. Running the script would only tell that
  /// some file is missing.
  static func missingInterpreter(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    // As much of the line as Linux looks at.
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(file, &bytes, bytes.count)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    guard text.hasPrefix("#!"), let line = text.dropFirst(2).split(whereSeparator: \.isNewline).first,
      let interpreter = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first, interpreter.hasPrefix("/"),
      access(String(interpreter), F_OK) != 0
    else { return nil }
    return String(interpreter)
  }
}
