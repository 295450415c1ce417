// What a person enters in `bridged chat`: a message, or a command; and what an answer to a question means. Pure.

/// A line of the conversation.
enum ChatCommand: Equatable, Sendable {
  case nothing
  case message(String)
  case help
  case exit
  case reset
  /// Nil asks which model is in use and which there are.
  case model(String?)
  case unknown(String)

  static let helpText = """
    /help           this text
    /model          which model is in use, and which there are
    /model NAME     use another model, or NAME:EFFORT
    /reset          forget this conversation and begin a new one
    /exit           leave; Ctrl-D on an empty line does the same
    Alt-Enter       a further line of the message; so does Enter after a \\
    Up, Down        earlier messages
    Ctrl-C          interrupt the answer; at the prompt, drop what is typed
    What is pasted is text, however many lines it has: Enter sends it, and it is
    never a command. What you type while Codex answers is for the next message.
    """

  init(_ line: EnteredLine) {
    let text = line.text.trimmingSpaces()
    guard text.hasPrefix("/"), line.origin != .pasted else {
      self = text.isEmpty ? .nothing : .message(String(line.text.trimmingSuffix { $0.isWhitespace }))
      return
    }
    let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
    switch parts[0] {
    case "/help", "/?": self = .help
    case "/exit", "/quit": self = .exit
    case "/reset", "/new": self = .reset
    case "/model": self = .model(parts.count > 1 ? parts[1].trimmingSpaces() : nil)
    // A path is a message; a single word that begins with a slash is a mistyped command.
    default: self = parts[0].dropFirst().contains("/") ? .message(text) : .unknown(parts[0])
    }
  }
}

/// What a person says to "Allow?".
enum ApprovalReply: Equatable, Sendable {
  case decision(Approval.Decision)
  /// Nothing was said.
  case nothing
  /// Neither yes nor no: a refusal, and words for Codex.
  case message(EnteredLine)

  /// Only whole words that were typed decide; whatever else it says, free text never approves anything.
  init(_ line: EnteredLine) {
    let word = line.text.trimmingSpaces().lowercased()
    switch (word, line.origin) {
    case ("", _): self = .nothing
    case ("y", .typed), ("yes", .typed): self = .decision(.accept)
    case ("a", .typed), ("always", .typed): self = .decision(.acceptForSession)
    case ("n", .typed), ("no", .typed): self = .decision(.decline)
    default: self = .message(line)
    }
  }
}
