// What a person types in `bridged chat`: a message, or a command. Pure.

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
    /exit           leave; Ctrl-D does the same
    Ctrl-C          interrupt the answer
    """

  init(_ line: String) {
    let text = line.trimmingSpaces()
    guard text.hasPrefix("/") else {
      self = text.isEmpty ? .nothing : .message(text)
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
