// The beginning of a text that may have any length. A character may be made of millions of scalars, so nothing here
// goes by characters.

extension String {
  /// At most the first `limit` bytes, cut between two scalars.
  func clipped(toBytes limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var end = utf8.index(startIndex, offsetBy: limit)
    while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
    return String(self[..<end])
  }

  /// The text, or its first `limit` scalars and how many bytes are missing.
  func shortened(to limit: Int) -> String {
    guard utf8.count > limit,
      let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex
    else { return self }
    return "\(self[..<end])… (\(utf8.distance(from: end, to: endIndex)) more bytes)"
  }
}
