// What the engine asks a person: the open questions, and who answers them. Owns them until they are decided.

/// Something the engine wants to do and may not do by itself.
struct Approval: Sendable, Equatable {
  enum Kind: String, Sendable {
    case command
    case fileChange = "file_change"
  }

  /// What a person, or the lack of one, decides.
  enum Decision: String, Sendable, CaseIterable {
    case accept
    case acceptForSession = "accept_for_session"
    case decline
  }

  let id: String
  let kind: Kind
  /// The command line, or the files that would change.
  let subject: String
  /// Why the engine asks, in its own words.
  let reason: String?
  let workingDirectory: String?
  let thread: ThreadID
  /// The request whose turn asks.
  let requestID: String
  /// Who may answer.
  let owner: Principal
  /// Seconds since 1970.
  let askedAt: Int
  let expiresAt: Int
}

/// The open questions of all turns.
@LoopActor
final class ApprovalDesk {
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
