// Removes directories of the machine from texts of Codex that clients see. Pure.

extension String {
  /// The text with each absolute path replaced by its last component. URLs stay as they are.
  var withoutDirectories: String {
    var result: [UInt8] = []
    var rest = Array(utf8)[...]
    var before: UInt8?
    while let byte = rest.first {
      let isStart = byte == UInt8(ascii: "/") && Self.mayPrecedePath(before)
      let path = isStart ? rest.prefix(while: Self.isPathByte) : []
      if path.count(where: { $0 == UInt8(ascii: "/") }) > 1 {
        result += path.split(separator: UInt8(ascii: "/")).last ?? []
        rest = rest.dropFirst(path.count)
        before = path.last
      } else {
        result.append(byte)
        rest = rest.dropFirst()
        before = byte
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Whether a slash behind this byte can begin a path. It cannot inside a word, or behind the colon of a URL's scheme.
  private static func mayPrecedePath(_ byte: UInt8?) -> Bool {
    guard let byte else { return true }
    return byte <= 0x20 || #""'`(<[={,;"#.utf8.contains(byte)
  }

  private static func isPathByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && !#""'`)>]},;"#.utf8.contains(byte)
  }
}
