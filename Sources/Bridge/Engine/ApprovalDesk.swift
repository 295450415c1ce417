// The questions that the engine asks people, from the moment they are asked until they are decided.
// Owns the open questions, their time limits, and the rule that only the owner of a turn answers for it.

/// The open questions of all turns.
@LoopActor
final class ApprovalDesk {
  /// Upper bound on the open questions of one key. Each may take some hundred kilobytes of memory, and no person decides on
  /// more at once.
  static let maxOpenPerOwner = 64

  private struct OpenQuestion {
    /// Grows from question to question, so that the order of two of the same second is theirs too.
    let number: Int
    let approval: Approval
    /// Declines the question when its time is over.
    let timer: LoopTimer
    let answer: @LoopActor (Approval.Decision, _ byPerson: Bool) -> Void
  }

  /// By the ids of the approvals.
  private var open: [String: OpenQuestion] = [:]
  private var askedCount = 0
  /// Called when a question was asked, decided or withdrawn.
  var onChange: (@LoopActor () -> Void)?
  /// Called with each question that was opened, to tell people who look at nothing of the bridge. It cannot change anything
  /// about the question.
  var onAsk: (@LoopActor (Approval) -> Void)?

  /// The open questions, oldest first.
  var pending: [Approval] {
    open.values.sorted { $0.number < $1.number }.map(\.approval)
  }

  /// How many are open, of everybody.
  var openCount: Int { open.count }

  /// Whether a further question may be put to this owner.
  func hasRoom(for owner: Principal) -> Bool {
    open.values.count { $0.approval.owner == owner } < Self.maxOpenPerOwner
  }

  /// Opens a question. `answer` is called once, with the decision and whether a person made it. After `limit` the
  /// question is declined without a person. A question that is withdrawn gets no answer.
  func ask(
    _ approval: Approval,
    limit: Duration,
    answer: @escaping @LoopActor (Approval.Decision, _ byPerson: Bool) -> Void
  ) {
    let timer = LoopTimer { [weak self] in _ = self?.decide(approval.id, .decline, byPerson: false) }
    timer.start(after: limit)
    askedCount += 1
    open[approval.id] = OpenQuestion(number: askedCount, approval: approval, timer: timer, answer: answer)
    onChange?()
    onAsk?(approval)
  }

  /// The open questions that this owner may answer, oldest first.
  func pending(for owner: Principal) -> [Approval] { pending.filter { $0.owner == owner } }

  /// The open question with this id; nil if there is none, or another owner's.
  func approval(_ id: String, for owner: Principal) -> Approval? {
    open[id].map(\.approval).flatMap { $0.owner == owner ? $0 : nil }
  }

  /// Answers a question. Returns false if it is not open (any more), or belongs to another owner.
  func answer(_ id: String, _ decision: Approval.Decision, by owner: Principal) -> Bool {
    open[id]?.approval.owner == owner && decide(id, decision, byPerson: true)
  }

  /// Closes the questions of a thread whose turn has ended: an answer would have no effect any more.
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
