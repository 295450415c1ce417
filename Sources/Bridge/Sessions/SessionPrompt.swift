// The system prompt of a session.

/// A system prompt, shared by all sessions that were told the same.
final class SessionPrompt: Sendable, Equatable {
  /// A longer one is not kept, in UTF-8 bytes: whoever sends so much sends it with every request.
  static let maxBytes = 64 << 10

  let text: String
  /// An upper bound of what it takes as JSON.
  let mapBytes: Int

  /// Nil for a text that is too long to be kept.
  init?(_ text: String) {
    guard text.utf8.count <= Self.maxBytes else { return nil }
    self.text = text
    mapBytes = text.jsonBytesBound
  }

  static func == (left: SessionPrompt, right: SessionPrompt) -> Bool {
    left === right || left.text.utf8.elementsEqual(right.text.utf8)
  }
}

extension String {
  /// An upper bound of the bytes it takes as a JSON string: escaped control characters take six, others two at most.
  var jsonBytesBound: Int {
    let bytes = utf8.span
    var bound = 8 + 2 * bytes.count
    for index in bytes.indices where bytes[index] < 0x20 { bound += 4 }
    return bound
  }
}
