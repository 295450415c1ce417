// What the engine does and asks beside the model's text, as facts. How they read for people is in `ActivityText`.

/// What the engine uses: a command, a change of files, a search or a tool.
///
/// Texts are the engine's, with nothing in them escaped; of long ones the beginning is kept, and how much is not.
enum ToolUse: Sendable, Equatable {
  /// What is handed to the shell; nil if the engine does not say.
  case command(String?)
  /// The first of the paths, and how many there are.
  case fileChange(paths: [String], count: Int)
  case webSearch(query: String)
  /// A tool, and the MCP server that has it.
  case tool(String, server: String?)

  /// UTF-8 bytes of its texts.
  var byteCount: Int {
    switch self {
    case .command(let text): text?.utf8.count ?? 0
    case .fileChange(let paths, _): paths.reduce(0) { $0 + $1.utf8.count }
    case .webSearch(let query): query.utf8.count
    case .tool(let name, let server): name.utf8.count + (server?.utf8.count ?? 0)
    }
  }
}

/// How the use of a tool ended.
enum ToolOutcome: Sendable, Equatable {
  case done
  /// The command's own status.
  case exited(Int)
  case failed
  /// It was not allowed.
  case declined
}

/// The beginning or the end of a tool's use. Several may be under way at once.
struct ToolReport: Sendable, Equatable {
  enum Progress: Sendable, Equatable {
    case began
    case ended(ToolOutcome)
  }

  /// The same at its beginning and its end: which use it is in the order in which they began, from 1.
  let number: Int
  let use: ToolUse
  let progress: Progress
}

/// A question of the engine to a person, told beside the answer.
enum QuestionReport: Sendable, Equatable {
  /// Why nobody decides.
  enum Obstacle: Sendable {
    /// Nobody has been told to answer.
    case nobodyIsAsked
    case tooManyAreOpen
  }

  /// It waits for an answer.
  case asked(Approval)
  /// It waits no longer. If no person has decided, time has.
  case answered(id: String, Approval.Decision, byPerson: Bool)
  /// It was declined at once.
  case declined(Approval.Question, Obstacle)
  /// It was declined at once since a person could not see all of what would be done; in words, as the rest of "Codex asked
  /// to …".
  case declinedUnseen(String)

  /// UTF-8 bytes of the texts in it.
  var byteCount: Int {
    switch self {
    case .asked(let approval): approval.question.byteCount
    case .declined(let question, _): question.byteCount
    case .declinedUnseen(let what): what.utf8.count
    case .answered: 0
    }
  }
}

extension Approval.Question {
  /// UTF-8 bytes of the texts in it that are not bounded by a name's length.
  fileprivate var byteCount: Int {
    let reasonBytes = reason?.utf8.count ?? 0
    switch action {
    case .command(let command), .terminalInput(let command): return reasonBytes + command.text.utf8.count
    case .fileChange(let changes):
      return changes.files.reduce(reasonBytes) { $0 + $1.path.utf8.count + $1.diff.utf8.count }
    case .permissions(let permissions):
      return permissions.files.reduce(reasonBytes) { $0 + $1.place.utf8.count }
    case .mcpTool(let question), .mcpQuestion(let question): return reasonBytes + question.message.utf8.count
    case .network: return reasonBytes
    }
  }
}
