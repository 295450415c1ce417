// Long texts cut for people: what is missing is said.

extension String {
  /// The text, or its first `limit` scalars and how much is missing. Not characters: one may be made of millions of scalars.
  func shortened(to limit: Int) -> String {
    guard utf8.count > limit,
      let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex), end < endIndex
    else { return self }
    return "\(self[..<end])… (\(utf8.distance(from: end, to: endIndex)) more bytes)"
  }

  /// The text, or so many bytes of its beginning and how much is missing.
  func shortened(toBytes limit: Int) -> String {
    let start = beginning(ofBytes: limit)
    return start.utf8.count == utf8.count ? self : "\(start)… (\(utf8.count - start.utf8.count) more bytes)"
  }

  /// As much of the beginning as fits into so many bytes. No code point is cut.
  func beginning(ofBytes limit: Int) -> Substring {
    guard utf8.count > limit else { return self[...] }
    var end = utf8.index(startIndex, offsetBy: max(0, limit))
    while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
    return self[..<end]
  }
}
