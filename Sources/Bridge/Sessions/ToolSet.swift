// Which functions a thread was made with. It keeps them: whoever brings others needs another thread.

/// Functions by what they are, in no order.
struct ToolSet: Sendable, Equatable {
  /// Digits that are kept of each function's hash. A session's map has them for each of its threads.
  private static let digits = 8
  /// Functions that are kept one by one; of more, only whether all are the same is known.
  private static let maxFunctions = 64

  private(set) var digests: Set<String>

  init(_ tools: [Conversation.Tool]) {
    digests = Set(tools.map(Self.digest))
    if digests.count > Self.maxFunctions { digests = [Self.digest(of: digests.sorted().joined())] }
  }

  /// As it was stored, in `text`.
  init(text: String) { digests = Set(text.split(separator: " ").map(String.init)) }

  /// The hashes, in an order that is always the same.
  var text: String { digests.sorted().joined(separator: " ") }

  var isEmpty: Bool { digests.isEmpty }

  /// Whether there is nothing among these functions that the thread does not have.
  func includes(_ tools: [Conversation.Tool]) -> Bool { ToolSet(tools).digests.isSubset(of: digests) }

  private static func digest(_ tool: Conversation.Tool) -> String {
    let value: JSONValue = [.string(tool.name), .string(tool.description), tool.parameters]
    return digest(of: value.jsonText)
  }

  private static func digest(of text: String) -> String { String(SHA256Digest(of: text).hex.prefix(digits)) }
}
