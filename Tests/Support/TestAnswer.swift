// An answer for parts that are told of answers and make none.

@testable import Bridge

extension ChatAnswer {
  /// The answer to the request of that id, of a turn that runs nowhere.
  static func test(
    _ requestID: String, session: SessionKey? = nil, model: String = "m", askedAt: Duration = Loop.now
  ) -> ChatAnswer {
    let identity = ChatAnswerIdentity(id: "chatcmpl-1", created: 1, model: model)
    return ChatAnswer(
      Turn(TurnRequest(thread: .ephemeral), requestID: requestID),
      ChatObjects(identity: identity, includesUsage: false), isStreamed: false, stops: [],
      places: Admission.Places(session: session), fields: [:], askedAt: askedAt)
  }
}
