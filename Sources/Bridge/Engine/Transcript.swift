// What an engine's own record tells of a conversation, for people and programs that read it.

/// What was said and done in a thread, oldest first.
struct Transcript: Sendable, Equatable {
  /// Something that was said, or was done once.
  struct Item: Sendable, Equatable {
    /// The engine's name of the turn. Nil for what was put into the thread and ran elsewhere, if it ran.
    var turnID: String?
    var content: Content
    /// Whether a message is what the model said about its work, which is no part of the answer (`MessagePhase`).
    var isCommentary = false
  }

  enum Content: Sendable, Equatable {
    case message(Conversation.Role, [Part])
    /// A command that the engine has run by itself.
    case command(String, CommandStatus)
    /// A call of a function of the client.
    case toolCall(Conversation.ToolCall)
    case toolOutput(callID: String, [Part])
  }

  /// A part of what was said. An image is told of and not shown, because it may have megabytes.
  enum Part: Sendable, Equatable {
    case text(String)
    /// The media type, nil where it is not told, and how long the URL is, in bytes.
    case image(mediaType: String?, bytes: Int)

    /// `url` may be a `data:` URL.
    init(imageURL url: String) {
      let head = url.utf8.prefix(100).prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: ",") }
      let type = head.starts(with: "data:".utf8) ? String(decoding: head.dropFirst(5), as: UTF8.self) : nil
      self = .image(mediaType: type, bytes: url.utf8.count)
    }
  }

  enum CommandStatus: String, Sendable {
    case completed
    case failed
    /// A person, or the lack of one, did not allow it.
    case declined
    /// It runs, or nobody knows how it has ended.
    case unfinished
  }

  var items: [Item]
  /// Whether what was put into the thread when it was made is among the items.
  var isWhole: Bool
}

extension Transcript.Part {
  init(_ part: Conversation.Part) {
    switch part {
    case .text(let text): self = .text(text)
    case .image(let url, _): self = Self(imageURL: url)
    }
  }
}
