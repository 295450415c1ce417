// The lines of earlier conversations, which Up brings back: a file of one line each. Owns them.

import Glibc

/// What was entered, oldest first.
@LoopActor
final class LineHistory {
  private enum Limit {
    /// Entries that are kept. With more, the file and the start take longer; nobody presses Up so often.
    static let entries = 500
    /// Bytes of an entry. A longer line, such as a pasted file, is not kept.
    static let entryBytes = 16 * 1024
    /// Bytes of the file; twice what is kept is written anew at the next start.
    static let fileBytes = 16 << 20
  }

  private(set) var entries: [EnteredLine] = []
  private let path: String?

  /// Reads what `path` has. Nil keeps none.
  init(path: String?) {
    self.path = path
    guard let path, case .bytes(let bytes) = FileContents.read(path, limit: Limit.fileBytes) else { return }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    entries = lines.suffix(Limit.entries).compactMap { Self.decode(String($0)) }
    if lines.count > 2 * Limit.entries {
      try? FileContents.replace(path, with: Array(entries.map { Self.encode($0) + "\n" }.joined().utf8))
    }
  }

  /// Adds a line, unless it is the same as the last one.
  func add(_ line: EnteredLine) {
    guard !line.isBlank, line != entries.last, line.text.utf8.count <= Limit.entryBytes else { return }
    entries.append(line)
    if entries.count > Limit.entries { entries.removeFirst() }
    append(Self.encode(line) + "\n")
  }

  /// Several terminals may add to one file. A history that cannot be written is not worth an error.
  private func append(_ text: String) {
    guard let path else { return }
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    // What was there may have been made by somebody with a wider mask.
    fchmod(file, 0o600)
    try? TerminalWriter.write(text, to: file)
  }

  /// One line of the file: a line feed is `\n`, a backslash `\\`, and `\p` or `\m` in front says that all
  /// or some of it was pasted.
  nonisolated static func encode(_ line: EnteredLine) -> String {
    let mark =
      switch line.origin {
      case .typed: ""
      case .typedAndPasted: "\\m"
      case .pasted: "\\p"
      }
    return mark
      + String(
        line.text.flatMap { character -> [Character] in
          switch character {
          case "\\": ["\\", "\\"]
          case "\n": ["\\", "n"]
          case "\r\n": ["\\", "r", "\\", "n"]
          case "\r": ["\\", "r"]
          default: [character]
          }
        })
  }

  /// Nil for what is no line of ours, such as the first of a file that libedit has written.
  nonisolated static func decode(_ text: String) -> EnteredLine? {
    guard text != "_HiStOrY_V2_" else { return nil }
    var line = EnteredLine(text: "")
    var rest = text[...]
    if rest.hasPrefix("\\m") { line.origin = .typedAndPasted }
    if rest.hasPrefix("\\p") { line.origin = .pasted }
    if line.origin != .typed { rest = rest.dropFirst(2) }
    while let character = rest.popFirst() {
      guard character == "\\" else {
        line.text.append(character)
        continue
      }
      switch rest.popFirst() {
      case "\\": line.text.append("\\")
      case "n": line.text.append("\n")
      case "r": line.text.append("\r")
      default: return nil
      }
    }
    return line.isBlank ? nil : line
  }
}
