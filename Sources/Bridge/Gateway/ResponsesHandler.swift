// POST /v1/responses: decodes the body, finds what it refers to, and passes it to the pipeline with the dialect of its answer.

/// Answers response requests.
@LoopActor
final class ResponsesHandler {
  /// What an application is told of instructions that were given with an earlier response: they are not inherited.
  private nonisolated static let earlierInstructionsEnd =
    "The instructions that the application has given before do not apply any more."

  private let pipeline: TurnPipeline
  private let responses: any ResponseRepository
  private let conversations: any ConversationRepository
  private let userIsSession: Bool
  private let shown: ShownActivity

  init(
    pipeline: TurnPipeline, responses: any ResponseRepository, conversations: any ConversationRepository,
    configuration: Configuration
  ) {
    self.pipeline = pipeline
    self.responses = responses
    self.conversations = conversations
    userIsSession = configuration[Settings.userIsSession]
    shown = ShownActivity(configuration)
  }

  func handle(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    let asked: Asked
    do throws(APIError) {
      asked = try await prepare(try await decode(request), request)
    } catch {
      return pipeline.refuse(error, request, writer)
    }
    if asked.request.isBackground {
      guard let object = await asked.keeper.queue() else {
        return pipeline.refuse(.notKept("response"), request, writer)
      }
      // Who streams follows it from here; who does not asks for it later.
      if !asked.request.ask.isStreamed { writer.send(.json(object)) }
    }
    await pipeline.run(asked.request.ask, as: asked.dialect, keptBy: asked.keeper, request, writer)
  }

  /// A request with all that it refers to.
  private struct Asked {
    var request: ResponseRequest
    let dialect: ResponseDialect
    let keeper: ResponseKeeper
  }

  private func decode(_ request: Request) async throws(APIError) -> ResponseRequest {
    let context = ResponseRequest.Context(
      userIsSession: userIsSession, isFromCodex: request.head.fields["originator"]?.hasPrefix("codex") ?? false)
    return try await JSONBody.read(request) { body throws(APIError) in try ResponseRequest(body, context) }
  }

  private func prepare(_ decoded: ResponseRequest, _ request: Request) async throws(APIError) -> Asked {
    var asked = decoded
    let owner = request.principal
    try await resolveReferences(of: &asked, owner)
    var kept = ResponseKeeper.Request(
      owner: owner, isStored: asked.isStored, isBackground: asked.isBackground,
      previous: try await previous(of: asked, owner),
      conversation: try await conversation(of: asked, owner),
      input: asked.ask.conversation.items.filter { !$0.isInstructions(of: asked) })
    if let previous = kept.previous { try follow(previous, &asked) }
    if let conversation = kept.conversation { kept.untold = try await join(conversation, &asked) }
    let dialect = ResponseDialect(
      ids: .make(), echo: asked.echo, style: try shown.style(request.head.fields), model: asked.ask.model)
    return Asked(
      request: asked, dialect: dialect, keeper: ResponseKeeper(dialect, kept, responses, conversations))
  }

  /// Puts the items in place of the ids that stand for them.
  private func resolveReferences(of asked: inout ResponseRequest, _ owner: Principal) async throws(APIError) {
    let references = asked.references
    guard !references.isEmpty else { return }
    let found = await responses.items(references.map(\.id), of: owner)
    var input: [ResponseInput] = []
    for entry in asked.input {
      guard case .reference(let id, let path) = entry else {
        input.append(entry)
        continue
      }
      guard let object = found[id], let value = try? JSONValue(parsing: object) else { throw .itemNotFound(id) }
      input += try ResponseInput.read(FieldReader(.array([value]), path: path))
    }
    try asked.setInput(input)
  }

  // MARK: What it goes on from

  private func previous(of asked: ResponseRequest, _ owner: Principal) async throws(APIError) -> StoredResponse? {
    guard let id = asked.previous else { return nil }
    guard let response = await responses.response(id, of: owner) else { throw .previousResponseNotFound(id) }
    guard response.stage == .ended else {
      throw .invalid("The response '\(id.beginning(ofBytes: 100))' has not ended.", param: "previous_response_id")
    }
    return response
  }

  /// What a response asks of the one that goes on from it: outputs of the calls that it has ended with, and a word where its
  /// instructions end.
  private func follow(_ previous: StoredResponse, _ asked: inout ResponseRequest) throws(APIError) {
    guard let object = try? JSONValue(parsing: previous.object) else { return }
    let outputs = Set(asked.ask.conversation.items.compactMap(\.outputID))
    for item in object["output"]?.arrayValue ?? [] where item["type"] == "function_call" {
      guard let id = item["call_id"]?.stringValue, !outputs.contains(id) else { continue }
      throw .missingOutput(of: id, field: "input")
    }
    guard object["instructions"]?.stringValue?.isEmpty == false, asked.ask.conversation.instructions == nil else {
      return
    }
    asked.addInstructions(Self.earlierInstructionsEnd)
  }

  private func conversation(
    of asked: ResponseRequest, _ owner: Principal
  ) async throws(APIError) -> StoredConversation? {
    guard let id = asked.conversation else { return nil }
    guard let conversation = await conversations.conversation(id, of: owner) else {
      throw .conversationNotFound(id)
    }
    return conversation
  }

  /// Puts the items of a conversation that its thread does not have before those of the request. Returns them.
  private func join(
    _ conversation: StoredConversation, _ asked: inout ResponseRequest
  ) async throws(APIError) -> [StoredItem] {
    guard let items = await conversations.allItems(of: conversation.id, onlyUntold: !conversation.isChanged) else {
      throw .notKept("conversation")
    }
    try asked.join(conversation.id, items.map(\.object), isWhole: conversation.isChanged)
    return items
  }
}

extension Conversation.Item {
  /// Whether it is the instructions of a request, which are no item of its input.
  fileprivate func isInstructions(of request: ResponseRequest) -> Bool {
    guard let instructions = request.echo["instructions"]?.stringValue, let message = message(of: .developer)
    else {
      return false
    }
    return message.parts == [.text(instructions)]
  }
}
