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
    await answer(request, writer, on: nil)
  }

  /// Answers a request, or a message of a WebSocket.
  private func answer(_ request: Request, _ writer: ResponseWriter, on socket: SocketMemory?) async {
    let asked: Asked
    do throws(APIError) {
      asked = try await prepare(try await decode(request, isMessage: socket != nil), request, socket)
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
    guard asked.request.generates else { return warmUp(asked, writer) }
    await pipeline.run(asked.request.ask, as: asked.dialect, keptBy: asked.keeper, request, writer)
  }

  /// A request with all that it refers to.
  private struct Asked {
    var request: ResponseRequest
    let dialect: ResponseDialect
    let keeper: ResponseKeeper
  }

  private func decode(_ request: Request, isMessage: Bool) async throws(APIError) -> ResponseRequest {
    let context = ResponseRequest.Context(
      userIsSession: userIsSession, isFromCodex: request.head.fields["originator"]?.hasPrefix("codex") ?? false,
      isMessage: isMessage)
    return try await JSONBody.read(request) { body throws(APIError) in try ResponseRequest(body, context) }
  }

  private func prepare(
    _ decoded: ResponseRequest, _ request: Request, _ socket: SocketMemory?
  ) async throws(APIError) -> Asked {
    var asked = decoded
    let owner = request.principal
    try await resolveReferences(of: &asked, owner)
    let input = asked.ask.conversation.items.filter { !$0.isInstructions(of: asked) }
    let before = asked.previous.flatMap { socket?.take($0) }
    if let before { asked.follow(before) }
    var kept = ResponseKeeper.Request(
      owner: owner, isStored: asked.isStored, isBackground: asked.isBackground,
      previous: before == nil ? try await previous(of: asked, owner) : nil,
      conversation: try await conversation(of: asked, owner),
      input: input)
    if let previous = kept.previous { try follow(previous, &asked) }
    if let conversation = kept.conversation { kept.untold = try await join(conversation, &asked) }
    var dialect = ResponseDialect(
      ids: .make(), echo: asked.echo, style: try shown.style(request.head.fields), model: asked.ask.model)
    if let socket {
      dialect.framing = .webSocket
      if !asked.isStored || !asked.generates {
        kept.onAnswered = { [id = dialect.ids.response] in socket.remember(id, (before ?? []) + input, $0) }
      }
    }
    return Asked(
      request: asked, dialect: dialect, keeper: ResponseKeeper(dialect, kept, responses, conversations))
  }

  // MARK: WebSocket

  /// GET /v1/responses with Upgrade: each message is a request, answered one after the other with the events of its stream.
  func open(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    do throws(WebSocketHandshake.Refusal) {
      guard let socket = writer.upgrade(try WebSocketHandshake(request.head)) else { return }
      let memory = SocketMemory()
      let handling = WebSocketAnswer.Handling(
        handle: { await self.answer($0, $1, on: memory) },
        appendWhole: { SocketMemory.append($0, to: &$1) },
        ended: { _, _ in },
        refusal: { error, _ in APIError(error).response })
      socket.start(
        onMessage: { [weak socket] in socket?.answer($0, as: request, with: handling) }, onClose: { _ in })
    } catch {
      var response = APIError(error).response
      if error.needsUpgrade { response.fields.append(WebSocketHandshake.requirements) }
      writer.send(response)
    }
  }

  /// Answers a message to which nothing is to be answered but that it came.
  private func warmUp(_ asked: Asked, _ writer: ResponseWriter) {
    let dialect = asked.dialect
    let identity = AnswerIdentity(id: dialect.ids.response, created: unixTime(), model: dialect.model ?? "")
    let renderer = dialect.renderer(identity, stops: [])
    asked.keeper.warmedUp()
    writer.begin(status: 200, fields: EventStream.fields)
    writer.finish {
      renderer.appendStart(to: &$0)
      renderer.appendEnd(.complete, usage: TokenUsage(), to: &$0)
    }
  }

  // MARK: Items

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
