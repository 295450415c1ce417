// One request freed of its dialect.

/// What a client asks for: a conversation to go on with, how, and where it says that the conversation belongs.
struct Ask: Sendable, Equatable {
  /// A reasoning effort and the field that named it, for errors.
  struct Effort: Sendable, Equatable {
    let name: String
    let field: String
  }

  /// A session named in the body and the field that named it.
  struct SessionName: Sendable, Equatable {
    let id: String
    let field: String
  }

  /// What stays of the answer.
  enum Keeping: Sendable {
    /// What stays of its conversation.
    case asConversation
    /// The answer has a name from which others go on. Its thread stays, and is not taken back.
    case underName
    /// Nothing, unless it names a session: who asks sends all of it each time, or wants nothing kept.
    case none
  }

  var conversation: Conversation
  /// The functions of the conversation.
  var toolSet = ToolSet([])
  /// How the model is held to a call that it has to make; nil if it has not to, or cannot be.
  var forcedCall: ForcedCall?
  /// `SHA256Digest.said(in:)` of the conversation, where functions are in play.
  var said: [SHA256Digest] = []
  /// Nil for the default.
  var model: String?
  /// Nil for the model's default.
  var effort: Effort?
  /// Which summaries of its reasoning the model is asked for; nil for those of the settings.
  var summary: ReasoningSummary?
  /// Texts before which the answer is cut.
  var stops: [String] = []
  /// Whether a front end asks for itself, beside the conversation: for a title, for tags.
  var isTask = false
  /// Which of the people behind the key asks, where that was proved; nil where nobody tells.
  var user: String?
  /// Whether nothing comes before its first message: its client says so, or is known to send the whole conversation. Sent again,
  /// the message changes what was said there.
  var startsAnew = false
  /// What the client wants its provider's cache to tell conversations apart by (`prompt_cache_key`); many send the same for all.
  var cacheKey: String?
  var keeping = Keeping.asConversation
  /// Whether the answer is wanted piece by piece.
  var isStreamed = false
  /// The sessions that the body names, the one that counts most first.
  var sessions: [SessionName] = []
  /// Fields of the body that would name a session if their template had been filled in.
  var unfilledSessionFields: [String] = []
  /// Parameters that were sent and have no effect.
  var ignored: [String] = []
  /// Parameters that ask for web search. They have no effect either where it is not allowed.
  var webSearchFields: [String] = []
}

/// An ask whose images are checked and inline. Every step towards a turn holds it, and a copy of an ask counts a reference for
/// each of its fields: so it is shared.
final class IllustratedAsk: Sendable {
  let ask: Ask
  /// Items at the start whose images have not been looked at, because they were not going to be sent.
  let uncheckedItems: Int
  /// The pixels of the largest image, by the memory they take; 0 without images.
  let largestImage: Int

  init(_ ask: Ask, uncheckedItems: Int = 0, largestImage: Int = 0) {
    self.ask = ask
    self.uncheckedItems = uncheckedItems
    self.largestImage = largestImage
  }
}

extension Ask {
  /// Whether its answer has a name from which others go on.
  var isKept: Bool { keeping == .underName }

  /// The same with what was said before it among its items.
  func following(_ history: [Conversation.Item]) -> Ask {
    var whole = self
    let leading = conversation.items.prefix { $0.message(of: .developer) != nil }.count
    whole.conversation.items.insert(contentsOf: history, at: leading)
    whole.conversation.isContinuation = false
    whole.said = said.isEmpty ? [] : SHA256Digest.said(in: whole.conversation.items)
    return whole
  }

  /// What is made of more text, or of more items and parts, is made beside the loop.
  private static let maxSmallBytes = 128 << 10
  private static let maxSmallParts = 512
  private static let maxSmallSchemaBytes = 4 << 10

  /// Whether to make a turn of it would hold up the loop.
  var isLarge: Bool {
    var bytes = 0
    var parts = conversation.tools.functions.count
    if conversation.tools.functions.contains(where: { $0.parameters.isLonger(than: Self.maxSmallSchemaBytes) }) {
      return true
    }
    for item in conversation.items {
      parts += 1
      switch item {
      case .message(let message): Self.count(message.parts, &bytes, &parts)
      case .toolOutput(let output):
        bytes += output.callID.utf8.count
        Self.count(output.parts, &bytes, &parts)
      case .toolCall(let call): bytes += call.id.utf8.count + call.arguments.utf8.count
      case .reasoning(let text): bytes += text.utf8.count
      }
      if bytes > Self.maxSmallBytes || parts > Self.maxSmallParts { return true }
    }
    return false
  }

  private static func count(_ contents: [Conversation.Part], _ bytes: inout Int, _ parts: inout Int) {
    parts += contents.count
    for part in contents { if case .text(let text) = part { bytes += text.utf8.count } }
  }
}
