// What the engine asks a person before it acts, as facts: what exactly would be done, where, and with which rights.
// How these facts read is in `ApprovalText`.

/// Something the engine wants to do and may not do by itself.
struct Approval: Sendable, Equatable {
  /// What a person, or the lack of one, decides.
  enum Decision: String, Sendable, CaseIterable {
    case accept
    case acceptForSession = "accept_for_session"
    case decline
  }

  let id: String
  let question: Question
  let thread: ThreadID
  /// The request whose turn asks.
  let requestID: String
  /// Who may answer.
  let owner: Principal
  /// Seconds since 1970.
  let askedAt: Int
  let expiresAt: Int
}

extension Approval {
  /// What is asked. Texts are the engine's, exactly as it sent them.
  struct Question: Sendable, Equatable {
    let action: Action
    /// Why the engine asks, in its own words; cut where it is long, for nothing is decided by it.
    var reason: String?
    /// Where the engine would do it; nil if it does not say.
    var workingDirectory: String?
  }

  /// What is done if the answer is yes.
  enum Action: Sendable, Equatable {
    case command(Command)
    /// Input to a command that runs already.
    case terminalInput(Command)
    case fileChange(FileChanges)
    case network(Destination)
    case permissions(Permissions)
    case mcpTool(ServerQuestion)
    /// A server's own question that can be answered with yes or no.
    case mcpQuestion(ServerQuestion)

    /// Whether a yes can count for the rest of the session.
    var canBeForSession: Bool {
      switch self {
      case .command, .fileChange, .network, .permissions: true
      case .mcpTool(let question): question.canBeRemembered
      case .terminalInput, .mcpQuestion: false
      }
    }

    /// The name of the kind in JSON.
    var kind: String {
      switch self {
      case .command: "command"
      case .terminalInput: "terminal_input"
      case .fileChange: "file_change"
      case .network: "network"
      case .permissions: "permissions"
      case .mcpTool: "mcp_tool"
      case .mcpQuestion: "mcp_question"
      }
    }
  }

  struct Command: Sendable, Equatable {
    /// What is handed to the shell, or the whole command line if no known shell is named in it.
    let text: String
    /// The shell with its option.
    var shell: String?
    /// Where it runs if not on this machine as usual.
    var environment: String?
    var sandbox: Sandbox?
    /// Rights it gets besides those of the sandbox.
    var permissions: Permissions?
  }

  /// How an accepted command runs.
  enum Sandbox: String, Sendable {
    case outside
    /// In the sandbox; if that stops it, once more without, and nobody is asked again.
    case mayLeave = "may_leave"
    /// In the sandbox with more rights.
    case widened
    /// There is none: the sandbox mode is danger-full-access.
    case absent = "none"
  }

  struct FileChanges: Sendable, Equatable {
    let files: [FileChange]
    /// A directory below which everything may be written from then on.
    var grantRoot: String?
  }

  struct FileChange: Sendable, Equatable {
    enum Kind: String, Sendable { case add, delete, update }

    let path: String
    let kind: Kind
    /// Where the file goes if it is moved.
    var newPath: String?
    /// Of an update a diff in unified form, else the content of the file; its beginning if it is long.
    let diff: String
    /// Bytes of it that are not kept.
    var hiddenDiffBytes = 0
  }

  struct Destination: Sendable, Equatable {
    let host: String
    /// "http", "https", "socks5Tcp" or "socks5Udp".
    let scheme: String
    var port: Int?
  }

  struct Permissions: Sendable, Equatable {
    enum Mode: String, Sendable { case read, write, deny }

    struct Access: Sendable, Equatable {
      let mode: Mode
      /// A path, a pattern, or words for a place that has no fixed path.
      let place: String
    }

    let network: Bool
    let files: [Access]
  }

  struct ServerQuestion: Sendable, Equatable {
    /// The name of the MCP server.
    let server: String
    let message: String
    /// What the tool is called with.
    var arguments: JSONValue?
    /// Whether a yes may count for the rest of the conversation.
    var canBeRemembered = false
  }
}
