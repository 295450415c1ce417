// What has been sent of a turn's text, for the case that Codex retries a call of the model and the text comes again.
// Pure: facts in, actions out.

/// How much of the answer has been sent.
enum SentAnswer: Sendable, Equatable {
  case nothing
  /// Only text of calls of the model that have succeeded. A retry does not repeat it.
  case final
  /// Text of the call under way, which a retry would repeat; before it text of earlier calls if `afterFinal`.
  case unfinished(afterFinal: Bool)

  /// Records that a piece of text is sent.
  mutating func addText() {
    switch self {
    case .nothing: self = .unfinished(afterFinal: false)
    case .final: self = .unfinished(afterFinal: true)
    case .unfinished: break
    }
  }

  /// Records that the call under way has succeeded.
  mutating func callEnded() {
    if case .unfinished = self { self = .final }
  }

  /// Takes the text of the call under way back. Returns whether there was any.
  mutating func retract() -> Bool {
    guard case .unfinished(let isAfterFinal) = self else { return false }
    self = isAfterFinal ? .final : .nothing
    return true
  }
}

/// Whether reasoning or commentary of the call under way has been sent.
enum SentBesideAnswer: Sendable, Equatable {
  case nothing
  /// It has been sent, and a retry would repeat it.
  case sent
  /// A retry is repeating it.
  case repeated

  /// Records that a piece of text has come. Returns whether to send it: text that a retry repeats is not sent again.
  mutating func addText() -> Bool {
    guard self != .repeated else { return false }
    self = .sent
    return true
  }

  /// Records that the call under way has succeeded.
  mutating func callEnded() { self = .nothing }

  /// Records that Codex retries the call under way.
  mutating func retry() {
    if self == .sent { self = .repeated }
  }
}
