// Finds the AGENTS.md files that are too long for Codex. It cuts them without a warning.

import Glibc

/// The files that a thread has its instructions from.
enum InstructionFiles {
  /// Returns those of the files that Codex cuts, with their sizes in bytes. The files of a project may have `limit` bytes
  /// together. The file in the Codex home, which comes first, does not count.
  static func cutFiles(_ paths: [String], home: String, limit: Int) -> [(path: String, bytes: Int)] {
    var rest = limit
    var cut: [(path: String, bytes: Int)] = []
    for (index, path) in paths.enumerated() where index > 0 || !path.hasPrefix("\(home)/AGENTS") {
      guard let bytes = size(path) else { continue }
      if bytes > rest { cut.append((path, bytes)) }
      rest = max(0, rest - bytes)
    }
    return cut
  }

  private static func size(_ path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_size : nil
  }
}
