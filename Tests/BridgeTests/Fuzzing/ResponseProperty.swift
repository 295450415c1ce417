// Requests for responses: what is told of them and kept of them is JSON that says the same when it is read again.

@testable import Bridge

enum ResponseProperty {
  private static let contexts = [
    ResponseRequest.Context(), ResponseRequest.Context(userIsSession: false, isFromCodex: true),
    ResponseRequest.Context(isMessage: true),
  ]

  /// What is asked by a body in each of the ways in which it can come. Items that were told before are each a message.
  static func asks(_ body: JSONValue) throws(Violation) -> [Ask] {
    var asks: [Ask] = []
    for context in contexts {
      let read = try ChatProperty.value { () throws(APIError) in
        var request = try ResponseRequest(body, context)
        guard !request.references.isEmpty else { return request }
        try request.setInput(
          request.input.map { entry in
            guard case .reference(let id, _) = entry else { return entry }
            return .message(Conversation.Message(role: .assistant, parts: [.text(id)]))
          })
        return request
      }
      guard let request = read else { continue }
      try checkEcho(request)
      try checkItems(request.ask.conversation.items)
      asks.append(request.ask)
    }
    return asks
  }

  /// What every object of the response tells.
  private static func checkEcho(_ request: ResponseRequest) throws(Violation) {
    let identity = AnswerIdentity(id: "resp_x", created: 1, model: request.ask.model ?? "m")
    let objects = ResponseObjects(ids: ResponseIDs("resp_x"), identity: identity, echo: request.echo)
    guard let object = try? JSONValue(parsing: objects.response(.inProgress, output: []).object) else {
      throw Violation(description: "a response that is no JSON")
    }
    for name in ["tools", "text", "metadata", "store", "background"] {
      try require(object[name]?.isNull == false, "a response without \(name)")
    }
    var keys: Set<String> = []
    for member in object.objectValue?.members ?? [] {
      try require(keys.insert(member.key).inserted, "a response with two \(member.key)")
    }
  }

  /// What is listed and, where a thread is lost, said again.
  private static func checkItems(_ items: [Conversation.Item]) throws(Violation) {
    for leavesImagesOut in [true, false] {
      let listed = ResponseInput.objects(items, ResponseIDs("resp_x"), leavesImagesOut: leavesImagesOut)
      try require(Set(listed.map(\.id)).count == listed.count, "two items with one id")
      let again = try ChatProperty.value { () throws(APIError) in
        try ResponseInput.read(FieldReader(.array(listed.map(\.object)), path: "input")).items(checking: .nothing)
      }
      guard let again else { throw Violation(description: "items of our own are refused") }
      try require(said(again) == said(items), "items that say something else")
    }
  }

  /// The texts, each with who has said it.
  private static func said(_ items: [Conversation.Item]) -> [String] {
    items.compactMap { item in
      switch item {
      case .message(let message): message.text.isEmpty ? nil : "\(message.role) \(message.text)"
      case .toolCall(let call): "call \(call.id) \(call.name) \(call.arguments)"
      case .toolOutput(let output): "output \(output.callID) \(output.text)"
      case .reasoning: nil
      }
    }
  }
}
