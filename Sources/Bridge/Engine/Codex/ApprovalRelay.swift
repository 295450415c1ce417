// What the app-server asks of a person, carried to the approval desk and the decision back; both are shown beside the
// turn's answer. The open questions belong to `ApprovalDesk`.

/// Turns approval requests of the app-server into questions.
@LoopActor
final class ApprovalRelay {
  private let approvals: ApprovalDesk
  private let options: CodexEngine.Options

  init(approvals: ApprovalDesk, options: CodexEngine.Options) {
    self.approvals = approvals
    self.options = options
  }

  /// Answers the server's request `id` at once, or when the question is decided.
  func ask(
    _ id: JSONValue,
    _ kind: Approval.Kind,
    _ subject: String,
    reason: String?,
    _ running: RunningTurn,
    _ rpc: RPCConnection
  ) {
    let what = kind == .command ? "run `\(subject)`" : "change \(subject)"
    let why = reason.map { " (\($0))" } ?? ""
    // Under `never` Codex does not ask; should it do so all the same, nobody has been told to answer.
    guard options.approvalPolicy != .never, options.approvalWait > .zero else {
      rpc.answer(id, result: ["decision": "decline"])
      return running.push(running.mapper.note("Codex asked to \(what)\(why); declined."))
    }
    let now = unixTime()
    let approval = Approval(
      id: RandomID.make("apr-"),
      kind: kind,
      subject: subject,
      reason: reason,
      workingDirectory: options.workingDirectory,
      thread: running.thread,
      requestID: running.turn.requestID,
      owner: running.turn.owner,
      askedAt: now,
      expiresAt: now + Int(options.approvalWait.inSeconds.rounded(.up))
    )
    running.openApprovals += 1
    running.push(running.mapper.note("Codex asks to \(what)\(why). Waiting for an answer to \(approval.id)."))
    approvals.ask(approval, limit: options.approvalWait) { [weak running] decision, byPerson in
      rpc.answer(id, result: ["decision": .string(CodexPayload.decision(decision))])
      guard let running else { return }
      running.openApprovals -= 1
      running.lastProgressAt = Loop.now
      running.push(running.mapper.note(Self.note(decision, byPerson: byPerson)))
    }
  }

  private static func note(_ decision: Approval.Decision, byPerson: Bool) -> String {
    switch decision {
    case .accept, .acceptForSession: "Approved."
    case .decline: byPerson ? "Declined." : "Nobody answered in time; declined."
    }
  }
}
