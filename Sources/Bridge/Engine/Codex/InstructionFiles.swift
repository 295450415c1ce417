// The AGENTS.md files that Codex gives the model: which of them are too long to be read whole. Codex cuts without a word.

import Glibc

/// The files a thread has its instructions from.
enum InstructionFiles {
  /// Those that were cut, with their sizes in bytes. All of a project's may have `limit` together; that of the Codex home,
  /// which comes first, does not count.
  static func cut(_ paths: [String], home: String, limit: Int) -> [(path: String, bytes: Int)] {
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
