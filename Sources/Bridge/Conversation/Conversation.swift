// What was said and what may be used, in words free of any dialect and of any engine.

/// A conversation as a client sends it.
struct Conversation: Sendable, Equatable {
  enum Role: Sendable {
    /// Who built the application: the system prompt, and what is told later.
    case developer
    case user
    case assistant
  }

  enum Part: Sendable, Equatable {
    case text(String)
    /// An image and the field of the request that holds it, for errors.
    case image(url: String, field: String)
  }

  struct Message: Sendable, Equatable {
    let role: Role
    /// An assistant that only calls tools says nothing: then there are none.
    var parts: [Part]

    /// The text parts joined.
    var text: String {
      parts.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined(separator: "\n")
    }
  }

  /// A call of a function that the client brings.
  struct ToolCall: Sendable, Equatable {
    let id: String
    let name: String
    /// JSON text, as the model wrote it.
    let arguments: String
  }

  /// What the client's function has returned.
  struct ToolOutput: Sendable, Equatable {
    let callID: String
    /// The function's name, where a client names that instead of the call.
    var functionName: String?
    var parts: [Part]

    var text: String { Message(role: .user, parts: parts).text }
  }

  enum Item: Sendable, Equatable {
    case message(Message)
    /// The model's own thoughts, which a client shows or sends back.
    case reasoning(String)
    case toolCall(ToolCall)
    case toolOutput(ToolOutput)
  }

  /// What the answer must look like.
  enum Format: Sendable, Equatable {
    case text
    case jsonObject
    case jsonSchema(JSONValue)
  }

  /// In their order. Instructions are messages of the developer among them, where the client has put them.
  var items: [Item]
  var tools = Tools()
  var format = Format.text
  /// Whether all items are new: what came before them is known by a name, and was not sent again.
  var isContinuation = false
}

extension Conversation {
  /// All that the developer says, wherever it stands; nil if that is nothing.
  var instructions: String? {
    let texts = items.compactMap { $0.message(of: .developer)?.text }.filter { !$0.isEmpty }
    return texts.isEmpty ? nil : texts.joined(separator: "\n\n")
  }

  /// What functions have returned since the last answer.
  var newOutputs: [ToolOutput] {
    items[firstNewItem...].compactMap { if case .toolOutput(let output) = $0 { output } else { nil } }
  }

  /// The items before that which the client has said after so many others (`SHA256Digest.said`).
  func items(beforeSaid count: Int) -> ArraySlice<Item> {
    var left = count
    let end = items.firstIndex { item in
      guard item.isSaidByClient else { return false }
      left -= 1
      return left < 0
    }
    return items[..<(end ?? items.endIndex)]
  }

  /// How many answers were sent again.
  var answerCount: Int { isContinuation ? 0 : items.count { $0.message(of: .assistant) != nil } }

  /// Where what follows the last answer begins: behind the last message of the assistant and the calls it made. A
  /// conversation without an answer is new from its first item on, however much it looks like one before.
  var firstNewItem: Int {
    guard !isContinuation, let last = items.lastIndex(where: { $0.message(of: .assistant) != nil }) else {
      return 0
    }
    return items[last...].dropFirst().firstIndex { !$0.isCall } ?? items.endIndex
  }
}

extension Conversation.Part {
  /// An image that no field of a request holds.
  static func image(_ url: String) -> Self { .image(url: url, field: "") }

  var isImage: Bool { if case .image = self { true } else { false } }
}

extension Conversation.Item {
  static func message(_ role: Conversation.Role, _ parts: [Conversation.Part]) -> Self {
    .message(Conversation.Message(role: role, parts: parts))
  }

  /// The message, if it is one of this role.
  func message(of role: Conversation.Role) -> Conversation.Message? {
    if case .message(let message) = self, message.role == role { message } else { nil }
  }

  var callID: String? { if case .toolCall(let call) = self { call.id } else { nil } }
  var outputID: String? { if case .toolOutput(let output) = self { output.callID } else { nil } }

  fileprivate var isCall: Bool { if case .toolCall = self { true } else { false } }

  var hasImages: Bool { parts.contains { if case .image = $0 { true } else { false } } }

  /// The parts in which images may be.
  var parts: [Conversation.Part] {
    get {
      switch self {
      case .message(let message): message.parts
      case .toolOutput(let output): output.parts
      case .reasoning, .toolCall: []
      }
    }
    set {
      switch self {
      case .message(var message):
        message.parts = newValue
        self = .message(message)
      case .toolOutput(var output):
        output.parts = newValue
        self = .toolOutput(output)
      case .reasoning, .toolCall: break
      }
    }
  }
}
