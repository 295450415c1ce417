// What a response request refers to, put in the places of the references. Pure.

/// A request with all that it refers to.
struct ResolvedResponse: Sendable {
  let request: ResponseRequest
  /// The items of its input alone.
  let input: [Conversation.Item]
}

/// What was found of what a request refers to.
struct ResponseReferences: Sendable {
  /// What an application is told of instructions that were given with an earlier response: they are not inherited.
  private static let earlierInstructionsEnd =
    "The instructions that the application has given before do not apply any more."
  /// What is more is read beside the loop.
  private static let maxSmallBytes = 64 << 10

  /// Items, JSON texts, by their ids.
  var items: [String: String] = [:]
  /// What was said before on the same WebSocket.
  var before: [Conversation.Item]?
  var previous: StoredResponse?
  var conversation: StoredConversation?
  /// Items of the conversation that its thread does not have; all of them if one was taken out.
  var untold: [StoredItem] = []

  /// Whether to read it would hold up the loop.
  var isLarge: Bool {
    let bytes =
      items.values.reduce(0) { $0 + $1.utf8.count } + untold.reduce(0) { $0 + $1.object.utf8.count }
      + (previous?.object.utf8.count ?? 0)
    return bytes > Self.maxSmallBytes
  }

  /// Puts it into a request.
  func resolve(_ decoded: ResponseRequest) -> Result<ResolvedResponse, APIError> {
    do throws(APIError) {
      var request = decoded
      if !decoded.references.isEmpty { try request.setInput(try input(of: decoded)) }
      let input = request.ask.conversation.items.filter { !$0.isInstructions(of: decoded) }
      if let before { request.follow(before) }
      if let previous { try follow(previous, &request) }
      if let conversation {
        try request.join(conversation.id, untold.map(\.object), isWhole: conversation.isChanged)
      }
      return .success(ResolvedResponse(request: request, input: input))
    } catch {
      return .failure(error)
    }
  }

  /// The input with the items in place of the ids that stand for them.
  private func input(of decoded: ResponseRequest) throws(APIError) -> [ResponseInput] {
    var input: [ResponseInput] = []
    for entry in decoded.input {
      guard case .reference(let id, let path) = entry else {
        input.append(entry)
        continue
      }
      guard let object = items[id], let value = try? JSONValue(parsing: object) else { throw .itemNotFound(id) }
      input += try ResponseInput.read(FieldReader(.array([value]), path: path))
    }
    return input
  }

  /// What a response asks of the one that goes on from it: outputs of the calls that it has ended with, and a word where its
  /// instructions end.
  private func follow(_ previous: StoredResponse, _ request: inout ResponseRequest) throws(APIError) {
    guard let object = try? JSONValue(parsing: previous.object) else { return }
    let outputs = Set(request.ask.conversation.items.compactMap(\.outputID))
    for item in object["output"]?.arrayValue ?? [] where item["type"] == "function_call" {
      guard let id = item["call_id"]?.stringValue, !outputs.contains(id) else { continue }
      throw .missingOutput(of: id, field: "input")
    }
    // A turn that goes on with outputs has what it was told.
    guard outputs.isEmpty, object["instructions"]?.stringValue?.isEmpty == false,
      request.ask.conversation.instructions == nil
    else { return }
    request.addInstructions(Self.earlierInstructionsEnd)
  }
}

extension Conversation.Item {
  /// Whether it is the instructions of a request, which are no item of its input.
  fileprivate func isInstructions(of request: ResponseRequest) -> Bool {
    guard let instructions = request.instructions, let message = message(of: .developer) else { return false }
    return message.parts == [.text(instructions)]
  }
}
