// Carries approval requests of the app-server to the approval desk, and the decisions back. The turn reports both to its
// client. The open questions belong to `ApprovalDesk`.

/// A request of the app-server to its client, with the connection that its answer goes to.
struct ServerCall {
  let id: JSONValue
  let method: String
  let params: JSONValue
  let rpc: RPCConnection
}

/// Turns approval requests of the app-server into questions to people.
@LoopActor
final class ApprovalRelay {
  private let approvals: ApprovalDesk
  private let options: CodexOptions

  init(approvals: ApprovalDesk, options: CodexOptions) {
    self.approvals = approvals
    self.options = options
  }

  /// Answers a request of the app-server, at once or when a person has decided. A request that belongs to no running turn
  /// is declined, because it has no owner who could be asked.
  func received(_ call: ServerCall, for running: RunningTurn?) {
    guard let running else { return declineWithoutTurn(call) }
    let item = call.params["itemId"]?.stringValue.flatMap { running.fileChange(itemID: $0) }
    switch ServerRequestPolicy.answer(
      method: call.method, params: call.params, item: item, running.turn.profile)
    {
    case .ask(let question, let form): ask(question, call, form: form, for: running)
    case .decline(let unshowable, let form):
      Log.info("declined a request of Codex", ["method": call.method])
      call.answer(.decline, form: form)
      running.report(.declinedUnseen(unshowable.what))
    case .unsupported: refuse(call)
    }
  }

  private func declineWithoutTurn(_ call: ServerCall) {
    guard let form = ApprovalAnswerForm(call.method, call.params) else { return refuse(call) }
    Log.info("declined a request of Codex", ["method": call.method])
    call.answer(.decline, form: form)
  }

  private func refuse(_ call: ServerCall) {
    Log.info("refused a request of Codex", ["method": call.method])
    call.rpc.refuse(call.id, code: ServerRequestPolicy.unsupportedCode, message: "unsupported")
  }

  private func ask(
    _ question: Approval.Question, _ call: ServerCall, form: ApprovalAnswerForm, for running: RunningTurn
  ) {
    // Under the policy `never` Codex does not ask. If it does all the same, no person may be made to answer.
    guard running.turn.profile.approvals != .never, options.approvalWait > .zero else {
      call.answer(.decline, form: form)
      return running.report(.declined(question, .nobodyIsAsked))
    }
    guard approvals.hasRoom(for: running.turn.owner) else {
      call.answer(.decline, form: form)
      return running.report(.declined(question, .tooManyAreOpen))
    }
    let now = unixTime()
    let approval = Approval(
      id: RandomID.make("apr-"),
      question: question,
      thread: running.thread,
      requestID: running.turn.requestID,
      owner: running.turn.owner,
      askedAt: now,
      expiresAt: now + Int(options.approvalWait.inSeconds.rounded(.up))
    )
    running.report(.asked(approval))
    approvals.ask(approval, limit: options.approvalWait) { [weak running] decision, byPerson in
      // A yes for the session to a question that did not offer one counts once only.
      let isOnce = decision == .acceptForSession && !question.action.canBeForSession
      call.answer(isOnce ? .accept : decision, form: form)
      running?.report(.answered(id: approval.id, decision, byPerson: byPerson))
    }
  }
}

extension ServerCall {
  /// Answers the request with a decision, in the form that its kind needs.
  @LoopActor fileprivate func answer(_ decision: Approval.Decision, form: ApprovalAnswerForm) {
    rpc.answer(id, result: form.result(decision))
  }
}
