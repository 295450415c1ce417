// Puts tools, questions and reconnects of a turn into words for people. Names and commands are escaped, so that none of
// them can look like a line of its own.

/// English sentences about what the engine does, asks and waits for.
enum ActivityText {
  /// A longer list of file names is cut to this.
  private static let maxNamesBytes = 8 << 10

  /// One line about a tool at work.
  static func line(_ use: ToolUse) -> String {
    switch use {
    case .command(let text): "Running `\(text?.printable ?? "a command")`"
    case .fileChange(let paths, let count): "Changing \(names(paths))" + rest(count - paths.count)
    case .webSearch(let query): "Searching the web for “\(query.printable)”"
    case .tool(let name, _): "Calling the tool \(name.printable)"
    }
  }

  private static func names(_ paths: [String]) -> String {
    paths.joined(separator: ", ").shortened(toBytes: maxNamesBytes).printable
  }

  private static func rest(_ count: Int) -> String { count > 0 ? " and \(count) more" : "" }

  /// The paragraph about the beginning or the end of a tool's use; nil for an end that tells nothing new.
  static func paragraph(_ report: ToolReport) -> String? {
    switch (report.progress, report.use) {
    case (.began, let use): line(use)
    case (.ended(.exited(let status)), .command): "Exit code \(status)"
    case (.ended(.declined), .command): "The command was declined."
    case (.ended, _): nil
    }
  }

  /// The paragraph about a question.
  static func paragraph(_ report: QuestionReport) -> String {
    switch report {
    case .asked(let approval):
      (approval.question.lines() + ["Waiting for an answer to \(approval.id)."]).joined(separator: "\n")
    case .answered(_, .decline, let byPerson): byPerson ? "Declined." : "Nobody answered in time; declined."
    case .answered: "Approved."
    case .declined(let question, let obstacle):
      (question.lines(verb: "asked") + [text(obstacle)]).joined(separator: "\n")
    case .declinedUnseen(let what): "Codex asked to \(what); declined."
    }
  }

  private static func text(_ obstacle: QuestionReport.Obstacle) -> String {
    switch obstacle {
    case .nobodyIsAsked: "Declined: nobody is asked."
    case .tooManyAreOpen: "Declined: too many questions are open."
    }
  }

  /// The paragraph about calls whose arguments do not follow their schemas.
  static func paragraph(_ violations: [SchemaViolation]) -> String {
    violations.map { "The call of \($0.function) does not follow its schema: \($0.fault)." }.joined(
      separator: "\n")
  }

  /// The paragraph about tools that were used and are not told of.
  static func toolsLeftOut(_ count: Int) -> String {
    "Codex used \(count == 1 ? "one more tool" : "\(count) more tools") meanwhile."
  }

  /// The paragraph about turns that were taken back, and what they have done.
  static let effectsStay =
    "An earlier answer was taken back. What its commands have done and the files that it has changed stay as they are."

  /// The paragraph about a turn that could not be kept while it waited.
  static let notKept =
    "While this turn waited for the outputs of functions it could not be kept on disk; a restart would have lost it."

  /// The paragraph about the engine's attempts to reach the model.
  static func reconnecting(_ reason: String) -> String {
    "Codex cannot reach the model and tries again: \(reason)"
  }
}
