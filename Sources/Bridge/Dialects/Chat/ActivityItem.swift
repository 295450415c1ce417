// What goes on beside an answer as objects: an extension of chat completions for clients that show commands, questions and notes
// apart from the model's thoughts. Pure.

/// One thing that goes on beside an answer. A later one with the same id replaces it.
struct ActivityItem: Sendable, Equatable {
  enum Kind: String, Sendable {
    case command
    case fileChange = "file_change"
    case webSearch = "web_search"
    case tool
    /// A question to a person.
    case approval
    case note
  }

  enum Status: String, Sendable {
    case inProgress = "in_progress"
    case completed
    case failed
    case declined
  }

  /// The member of a message, or of a chunk's delta, that has it.
  static let member = "bridge_activity"

  let id: String
  let kind: Kind
  var status: Status
  /// For people, with control and format characters escaped; nil for an update that tells no more than its status.
  var text: String?
  /// The exit status of a command that has ended.
  var exitCode: Int?

  /// Nil for an event that is told in another way, or not at all. `number` makes the id of what has none of its own.
  init?(_ event: TurnEvent, number: Int) {
    switch event {
    case .tool(let report): self.init(report)
    case .question(let report): self.init(report, number: number)
    case .toolsLeftOut(let count): self.init(note: ActivityText.toolsLeftOut(count), number)
    case .reconnecting(let reason): self.init(note: ActivityText.reconnecting(reason), number)
    case .notKept: self.init(note: ActivityText.notKept, number)
    case .effectsStay: self.init(note: ActivityText.effectsStay, number)
    case .toolCalls(let open):
      guard !open.faults.isEmpty else { return nil }
      self.init(note: ActivityText.paragraph(open.faults), number)
    case .began, .itemBegan, .answer, .commentary, .reasoning, .reasoningPart, .itemEnded, .usage,
      .answerRetracted, .answerIsCommentary, .ended:
      return nil
    }
  }

  private init(note: String, _ number: Int) {
    (id, kind, status, text) = ("note_\(number)", .note, .completed, note)
  }

  private init(_ report: ToolReport) {
    id = "tool_\(report.number)"
    kind =
      switch report.use {
      case .command: .command
      case .fileChange: .fileChange
      case .webSearch: .webSearch
      case .tool: .tool
      }
    text = ActivityText.line(report.use)
    let outcome: ToolOutcome? = if case .ended(let outcome) = report.progress { outcome } else { nil }
    (status, exitCode) = Self.ending(outcome)
  }

  /// How the use of a tool has ended; it runs where there is no outcome.
  static func ending(_ outcome: ToolOutcome?) -> (Status, exitCode: Int?) {
    switch outcome {
    case nil: (.inProgress, nil)
    case .done: (.completed, nil)
    case .exited(let code): (.completed, code)
    case .failed: (.failed, nil)
    case .declined: (.declined, nil)
    }
  }

  private init(_ report: QuestionReport, number: Int) {
    kind = .approval
    switch report {
    case .asked(let approval):
      (id, status) = (approval.id, .inProgress)
      text = approval.question.lines().joined(separator: "\n")
    case .answered(let answered, let decision, _):
      (id, status) = (answered, decision == .decline ? .declined : .completed)
      text = decision == .decline ? ActivityText.paragraph(report) : nil
    case .declined, .declinedUnseen:
      (id, status) = ("question_\(number)", .declined)
      text = ActivityText.paragraph(report)
    }
  }

  var object: JSONValue {
    var object = JSONObject()
    object["id"] = .string(id)
    object["type"] = .string(kind.rawValue)
    object["status"] = .string(status.rawValue)
    object["text"] = .text(text)
    object["exit_code"] = exitCode.map { .int($0) } ?? .null
    return .object(object)
  }

  /// It, changed by a later one with the same id.
  func updated(by later: ActivityItem) -> ActivityItem {
    var item = later
    if item.kind == .approval, let text {
      item.text = [text, later.text].compactMap { $0 }.joined(separator: "\n")
    }
    return item
  }
}
