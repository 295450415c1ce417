// What names a session.

/// A session's name: the id its client chose, and whose it is.
struct SessionKey: Hashable, Sendable {
  let owner: Principal
  let id: String

  /// Byte by byte: two ids that only look the same to Unicode (canonical equivalence) are two conversations.
  static func == (left: SessionKey, right: SessionKey) -> Bool {
    left.owner == right.owner && left.id.utf8.elementsEqual(right.id.utf8)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(owner)
    for byte in id.utf8 { hasher.combine(byte) }
  }
}
