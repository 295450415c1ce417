// What a person enters in `bridged chat`: a message, or a command; and what an answer to a question means. Pure.

/// A line of the conversation.
enum ChatCommand: Equatable, Sendable {
  case nothing
  case message(String)
  case help
  case exit
  case new
  case reset
  /// Nil asks which one.
  case resume(String?)
  case undo
  /// Nil asks which model is in use and which there are.
  case model(String?)
  case models
  case status
  case details
  case copy
  case unknown(String)

  static let helpText = """
    /new            begin another conversation; this one is kept
    /resume         list the conversations of this directory and go on with one;
                    /resume N goes on with number N, or the id that begins so
    /undo           take the last turn back; what it did to files stays
    /reset          forget this conversation and begin a new one
    /model          which model is in use, and which there are
    /model NAME     use another model, or NAME:EFFORT
    /models         the models with their efforts
    /status         model, conversation, tokens and plan limits
    /details        what Codex ran for the last answer, in full
    /copy           copy the last answer (by the terminal, OSC 52)
    /help           this text
    /exit           leave; Ctrl-D on an empty line does the same

    Enter           send
    Alt-Enter       a further line of the message; so does Enter after a \\
    Ctrl-G          write the message in an editor ($VISUAL or $EDITOR)
    Up, Down        earlier messages
    Ctrl-C          interrupt the answer; at the prompt, drop what is typed
    Ctrl-A, Ctrl-E  beginning and end of the line; Ctrl-W, Ctrl-U, Ctrl-K erase
    Ctrl-Z          stop the program; fg goes on
    What is pasted is text, however many lines it has: Enter sends it, and it is
    never a command. What you type while Codex answers is for the next message.
    """

  /// The names that `did you mean` knows.
  private static let names = [
    "/help", "/exit", "/quit", "/new", "/reset", "/resume", "/undo", "/model", "/models", "/status", "/details",
    "/copy",
  ]

  init(_ line: EnteredLine) {
    let text = line.text.trimmingSpaces()
    guard text.hasPrefix("/"), line.origin != .pasted else {
      self = text.isEmpty ? .nothing : .message(String(line.text.trimmingSuffix { $0.isWhitespace }))
      return
    }
    let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
    let rest = parts.count > 1 ? parts[1].trimmingSpaces() : nil
    switch parts[0] {
    case "/help", "/?": self = .help
    case "/exit", "/quit": self = .exit
    case "/new": self = .new
    case "/reset": self = .reset
    case "/resume": self = .resume(rest)
    case "/undo": self = .undo
    case "/model": self = .model(rest)
    case "/models": self = .models
    case "/status": self = .status
    case "/details": self = .details
    case "/copy": self = .copy
    // A path is a message; a single word that begins with a slash is a mistyped command.
    default: self = parts[0].dropFirst().contains("/") ? .message(text) : .unknown(parts[0])
    }
  }

  /// What is said of a command that there is not.
  static func unknownText(_ name: String) -> String {
    let hint = nearest(to: name).map { "; did you mean \($0)?" } ?? ""
    return "\(name.printable) is no command\(hint.isEmpty ? ";" : hint) /help shows them."
  }

  /// The command that is meant by a mistyped one, nil for none.
  static func nearest(to name: String) -> String? {
    NearestName.among(names, to: name.lowercased())
  }
}

/// What a person says to "Allow?".
enum ApprovalReply: Equatable, Sendable {
  case decision(Approval.Decision)
  /// Neither yes nor no: a refusal, and words for Codex.
  case message(EnteredLine)

  /// Only whole words that were typed decide; whatever else it says, free text never approves anything.
  init(_ line: EnteredLine) {
    let word = line.text.trimmingSpaces().lowercased()
    switch (word, line.origin) {
    case ("y", .typed), ("yes", .typed): self = .decision(.accept)
    case ("a", .typed), ("always", .typed): self = .decision(.acceptForSession)
    case ("n", .typed), ("no", .typed): self = .decision(.decline)
    default: self = .message(line)
    }
  }
}
