// What a turn has told so far, as far as a retry of the engine can repeat it. Pure: facts in, actions out.

/// How much of the answer has been told.
enum ToldAnswer: Sendable, Equatable {
  case nothing
  /// Text of calls of the model that have ended well: no retry repeats it.
  case final
  /// Text of the call under way, which a retry voids and repeats, and maybe final text before it.
  case unfinished(afterFinal: Bool)

  /// A piece of text is told.
  mutating func tell() {
    switch self {
    case .nothing: self = .unfinished(afterFinal: false)
    case .final: self = .unfinished(afterFinal: true)
    case .unfinished: break
    }
  }

  /// The call under way has ended well.
  mutating func callEnded() {
    if case .unfinished = self { self = .final }
  }

  /// The call under way is voided. Returns whether text was told of it, which has to be taken back.
  mutating func retract() -> Bool {
    guard case .unfinished(let isAfterFinal) = self else { return false }
    self = isAfterFinal ? .final : .nothing
    return true
  }
}

/// What the call under way has said beside the answer.
enum ToldBeside: Sendable, Equatable {
  case nothing
  /// It has been told, and a retry would repeat it.
  case told
  /// A retry is repeating it.
  case repeated

  /// Text has come. Returns whether to tell it: what was told before is not told again.
  mutating func tell() -> Bool {
    guard self != .repeated else { return false }
    self = .told
    return true
  }

  /// The call under way has ended well.
  mutating func callEnded() { self = .nothing }

  /// The call under way is made again.
  mutating func retry() {
    if self == .told { self = .repeated }
  }
}
