// Who shows the events of a turn: `TurnDisplay` for people, `TurnEventLines` for programs.

/// Shows one turn after another.
@LoopActor
protocol TurnViewer: AnyObject {
  /// A message is on its way to Codex.
  func begin()

  /// An event of the turn, but for its end.
  func show(_ event: TurnEvent)

  /// The turn has ended, or has not begun because of an error.
  func end(_ ending: TurnViewEnding)
}

/// How what a viewer has shown ended.
struct TurnViewEnding: Sendable {
  var usage = TokenUsage()
  /// What the plan still allows, as far as Codex has told.
  var limits: [EngineAccount.Limit] = []
  var wasInterrupted = false
  /// Nil for an answer that is whole.
  var error: APIError?
  /// What can be done about the error.
  var advice: String?
}

/// The answer of a turn as far as it stands.
struct AnswerText: Sendable {
  private(set) var text = ""
  /// Bytes of it that the engine cannot take back any more.
  private var finalBytes = 0
  private var paragraphs = AnswerParagraphs(.none)

  /// Takes an event.
  mutating func take(_ event: TurnEvent) {
    if let (piece, channel) = event.text {
      guard channel == .answer else { return }
      if paragraphs.needsBlankLine(before: .answer) { text += AnswerParagraphs.blankLine }
      text += piece.text
      return
    }
    _ = paragraphs.take(event)
    switch event {
    case .usage: finalBytes = text.utf8.count
    case .answerRetracted: text = String(text.beginning(ofBytes: finalBytes))
    case .answerIsCommentary(let messages): text = AnswerParagraphs.joined(messages)
    default: break
    }
  }
}
