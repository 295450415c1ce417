// Whether anybody still waits for an answer. Pure: facts in, actions out.

/// Counts the readers of one answer, and decides what happens when the last of them has left.
struct AnswerAttendance: Equatable, Sendable {
  /// How long an answer without readers is waited for.
  enum Patience: Sendable {
    /// It is given up at once, so that the turn does not go on for nobody.
    case none
    /// A retry may come within a grace.
    case grace
    /// Its turn goes on to its end.
    case endless
  }

  enum Action: Equatable, Sendable {
    case none
    case startGrace
    case stopGrace
    case abandon
  }

  private enum Stage: Equatable, Sendable {
    case attended(readers: Int)
    /// Nobody reads it, and somebody may come.
    case unattended
    case abandoned
    /// The turn has ended, and before that it was at this stage.
    indirect case over(after: Stage)
  }

  private var stage = Stage.attended(readers: 1)
  private var patience = Patience.none

  /// Whether its last reader has left for good.
  var isAbandoned: Bool { last == .abandoned }

  /// Whether somebody reads it.
  var isAttended: Bool { if case .attended = last { true } else { false } }

  private var last: Stage { if case .over(let earlier) = stage { earlier } else { stage } }

  mutating func joined() -> Action {
    switch stage {
    case .attended(let readers): stage = .attended(readers: readers + 1)
    case .unattended:
      stage = .attended(readers: 1)
      return patience == .grace ? .stopGrace : .none
    // Whoever comes now is given what there is, and cannot change it.
    case .abandoned, .over: break
    }
    return .none
  }

  mutating func left() -> Action {
    guard case .attended(let readers) = stage else { return .none }
    guard readers == 1 else {
      stage = .attended(readers: readers - 1)
      return .none
    }
    switch patience {
    case .none: return abandon()
    case .grace:
      stage = .unattended
      return .startGrace
    case .endless:
      stage = .unattended
      return .none
    }
  }

  /// Nobody wants the answer any more, whoever reads it.
  mutating func cancelled() -> Action {
    switch stage {
    case .attended, .unattended: abandon()
    case .abandoned, .over: .none
    }
  }

  mutating func graceEnded() -> Action { stage == .unattended ? abandon() : .none }

  /// The turn is given to the engine from here on, which may have begun with it long before it says so. Whoever leaves before
  /// that leaves the queue.
  mutating func starts(_ patience: Patience) {
    self.patience = patience
    if stage == .abandoned, patience == .endless { stage = .unattended }
  }

  /// The turn has ended.
  mutating func ended() -> Action {
    if case .over = stage { return .none }
    defer { stage = .over(after: stage) }
    return stage == .unattended && patience == .grace ? .stopGrace : .none
  }

  private mutating func abandon() -> Action {
    stage = .abandoned
    return .abandon
  }
}
