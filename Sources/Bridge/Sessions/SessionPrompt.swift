// The system prompt of a session.

/// A system prompt. Sessions that were told the same one share the object.
final class SessionPrompt: Sendable, Equatable {
  /// A longer one is not kept, in UTF-8 bytes: whoever sends so much sends it with every request.
  static let maxBytes = 64 << 10

  let text: String

  /// Nil for a text that is too long to be kept.
  init?(_ text: String) {
    guard text.utf8.count <= Self.maxBytes else { return nil }
    self.text = text
  }

  static func == (left: SessionPrompt, right: SessionPrompt) -> Bool {
    left === right || left.text.utf8.elementsEqual(right.text.utf8)
  }

  /// By which a thread's record knows the prompt it has seen, also one that is too long to be kept: 64-bit FNV-1a in
  /// hexadecimal. The same in every process, and no secret is read from it.
  static func checksum(of text: String) -> String { String(text.utf8.span.fnv1a(), radix: 16) }
}
