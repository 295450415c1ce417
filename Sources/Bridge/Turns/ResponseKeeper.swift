// What is kept of one response: when it begins, and how it ends.

/// Keeps a response, and adds what was said to its conversation.
@LoopActor
final class ResponseKeeper: AnswerKeeper {
  /// What a request of the Responses API says of what is kept.
  struct Request: Sendable {
    let owner: Principal
    let isStored: Bool
    let isBackground: Bool
    /// The response that it goes on from.
    let previous: StoredResponse?
    /// The conversation that it belongs to, and the items of it that its thread does not have yet.
    let conversation: StoredConversation?
    var untold: [StoredItem] = []
    /// The items of its input, until they are kept.
    var input: [Conversation.Item]
    /// Told the object of an answer that has ended well.
    var onAnswered: (@Sendable @LoopActor (RenderedResponse) -> Void)?
  }

  private let dialect: ResponseDialect
  private var request: Request
  private let responses: any ResponseRepository
  private let conversations: any ConversationRepository
  /// Whether the store has it.
  private var isAdded = false
  /// Seconds since 1970.
  private var created = unixTime()
  private var isRefused = false
  /// Comes when the beginning is kept; nil before the turn runs.
  private var beginning: Waiter<Void>?
  private(set) var isCancelled = false
  /// Comes when nothing of the response changes any more.
  let over = Waiter<Void>()

  init(
    _ dialect: ResponseDialect, _ request: Request, _ responses: any ResponseRepository,
    _ conversations: any ConversationRepository
  ) {
    self.dialect = dialect
    self.request = request
    self.responses = responses
    self.conversations = conversations
  }

  var id: String { dialect.ids.response }
  var isBackground: Bool { request.isBackground }
  var previous: StoredResponse.Place? { request.previous?.place }

  func history() async throws(APIError) -> [Conversation.Item]? {
    let objects: [String]?
    if let conversation = request.conversation {
      objects = await conversations.allItems(of: conversation.id, onlyUntold: false)?.map(\.object)
    } else if let previous = request.previous {
      objects = await responses.history(of: previous.id, request.owner)
    } else {
      return nil
    }
    guard let objects else {
      throw request.previous.map { .previousResponseNotFound($0.id) } ?? .threadIsGone
    }
    return try await Loop.offLoop { Self.items(objects) }.get()
  }

  private nonisolated static func items(_ objects: [String]) -> Result<[Conversation.Item], APIError> {
    do throws(APIError) {
      var entries: [ResponseInput] = []
      for object in objects {
        guard let value = try? JSONValue(parsing: object) else { continue }
        entries += try ResponseInput.read(FieldReader(.array([value]), path: "input"))
      }
      return .success(try entries.items(checking: .nothing))
    } catch {
      return .failure(error)
    }
  }

  // MARK: The answer

  private func response(
    _ stage: StoredResponse.Stage, _ response: RenderedResponse, _ place: StoredResponse.Place? = nil, created: Int
  ) -> StoredResponse {
    StoredResponse(
      id: id, owner: request.owner, createdAt: created, isBackground: isBackground, previous: request.previous?.id,
      conversation: request.conversation?.id, stage: stage, place: place,
      object: String(decoding: response.object, as: UTF8.self))
  }

  /// Keeps the response before its turn has a place. Returns its object; nil if it cannot be kept.
  func queue() async -> RenderedResponse? {
    let identity = AnswerIdentity(id: id, created: unixTime(), model: dialect.model ?? "")
    let rendered = dialect.objects(identity).response(.queued, output: [])
    let queued = response(.unfinished, rendered, created: identity.created)
    isAdded = await responses.add(queued, input: await input(leavesImagesOut: true))
    return isAdded ? rendered : nil
  }

  /// The items of the input as they are kept.
  private func input(leavesImagesOut: Bool) async -> [StoredItem] {
    let items = request.input
    let make = { @Sendable [ids = dialect.ids] in
      ResponseInput.objects(items, ids, leavesImagesOut: leavesImagesOut).map {
        StoredItem(id: $0.id, object: $0.object.jsonText)
      }
    }
    return Ask(conversation: Conversation(items: items)).isLarge ? await Loop.offLoop { make() } : make()
  }

  func began(_ identity: AnswerIdentity) {
    let rendered = dialect.objects(identity).response(.inProgress, output: [])
    let begun = response(.unfinished, rendered, created: identity.created)
    created = identity.created
    beginning = Waiter<Void>()
    Loop.spawn {
      await self.keepBeginning(begun)
      // It may have megabytes, and the turn may go on for hours.
      self.request.input = []
      self.beginning?.finish()
    }
  }

  private func keepBeginning(_ begun: StoredResponse) async {
    if let conversation = request.conversation {
      if !request.untold.isEmpty || conversation.isChanged {
        await conversations.markTold(conversation.id, upTo: request.untold)
      }
      // The thread has it from here on, whatever becomes of the answer.
      _ = await conversations.append(await input(leavesImagesOut: false), to: conversation.id, areTold: true)
    }
    guard request.isStored else { return }
    if isAdded {
      _ = await responses.end(begun, output: [])
    } else {
      isAdded = await responses.add(begun, input: await input(leavesImagesOut: true))
    }
  }

  func ended(_ end: KeptEnd) async -> APIError? {
    defer { over.finish() }
    if end.state.isAnswer { request.onAnswered?(end.response) }
    guard request.isStored || request.conversation != nil else { return nil }
    await beginning?.value()
    let output = end.response.output.map {
      StoredItem(id: $0.id, object: String(decoding: $0.object, as: UTF8.self))
    }
    if let conversation = request.conversation, end.state.isAnswer {
      guard await conversations.append(output, to: conversation.id, areTold: true) else {
        return .notKept("conversation")
      }
    }
    guard request.isStored else { return nil }
    let ended = response(.ended, end.response, end.place, created: created)
    // The store may have been full at the beginning and have room now.
    if !isAdded { isAdded = await responses.add(ended, input: []) }
    guard isAdded, await responses.end(ended, output: output) else { return .notKept("response") }
    return nil
  }

  /// The request was there to be gone on from, and has no answer.
  func warmedUp() { request.onAnswered?(RenderedResponse(object: [], output: [])) }

  func refused(_ error: APIError) {
    guard !isRefused else { return }
    isRefused = true
    guard isBackground, isAdded else { return over.finish() }
    let identity = AnswerIdentity(id: id, created: unixTime(), model: dialect.model ?? "")
    let state = isCancelled ? ResponseState.cancelled : .failed(error)
    let refused = response(
      .ended, dialect.objects(identity).response(state, output: []), created: identity.created)
    Loop.spawn {
      _ = await self.responses.end(refused, output: [])
      self.over.finish()
    }
  }

  /// Nobody wants the response any more.
  func cancel() { isCancelled = true }
}

extension ResponseState {
  /// Whether something was answered.
  fileprivate var isAnswer: Bool {
    switch self {
    case .completed, .incomplete: true
    case .queued, .inProgress, .failed, .cancelled: false
    }
  }
}

extension ResponseIDs {
  /// New ones.
  @LoopActor static func make() -> ResponseIDs {
    ResponseIDs(RandomID.make(prefix, length: randomLength))
  }
}
