// `.env` files as the Node package `dotenv` reads them, since that is what existing files were written for.

/// A `.env` file, read.
struct DotEnv: Sendable, Equatable {
  /// A line that is neither an entry nor empty nor a comment.
  struct Fault: Sendable, Equatable {
    /// From 1 on.
    let line: Int
    let reason: Reason
  }

  enum Reason: String, Error {
    case noName = "it does not begin with a name"
    case noSeparator = "no “=” follows the name"
    case notUTF8 = "it is not UTF-8"
  }

  private(set) var values: [String: String] = [:]
  private(set) var faults: [Fault] = []

  /// `NAME=value` or `NAME: value`; `export` before the name, comments, and single, double and back quotes are
  /// understood, quotes over several lines too, and `\n` and `\r` inside double quotes. What is none of these is
  /// skipped and remembered as a fault. The last of equal names wins.
  init(_ bytes: [UInt8]) {
    let isValid = String(validating: bytes, as: UTF8.self) != nil
    var scanner = Scanner(String(decoding: bytes, as: UTF8.self))
    while !scanner.isAtEnd {
      let line = scanner.line()
      do throws(Reason) {
        if let (name, value) = try scanner.entry() {
          // The decoder has put U+FFFD in the place of bytes that are not UTF-8.
          if !isValid, value.contains("\u{FFFD}") { throw .notUTF8 }
          values[name] = value
        }
      } catch {
        faults.append(Fault(line: line, reason: error))
      }
      scanner.skipLine()
    }
  }

  /// Steps over the text by unicode scalars, since a `Character` may hold CR and LF at once.
  private struct Scanner {
    private let scalars: [UnicodeScalar]
    private var index = 0
    /// How many lines have ended before `countedTo`.
    private var endedLines = 0
    private var countedTo = 0

    init(_ text: String) {
      scalars = Array(text.unicodeScalars)
      if scalars.first == "\u{FEFF}" { index = 1 }
    }

    var isAtEnd: Bool { index >= scalars.count }
    private var next: UnicodeScalar? { isAtEnd ? nil : scalars[index] }

    /// The number of the line that begins here, from 1 on.
    mutating func line() -> Int {
      for scalar in scalars[countedTo..<index] where scalar == "\n" { endedLines += 1 }
      countedTo = index
      return endedLines + 1
    }

    mutating func skipLine() {
      while let scalar = next, !Self.isLineEnd(scalar) { index += 1 }
      while let scalar = next, Self.isLineEnd(scalar) { index += 1 }
    }

    /// The entry on this line, nil if it is empty or a comment.
    mutating func entry() throws(Reason) -> (String, String)? {
      skipBlanks()
      guard let first = next, first != "#", !Self.isLineEnd(first) else { return nil }
      if hasWord("export") {
        index += "export".count
        skipBlanks()
      }
      let start = index
      while let scalar = next, Self.isNameScalar(scalar) { index += 1 }
      guard index > start else { throw .noName }
      let name = text(start..<index)
      guard takeSeparator() else { throw .noSeparator }
      skipBlanks()
      return (name, quotedValue() ?? plainValue())
    }

    private func hasWord(_ word: String) -> Bool {
      let end = index + word.unicodeScalars.count
      return end < scalars.count && text(index..<end) == word && Self.isBlank(scalars[end])
    }

    /// `=` with blanks around it, or `:` followed by a blank.
    private mutating func takeSeparator() -> Bool {
      if next == ":" {
        index += 1
        return next.map(Self.isBlank) ?? false
      }
      skipBlanks()
      guard next == "=" else { return false }
      index += 1
      return true
    }

    /// A value in quotes that nothing but a comment follows on its line.
    private mutating func quotedValue() -> String? {
      guard let quote = next, "\"'`".unicodeScalars.contains(quote) else { return nil }
      var end = index + 1
      while end < scalars.count, scalars[end] != quote { end += scalars[end] == "\\" ? 2 : 1 }
      guard end < scalars.count else { return nil }
      var after = end + 1
      while after < scalars.count, Self.isBlank(scalars[after]) { after += 1 }
      guard after >= scalars.count || Self.isLineEnd(scalars[after]) || scalars[after] == "#" else { return nil }
      let content = text(index + 1..<end)
      index = end + 1
      guard quote == "\"" else { return content }
      return content.replacing("\\n", with: "\n").replacing("\\r", with: "\r")
    }

    private mutating func plainValue() -> String {
      let start = index
      while let scalar = next, !Self.isLineEnd(scalar), scalar != "#" { index += 1 }
      return text(start..<index).trimmingSpaces()
    }

    private mutating func skipBlanks() {
      while let scalar = next, Self.isBlank(scalar) { index += 1 }
    }

    private func text(_ range: Range<Int>) -> String {
      String(String.UnicodeScalarView(scalars[range]))
    }

    private static func isBlank(_ scalar: UnicodeScalar) -> Bool { scalar == " " || scalar == "\t" }
    private static func isLineEnd(_ scalar: UnicodeScalar) -> Bool { scalar == "\n" || scalar == "\r" }

    private static func isNameScalar(_ scalar: UnicodeScalar) -> Bool {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-": true
      default: false
      }
    }
  }
}
