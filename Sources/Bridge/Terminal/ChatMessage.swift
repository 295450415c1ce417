// The text of one message to Codex: how long it may be, and how it is made from an argument and standard input. Pure.

enum ChatMessage {
  /// Unicode scalars of one message. Codex refuses more; a higher limit here would only make the refusal come later.
  static let maxCharacters = 1 << 20
  /// Bytes that are read of standard input: as many as so many scalars can have.
  static let maxInputBytes = 4 * maxCharacters

  /// A question with the input that it is about below it; either may be empty. Line ends at the end of the input are no
  /// part of it.
  static func text(question: String, input: String) -> String {
    let input = String(input.trimmingSuffix { $0.isNewline })
    return question.isEmpty ? input : input.isEmpty ? question : "\(question)\n\n\(input)"
  }

  /// Why a text cannot be a message, nil if it can.
  static func fault(of text: String) -> String? {
    // Bytes tell it for all but the largest.
    guard text.utf8.count > maxCharacters else { return nil }
    let count = text.unicodeScalars.count
    return count > maxCharacters
      ? "The message has \(count) characters; Codex takes at most \(maxCharacters)." : nil
  }
}

extension StringProtocol {
  /// The text without those characters at its end.
  func trimmingSuffix(while isDropped: (Character) -> Bool) -> SubSequence {
    var end = endIndex
    while end > startIndex, isDropped(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}
