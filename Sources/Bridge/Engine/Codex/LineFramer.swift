// Splits the output of the app-server into lines.

/// Splits a byte stream at line feeds. A line that came in one read is passed on without a copy.
struct LineFramer {
  /// The longest line of the app-server. A message may repeat images of many megabytes; a longer line is taken for garbage.
  static let messageBytes = 64 << 20

  private let maxLineBytes: Int
  private var partial: [UInt8] = []

  init(maxLineBytes: Int = messageBytes) { self.maxLineBytes = maxLineBytes }

  /// Calls `onLine` for each complete line, without its line feed. Returns false when a line is too long.
  mutating func feed(_ bytes: Span<UInt8>, onLine: (Span<UInt8>) -> Void) -> Bool {
    var start = 0
    while let lineFeed = bytes.firstIndex(of: 0x0A, from: start) {
      let line = bytes.extracting(start..<lineFeed)
      if partial.isEmpty {
        onLine(line)
      } else {
        partial.append(line)
        let whole = partial
        partial = []
        onLine(whole.span)
      }
      start = lineFeed + 1
    }
    if start < bytes.count { partial.append(bytes.extracting(start..<bytes.count)) }
    return partial.count <= maxLineBytes
  }
}
