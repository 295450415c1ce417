// What the engine asks a person: the open questions, and who answers them. Owns them until they are decided.

/// The open questions of all turns.
@LoopActor
final class ApprovalDesk {
  /// Open questions of one key. Each may be some hundred kilobytes, and nobody decides on more at once.
  static let maxOpenPerOwner = 64

  private struct Open {
    let approval: Approval
    let timer: LoopTimer
    let answer: @LoopActor (Approval.Decision, Bool) -> Void
  }

  private var open: [String: Open] = [:]
  /// Called when a question was asked or decided.
  var onChange: (@LoopActor () -> Void)?

  /// The open questions, oldest first.
  var pending: [Approval] {
    open.values.map(\.approval).sorted { ($0.askedAt, $0.id) < ($1.askedAt, $1.id) }
  }

  /// Whether one who may answer has room for a further question.
  func hasRoom(for owner: Principal) -> Bool {
    open.values.count { $0.approval.owner == owner } < Self.maxOpenPerOwner
  }

  /// Asks. `answer` is called once, with the decision and whether a person made it, unless the question is withdrawn;
  /// after `limit` the decision is to decline.
  func ask(
    _ approval: Approval,
    limit: Duration,
    answer: @escaping @LoopActor (Approval.Decision, _ byPerson: Bool) -> Void
  ) {
    let timer = LoopTimer { [weak self] in _ = self?.decide(approval.id, .decline, byPerson: false) }
    timer.start(after: limit)
    open[approval.id] = Open(approval: approval, timer: timer, answer: answer)
    onChange?()
  }

  /// The open questions of one who may answer them, oldest first.
  func pending(for owner: Principal) -> [Approval] { pending.filter { $0.owner == owner } }

  /// An open question of one who may answer it.
  func approval(_ id: String, for owner: Principal) -> Approval? {
    open[id].map(\.approval).flatMap { $0.owner == owner ? $0 : nil }
  }

  /// Answers a question. False if it is not open (any more), or another's.
  func answer(_ id: String, _ decision: Approval.Decision, by owner: Principal) -> Bool {
    open[id]?.approval.owner == owner && decide(id, decision, byPerson: true)
  }

  /// Forgets the questions of a thread whose turn has ended.
  func withdraw(thread: ThreadID) {
    let ids = open.values.filter { $0.approval.thread == thread }.map(\.approval.id)
    for id in ids { open.removeValue(forKey: id)?.timer.close() }
    if !ids.isEmpty { onChange?() }
  }

  private func decide(_ id: String, _ decision: Approval.Decision, byPerson: Bool) -> Bool {
    guard let question = open.removeValue(forKey: id) else { return false }
    question.timer.close()
    question.answer(decision, byPerson)
    onChange?()
    return true
  }
}
