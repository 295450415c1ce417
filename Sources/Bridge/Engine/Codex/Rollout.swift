// The file in which Codex keeps a thread, as far as its items are concerned. Codex promises no format: what is not understood
// means that there is nothing to read. Blocks.

import Glibc

/// Reads rollout files (`CODEX_HOME/sessions/YYYY/MM/DD/rollout-….jsonl`).
enum Rollout {
  /// A longer thread is summarised by Codex long before.
  private static let maxBytes = 64 << 20
  /// Files that a thread may consist of: each time it was taken back, one is added.
  private static let maxFiles = 64

  /// The items of a thread in the engine's own form, oldest first; nil if they cannot be told. `path` is its file, which has to
  /// lie below `home`.
  static func items(path: String, home: String) -> [String]? {
    let directory = "\(home)/sessions"
    var pieces: [[String]] = []
    var next: (path: String, end: Int)? = (path, Int.max)
    while let file = next {
      guard pieces.count < maxFiles, FileContents.isPath(file.path, inside: directory),
        let piece = read(file.path, before: file.end)
      else { return nil }
      pieces.append(piece.items)
      next = nil
      if let base = piece.base {
        guard let found = find(base.id, in: directory) else { return nil }
        next = (found, base.end)
      }
    }
    return pieces.reversed().flatMap { $0 }
  }

  private struct Piece {
    var items: [String] = []
    /// The file that this one goes on from, by the id in its name, and the number of the first line that does not count.
    var base: (id: String, end: Int)?
  }

  /// Nil for what cannot be read, and for a thread that was summarised: its items are not what the model sees any more.
  private static func read(_ path: String, before end: Int) -> Piece? {
    guard case .bytes(let bytes) = FileContents.read(path, limit: maxBytes) else { return nil }
    var piece = Piece()
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let value = try? JSONValue(parsing: Array(line)) else { return nil }
      guard (value["ordinal"]?.intValue ?? 0) < end else { break }
      let payload = value["payload"] ?? .null
      switch value["type"]?.stringValue {
      case "session_meta":
        if let base = payload["history_base"], let id = base["thread_id"]?.stringValue,
          let end = base["end_ordinal_exclusive"]?.intValue
        {
          piece.base = (id, end)
        }
      case "response_item": piece.items.append(payload.jsonText)
      case "compacted": return nil
      default: break
      }
    }
    return piece
  }

  /// The file whose name ends with an id.
  private static func find(_ id: String, in directory: String) -> String? {
    guard id.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || isalnum(Int32($0)) != 0 }) else { return nil }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob("\(directory)/*/*/*/*[-_]\(id).jsonl", GLOB_NOSORT, nil, &found) == 0 else { return nil }
    guard found.gl_pathc > 0, let paths = found.gl_pathv else { return nil }
    return paths[0].map { String(cString: $0) }
  }
}
