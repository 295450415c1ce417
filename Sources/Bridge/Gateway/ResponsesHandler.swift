// POST /v1/responses: decodes the body, finds what it refers to, and passes it to the pipeline with the dialect of its answer.

/// Answers response requests.
@LoopActor
final class ResponsesHandler {
  private let pipeline: TurnPipeline
  private let responses: any ResponseRepository
  private let conversations: any ConversationRepository
  private let userIsSession: Bool
  private let shown: ShownActivity
  private var begun = BegunResponses()

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
      do throws(APIError) {
        guard try await begin(asked, request, writer) else { return }
      } catch {
        return pipeline.refuse(error, request, writer)
      }
    }
    guard asked.request.generates else { return warmUp(asked, writer) }
    await pipeline.run(asked.request.ask, as: asked.dialect, keptBy: asked.keeper, request, writer)
  }

  /// Keeps a response in the background as one that is queued, and tells its client, who asks for it later; one that streams
  /// follows it from here. False if the request is a retry of one that has begun it.
  private func begin(_ asked: Asked, _ request: Request, _ writer: ResponseWriter) async throws(APIError) -> Bool {
    let isStreamed = asked.request.ask.isStreamed
    let key = request.bodyFingerprint.map {
      BegunResponses.Key(body: $0, owner: request.principal, profile: request.profile)
    }
    if !isStreamed, request.isMarkedRetry, let id = key.flatMap({ begun.id(for: $0, at: Loop.now) }),
      let first = await responses.response(id, of: request.principal)
    {
      writer.send(.json(Array(first.object.utf8)))
      return false
    }
    try pipeline.check(asked.request.ask)
    guard let queued = await asked.keeper.queue() else { throw .notKept("response") }
    if let key { begun.note(asked.keeper.id, for: key, at: Loop.now) }
    if !isStreamed { writer.send(.json(queued.object)) }
    return true
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
    let owner = request.principal
    let found = try await look(up: decoded, owner, socket)
    let asked: ResolvedResponse
    if decoded.ask.isLarge || found.isLarge {
      asked = try await HeavyWork.run(for: owner) { found.resolve(decoded) }.get()
    } else {
      asked = try found.resolve(decoded).get()
    }
    var style = try shown.style(request.head.fields)
    style.namespaced = decoded.namespaced
    var dialect = ResponseDialect(ids: .make(), echo: decoded.echo, style: style, model: decoded.ask.model)
    var kept = ResponseKeeper.Request(
      owner: owner, isStored: decoded.isStored, isBackground: decoded.isBackground, previous: found.previous,
      conversation: found.conversation, untold: found.untold, input: asked.input)
    if let socket {
      dialect.framing = .webSocket
      if !decoded.isStored || !decoded.generates {
        kept.onAnswered = { [id = dialect.ids.response, said = (found.before ?? []) + asked.input] in
          socket.remember(id, said, $0)
        }
      }
    }
    return Asked(
      request: asked.request, dialect: dialect, keeper: ResponseKeeper(dialect, kept, responses, conversations))
  }

  /// Finds what a request refers to.
  private func look(
    up asked: ResponseRequest, _ owner: Principal, _ socket: SocketMemory?
  ) async throws(APIError) -> ResponseReferences {
    var found = ResponseReferences()
    let references = asked.references
    if !references.isEmpty { found.items = await responses.items(references.map(\.id), of: owner) }
    if let id = asked.previous {
      found.before = socket?.take(id)
      if found.before == nil { found.previous = try await previous(id, owner) }
    }
    guard let id = asked.conversation else { return found }
    guard let conversation = await conversations.conversation(id, of: owner) else {
      throw .conversationNotFound(id)
    }
    guard let items = await conversations.allItems(of: id, onlyUntold: !conversation.isChanged) else {
      throw .notKept("conversation")
    }
    (found.conversation, found.untold) = (conversation, items)
    return found
  }

  private func previous(_ id: String, _ owner: Principal) async throws(APIError) -> StoredResponse {
    guard let response = await responses.response(id, of: owner) else { throw .previousResponseNotFound(id) }
    guard response.stage == .ended else {
      throw .invalid("The response '\(id.beginning(ofBytes: 100))' has not ended.", param: "previous_response_id")
    }
    return response
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
}
