// By what a conversation is recognised when a client sends it again, whole, without saying which one it is.

/// A name for a conversation up to one of its items: equal for those who said and were told the same, different for all others.
///
/// SHA-256 over the owner and then, step by step, the digest before and what was said. Lengths stand before all that has one,
/// so that no two conversations give the same bytes. What clients are known to change between two requests does not count
/// (`ClientRewritings`): the developer's instructions, the model's thoughts, the ids of calls.
struct ConversationDigest: Hashable, Sendable {
  /// 64 digits in lower case.
  var hex: String { digest.hex }

  let digest: SHA256Digest

  /// The digest of an empty conversation of `owner`, and of one of the people behind the owner's key where that is known: to
  /// others the same words are another conversation.
  init(owner: Principal, user: String? = nil) {
    var bytes = DigestInput()
    bytes.add("owner", owner.name)
    if let user { bytes.add("user", user) }
    digest = SHA256Digest(of: bytes.bytes.span)
  }

  /// As it was stored.
  init(_ digest: SHA256Digest) { self.digest = digest }

  private init(after previous: ConversationDigest, _ said: DigestInput) {
    digest = SHA256Digest(of: (previous.digest.bytes + said.bytes).span)
  }

  /// The digest behind each item, for items that follow `start`. One that says nothing changes nothing. To be made beside the
  /// loop where they are large: it reads every byte of them, images included.
  static func chain(
    of items: some Collection<Conversation.Item>, after start: ConversationDigest
  ) -> [ConversationDigest] {
    var current = start
    // The beginning of an answer and its continuation are one answer to whoever sends them back.
    var answer: (before: ConversationDigest, text: String)?
    return items.map { item in
      if let message = item.message(of: .assistant) {
        let text = (answer?.text ?? "") + message.text
        let before = answer?.before ?? current
        answer = (before, text)
        if let said = DigestInput(answer: text) { current = ConversationDigest(after: before, said) }
      } else if let said = DigestInput(item) {
        answer = nil
        current = ConversationDigest(after: current, said)
      }
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
}

/// The bytes that are hashed: each text with what it is and how long it is before it.
private struct DigestInput {
  var bytes: [UInt8] = []

  init() {}

  /// What an item says to those who have to recognise it; nil for nothing.
  init?(_ item: Conversation.Item) {
    switch item {
    case .message(let message) where message.role == .user:
      if message.parts.isEmpty { return nil }
      add("user", ClientRewritings.asked(message.text))
      addImages(message.parts)
    case .message, .reasoning: return nil
    case .toolCall(let call):
      add("call", call.name)
      add("arguments", ClientRewritings.arguments(call.arguments))
    case .toolOutput(let output):
      add("output", ClientRewritings.trimmed(output.text))
      addImages(output.parts)
    }
  }

  init?(answer: String) {
    let text = ClientRewritings.answer(answer)
    if text.isEmpty { return nil }
    add("answer", text)
  }

  mutating func add(_ kind: StaticString, _ text: String) {
    kind.withUTF8Buffer { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: text.utf8)
  }

  /// All of an item.
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

  private mutating func addImages(_ parts: [Conversation.Part]) {
    for part in parts where part.isImage { add(part) }
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
