// What the app-server asks of a person, carried to the approval desk and the decision back; the turn tells of both. The
// open questions belong to `ApprovalDesk`.

/// Turns approval requests of the app-server into questions.
@LoopActor
final class ApprovalRelay {
  private let approvals: ApprovalDesk
  private let options: CodexOptions

  init(approvals: ApprovalDesk, options: CodexOptions) {
    self.approvals = approvals
    self.options = options
  }

  /// Answers the request `id` of the app-server, at once or when a person has decided. Without a turn that it belongs
  /// to there is nobody to ask.
  func received(
    _ id: JSONValue, _ method: String, _ params: JSONValue, _ running: RunningTurn?, _ rpc: RPCConnection
  ) {
    guard let running else { return declineWithoutTurn(id, method, params, rpc) }
    let item = params["itemId"]?.stringValue.flatMap { running.fileChange(itemID: $0) }
    switch ServerRequestPolicy.answer(method: method, params: params, item: item, running.turn.profile) {
    case .ask(let question, let reply): ask(id, question, reply, running, rpc)
    case .decline(let unshowable, let reply):
      Log.info("declined a request of Codex", ["method": method])
      rpc.answer(id, result: reply.result(.decline))
      running.tell(.declinedUnseen(unshowable.what))
    case .unsupported: refuse(id, method, rpc)
    }
  }

  private func declineWithoutTurn(_ id: JSONValue, _ method: String, _ params: JSONValue, _ rpc: RPCConnection) {
    guard let reply = ApprovalAnswerForm(method, params) else { return refuse(id, method, rpc) }
    Log.info("declined a request of Codex", ["method": method])
    rpc.answer(id, result: reply.result(.decline))
  }

  private func refuse(_ id: JSONValue, _ method: String, _ rpc: RPCConnection) {
    Log.info("refused a request of Codex", ["method": method])
    rpc.refuse(id, code: ServerRequestPolicy.unsupportedCode, message: "unsupported")
  }

  private func ask(
    _ id: JSONValue, _ question: Approval.Question, _ reply: ApprovalAnswerForm, _ running: RunningTurn,
    _ rpc: RPCConnection
  ) {
    // Under `never` Codex does not ask; should it do so all the same, nobody has been told to answer.
    guard running.turn.profile.approvals != .never, options.approvalWait > .zero else {
      return decline(id, question, reply, running, rpc, because: .nobodyIsAsked)
    }
    guard approvals.hasRoom(for: running.turn.owner) else {
      return decline(id, question, reply, running, rpc, because: .tooManyAreOpen)
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
    running.tell(.asked(approval))
    approvals.ask(approval, limit: options.approvalWait) { [weak running] decision, byPerson in
      // What a question does not say that it allows is not allowed.
      let isOnce = decision == .acceptForSession && !question.action.canBeForSession
      rpc.answer(id, result: reply.result(isOnce ? .accept : decision))
      running?.tell(.answered(id: approval.id, decision, byPerson: byPerson))
    }
  }

  private func decline(
    _ id: JSONValue, _ question: Approval.Question, _ reply: ApprovalAnswerForm, _ running: RunningTurn,
    _ rpc: RPCConnection, because obstacle: QuestionReport.Obstacle
  ) {
    rpc.answer(id, result: reply.result(.decline))
    running.tell(.declined(question, obstacle))
  }
}
