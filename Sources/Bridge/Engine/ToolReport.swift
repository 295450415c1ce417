// The commands, tools and questions of a turn that are reported beside the model's text. `ActivityText` puts them into
// words.

/// One thing that the engine does for the model: run a command, change files, search the web or call a tool.
///
/// The texts are the engine's, not escaped. Only the beginning of a long text is kept, with a note of how much is missing.
enum ToolUse: Sendable, Equatable {
  /// The script that the shell is given; nil if the engine does not say.
  case command(String?)
  /// `paths` are the first of the changed files, `count` is the number of all.
  case fileChange(paths: [String], count: Int)
  case webSearch(query: String)
  /// A tool by its name, and the MCP server that offers it; nil if the engine offers the tool itself.
  case tool(String, server: String?)

  /// UTF-8 bytes of its texts, for the bound on what waits for a slow reader.
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
  /// A command ended with this exit status.
  case exited(Int)
  case failed
  /// A person, or the lack of one, did not allow it.
  case declined
}

/// The beginning or the end of one use of a tool. Several uses may be under way at once.
struct ToolReport: Sendable, Equatable {
  enum Progress: Sendable, Equatable {
    case began
    case ended(ToolOutcome)
  }

  /// Which use of the turn this is, in the order in which they began, from 1. Beginning and end have the same number.
  let number: Int
  let use: ToolUse
  let progress: Progress
}

/// What happened to a question of the engine to a person. It is reported beside the answer.
enum QuestionReport: Sendable, Equatable {
  /// Why a question was declined without being put to a person.
  enum Obstacle: Sendable {
    /// The settings say that approvals are not asked for.
    case nobodyIsAsked
    case tooManyAreOpen
  }

  /// The question waits for a person.
  case asked(Approval)
  /// The question was decided: by a person, or else because its time was over.
  case answered(id: String, Approval.Decision, byPerson: Bool)
  /// The question was declined at once.
  case declined(Approval.Question, Obstacle)
  /// The question was declined at once because a person could not have seen all of what would be done. The text completes
  /// the sentence "Codex asked to …".
  case declinedUnseen(String)

  /// UTF-8 bytes of its texts, for the bound on what waits for a slow reader.
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
  /// UTF-8 bytes of its texts, without names, which are short.
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
