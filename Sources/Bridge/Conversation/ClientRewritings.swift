// What clients are known to change in a conversation between two requests, so that it is recognised all the same. Pure.

/// The parts of a text that stay the same in every request.
enum ClientRewritings {
  /// How Open WebUI's template for retrieved documents begins. It stands before the last message of the user; the next request
  /// has the message without it.
  static let retrievalOpening = "### Task:\nRespond to the user query using the provided context"
  /// What ends the documents in it. They come from anywhere and may contain the same, so the last one counts.
  private static let retrievalEnd = "</context>"
  /// What front ends put around thoughts that they show as a part of the answer, and take out, or not, when they send it back.
  private static let thoughts = [
    (begin: "<think>", end: "</think>"), (begin: "<thinking>", end: "</thinking>"),
    (begin: "<details type=\"reasoning\"", end: "</details>"),
  ]

  /// What a user has asked, without documents that the front end has added for one request.
  static func asked(_ text: String) -> String {
    let text = trimmed(text)
    return trimmed(withoutRetrieval(text) ?? text)
  }

  /// What the user has asked, in a message with documents that the front end has added for one request; nil for any other.
  static func withoutRetrieval(_ text: String) -> String? {
    guard text.utf8.starts(with: retrievalOpening.utf8), let end = lastRange(of: retrievalEnd, in: text) else {
      return nil
    }
    return String(text[end.upperBound...])
  }

  /// What an answer says, without thoughts before it and without white space: clients put the messages of an answer together as
  /// they like.
  static func answer(_ text: String) -> String {
    var text = Substring(trimmed(text))
    while let block = thoughts.first(where: { text.utf8.starts(with: $0.begin.utf8) }),
      let end = text.utf8.firstRange(of: block.end.utf8)
    {
      text = Substring(trimmed(String(text[end.upperBound...])))
    }
    return String(decoding: text.utf8.filter { !isSpace($0) }, as: UTF8.self)
  }

  /// The arguments of a call, however their JSON is spaced.
  static func arguments(_ text: String) -> String {
    (try? JSONValue(parsing: Array(text.utf8)))?.jsonText ?? trimmed(text)
  }

  /// A text without white space around it.
  static func trimmed(_ text: String) -> String {
    let bytes = text.utf8
    guard let first = bytes.firstIndex(where: { !isSpace($0) }),
      let last = bytes.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(text[first...last])
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func lastRange(of part: String, in text: String) -> Range<String.Index>? {
    var found: Range<String.Index>?
    var rest = text[...]
    while let next = rest.utf8.firstRange(of: part.utf8) {
      found = next
      rest = rest[next.upperBound...]
    }
    return found
  }
}
