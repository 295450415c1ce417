// By what a conversation is recognised when a client sends it again, whole, without saying which one it is.

/// A name for a conversation up to one of its items: equal for those who sent the same, different for all others.
///
/// SHA-256 over the owner and then, item by item, the digest before it and the item. Lengths stand before all that has
/// one, so that no two conversations give the same bytes.
struct ConversationDigest: Hashable, Sendable {
  /// 64 digits in lower case.
  var hex: String { digest.hex }

  private let digest: SHA256Digest

  /// The digest of an empty conversation of `owner`: to others the same words are another conversation.
  init(owner: Principal) {
    var bytes = DigestInput()
    bytes.add("owner", owner.name)
    digest = SHA256Digest(of: bytes.bytes.span)
  }

  private init(after previous: ConversationDigest, _ item: Conversation.Item) {
    var bytes = DigestInput(bytes: previous.digest.bytes)
    bytes.add(item)
    digest = SHA256Digest(of: bytes.bytes.span)
  }

  /// The digest behind each item. A message without content changes nothing: clients leave it out, or send it, as they like.
  /// To be made beside the loop: it reads every byte of every item, images included.
  static func chain(of items: [Conversation.Item], owner: Principal) -> [ConversationDigest] {
    var current = ConversationDigest(owner: owner)
    return items.map { item in
      if !item.isEmptyMessage { current = ConversationDigest(after: current, item) }
      return current
    }
  }
}

extension SHA256Digest {
  /// What a client itself has said in a conversation, item by item: its user's messages and what its functions have returned.
  /// All else it has from the answers it was given, which it may show, cut and send back as it likes, or writes anew for each
  /// request, as a system prompt with the time in it. To be made beside the loop, as a chain is.
  static func said(in items: [Conversation.Item]) -> [SHA256Digest] {
    items.filter(\.isSaidByClient).map { item in
      var bytes = DigestInput()
      bytes.add(item)
      return SHA256Digest(of: bytes.bytes.span)
    }
  }
}

extension Conversation.Item {
  /// Whether it is a user's message or what a function has returned.
  var isSaidByClient: Bool { message(of: .user) != nil || outputID != nil }

  fileprivate var isEmptyMessage: Bool {
    if case .message(let message) = self { message.parts.isEmpty } else { false }
  }
}

/// The bytes that are hashed: each text with what it is and how long it is before it.
private struct DigestInput {
  var bytes: [UInt8] = []

  mutating func add(_ kind: StaticString, _ text: String) {
    kind.withUTF8Buffer { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ item: Conversation.Item) {
    switch item {
    case .message(let message):
      add("message", message.role.digestName)
      for part in message.parts { add(part) }
    case .reasoning(let text): add("reasoning", text)
    case .toolCall(let call):
      add("call", call.id)
      add("name", call.name)
      add("arguments", call.arguments)
    case .toolOutput(let output):
      add("output", output.callID)
      for part in output.parts { add(part) }
    }
  }

  private mutating func add(_ part: Conversation.Part) {
    switch part {
    case .text(let text): add("text", text)
    // Its own hash, so that what is hashed for a long conversation does not grow with its images.
    case .image(let url, _): add("image", SHA256Digest(of: url).hex)
    }
  }
}

extension Conversation.Role {
  fileprivate var digestName: String {
    switch self {
    case .developer: "developer"
    case .user: "user"
    case .assistant: "assistant"
    }
  }
}
