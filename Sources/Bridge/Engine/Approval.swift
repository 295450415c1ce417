// What the engine asks a person before it acts: what exactly would be done, where, and with which rights.
// `ApprovalText` puts these facts into words.

/// A request of the engine to do something that a person has to allow first.
struct Approval: Sendable, Equatable {
  /// The answer to the request. When nobody answers in time, it is `decline`.
  enum Decision: String, Sendable, CaseIterable {
    case accept
    case acceptForSession = "accept_for_session"
    case decline
  }

  let id: String
  let question: Question
  let thread: ThreadID
  /// The client's request whose turn asks.
  let requestID: String
  /// The only one who may see the question and answer it.
  let owner: Principal
  /// Seconds since 1970.
  let askedAt: Int
  /// Seconds since 1970. A question that is still open then is declined.
  let expiresAt: Int
}

extension Approval {
  /// What is asked. Its texts are the engine's, exactly as it sent them and not escaped.
  struct Question: Sendable, Equatable {
    let action: Action
    /// Why the engine asks, in its own words. A long reason is cut: it explains the action and does not define it.
    var reason: String?
    /// Where the engine would do it; nil if it does not say.
    var workingDirectory: String?
  }

  /// What the engine does if the answer is yes.
  enum Action: Sendable, Equatable {
    case command(Command)
    /// Send input to a command that runs already.
    case terminalInput(Command)
    case fileChange(FileChanges)
    case network(Destination)
    case permissions(Permissions)
    case mcpTool(ServerQuestion)
    /// Answer a question that an MCP server asks for itself, with yes or no.
    case mcpQuestion(ServerQuestion)

    /// Whether one yes can count for all actions of this kind until the session ends.
    var canBeForSession: Bool {
      switch self {
      case .command, .fileChange, .network, .permissions: true
      case .mcpTool(let question): question.canBeRemembered
      case .terminalInput, .mcpQuestion: false
      }
    }

    /// How a command runs that is accepted; nil for other actions, and where the engine does not say.
    var sandbox: Sandbox? { if case .command(let command) = self { command.sandbox } else { nil } }

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
    /// The script that a known shell is given, or the whole command line if it does not start a known shell.
    let text: String
    /// The shell with its option, as in "/bin/bash -lc"; nil if `text` is the whole command line.
    var shell: String?
    /// The engine's name of the place where the command runs; nil for this machine.
    var environment: String?
    var sandbox: Sandbox?
    /// Rights that the command gets besides those of the sandbox.
    var permissions: Permissions?
  }

  /// How an accepted command runs.
  enum Sandbox: String, Sendable {
    case outside
    /// In the sandbox. If the sandbox stops the command, it runs once more outside, and nobody is asked again.
    case mayLeave = "may_leave"
    /// In the sandbox with more rights.
    case widened
    /// There is no sandbox: the sandbox mode is danger-full-access.
    case absent = "none"
  }

  struct FileChanges: Sendable, Equatable {
    let files: [FileChange]
    /// A directory. The engine may write everything below it from then on.
    var grantRoot: String?
  }

  struct FileChange: Sendable, Equatable {
    enum Kind: String, Sendable { case add, delete, update }

    let path: String
    let kind: Kind
    /// Where the file is moved to; nil if it stays.
    var newPath: String?
    /// For an update a diff in unified form, else the content of the file. Only the beginning of a long one is kept.
    let diff: String
    /// How many bytes of the diff are not kept.
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
      /// A path, a pattern, or a description in words of a place that has no fixed path.
      let place: String
    }

    let network: Bool
    let files: [Access]
  }

  struct ServerQuestion: Sendable, Equatable {
    /// The name of the MCP server.
    let server: String
    let message: String
    /// The arguments that the tool is called with; nil for a question that is no tool call.
    var arguments: JSONValue?
    /// Whether the server lets one yes count for the rest of the conversation.
    var canBeRemembered = false
  }
}
