// `.env` files as the Node package `dotenv` reads them, since that is what existing files were written for.

/// Reads `.env` text.
enum DotEnv {
  /// `NAME=value` lines; `export` before the name, comments, single, double and back quotes are understood,
  /// and `\n` inside double quotes. Lines that are none of these are skipped. The last of equal names wins.
  static func parse(_ text: String) -> [String: String] {
    var result: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      var line = line.trimmingSpaces()
      if line.hasPrefix("export ") { line = String(line.dropFirst(7)).trimmingSpaces() }
      guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { continue }
      let name = line[..<equals].trimmingSpaces()
      guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else { continue }
      result[name] = value(line[line.index(after: equals)...].trimmingSpaces())
    }
    return result
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private static func value(_ text: String) -> String {
    for quote in ["\"", "'", "`"] where text.hasPrefix(quote) {
      let inside = text.dropFirst()
      guard let end = inside.firstIndex(of: Character(quote)) else { continue }
      let content = String(inside[..<end])
      guard quote == "\"" else { return content }
      return content.split(separator: "\\n", omittingEmptySubsequences: false).joined(separator: "\n")
    }
    let end = text.firstIndex(of: "#") ?? text.endIndex
    return text[..<end].trimmingSpaces()
  }
}
