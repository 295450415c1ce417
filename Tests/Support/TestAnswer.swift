// An answer for parts that are told of answers and make none.

@testable import Bridge

extension Answer {
  /// The answer to the request of that id, of a turn that runs nowhere.
  static func test(
    _ requestID: String, session: SessionKey? = nil, model: String = "m", askedAt: Duration = Loop.now
  ) -> Answer {
    let identity = AnswerIdentity(id: "chatcmpl-1", created: 1, model: model)
    return Answer(
      Turn(TurnRequest(thread: .ephemeral), requestID: requestID), identity,
      to: Ask(conversation: Conversation(items: [])),
      lease: TurnLease(session: session) {}, fields: [:],
      origin: TurnOrigin(model: nil, shownModel: model, tools: ToolSet([]), saidBefore: 0),
      askedAt: askedAt)
  }
}
