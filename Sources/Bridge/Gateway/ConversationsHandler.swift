// /v1/conversations: conversations that a client makes under ids of ours, and their items (OpenAI API reference, "Conversations").

/// Answers requests about conversations. A key only sees its own.
@LoopActor
final class ConversationsHandler {
  private static let prefix: StaticString = "conv_"
  private static let idLength = 32

  private let conversations: any ConversationRepository
  private let sessions: Sessions
  private let leases: TurnLeases

  init(conversations: any ConversationRepository, sessions: Sessions, leases: TurnLeases) {
    self.conversations = conversations
    self.sessions = sessions
    self.leases = leases
  }

  // MARK: Conversations

  /// POST /v1/conversations with `{"items": […], "metadata": {…}}`, both optional.
  func create(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let id = RandomID.make(Self.prefix, length: Self.idLength)
      let body = try await self.body(request, mayBeEmpty: true, metadataOnly: false)
      let conversation = StoredConversation(
        id: id, owner: request.principal, createdAt: unixTime(), metadata: body.metadata ?? "{}")
      guard await self.conversations.add(conversation, items: self.named(body.items)) else {
        throw .notKept("conversation")
      }
      return .json(Self.object(conversation))
    }
  }

  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in .json(Self.object(try await self.find(request, captures))) }
  }

  /// POST /v1/conversations/ID with `{"metadata": {…}}`.
  func update(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      var conversation = try await self.find(request, captures)
      let body = try await self.body(request, mayBeEmpty: false, metadataOnly: true)
      conversation.metadata = body.metadata ?? "{}"
      guard await self.conversations.setMetadata(conversation.metadata, of: conversation.id) else {
        throw .notKept("conversation")
      }
      return .json(Self.object(conversation))
    }
  }

  /// DELETE /v1/conversations/ID. Its session is forgotten with it.
  func delete(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let conversation = try await self.find(request, captures)
      guard await self.conversations.remove(conversation.id) else { throw .notKept("conversation") }
      do throws(RepositoryError) {
        for key in SessionKey(owner: request.principal, id: conversation.id).ofEveryProfile {
          await self.leases.forget(key)
          _ = try await self.sessions.forget(key)
        }
      } catch {
        throw APIError(error, hasStarted: true)
      }
      return .json(["id": .string(conversation.id), "object": "conversation.deleted", "deleted": true])
    }
  }

  // MARK: Items

  /// POST /v1/conversations/ID/items with `{"items": […]}`. The thread gets them with the next response.
  func addItems(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let conversation = try await self.find(request, captures)
      let body = try await self.body(request, mayBeEmpty: false, metadataOnly: false)
      let items = self.named(body.items)
      guard await self.conversations.append(items, to: conversation.id, areTold: false) else {
        throw .notKept("conversation")
      }
      return ItemList(items: items, hasMore: false).response
    }
  }

  /// GET /v1/conversations/ID/items, newest first. Takes `?limit=`, `?order=` and `?after=`.
  func listItems(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let page = try ItemPage(request.head.parameters)
      let conversation = try await self.find(request, captures)
      return await self.conversations.items(of: conversation.id, page).response
    }
  }

  func retrieveItem(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let conversation = try await self.find(request, captures)
      let id = captures.last ?? ""
      guard let item = await self.conversations.item(id, of: conversation.id) else { throw .itemNotFound(id) }
      return .json(Array(item.object.utf8))
    }
  }

  /// DELETE /v1/conversations/ID/items/ITEM. Answers with the conversation.
  func deleteItem(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    await answer(writer) { () throws(APIError) in
      let conversation = try await self.find(request, captures)
      let id = captures.last ?? ""
      guard await self.conversations.removeItem(id, of: conversation.id) == .removed else {
        throw .itemNotFound(id)
      }
      return .json(Self.object(conversation))
    }
  }

  // MARK: Parts

  private func answer(
    _ writer: ResponseWriter, _ work: @LoopActor () async throws(APIError) -> Response
  ) async {
    do throws(APIError) {
      writer.send(try await work())
    } catch {
      writer.send(error.response)
    }
  }

  private func find(_ request: Request, _ captures: [String]) async throws(APIError) -> StoredConversation {
    let id = captures.first ?? ""
    guard let conversation = await conversations.conversation(id, of: request.principal) else {
      throw .conversationNotFound(id)
    }
    return conversation
  }

  private static func object(_ conversation: StoredConversation) -> JSONValue {
    [
      "id": .string(conversation.id), "object": "conversation", "created_at": .int(conversation.createdAt),
      "metadata": (try? JSONValue(parsing: conversation.metadata)) ?? [:],
    ]
  }

  /// What a body says.
  private struct Body: Sendable {
    var metadata: String?
    var items: [Conversation.Item] = []
  }

  private func body(
    _ request: Request, mayBeEmpty: Bool, metadataOnly: Bool
  ) async throws(APIError) -> Body {
    if mayBeEmpty, request.body == nil { return Body() }
    return try await JSONBody.read(request) { value throws(APIError) in try Self.body(value, metadataOnly) }
  }

  private nonisolated static func body(_ value: JSONValue, _ metadataOnly: Bool) throws(APIError) -> Body {
    let reader = FieldReader(value)
    var body = Body()
    if let metadata = reader.optional("metadata") {
      _ = try metadata.object()
      guard !metadata.value.isLonger(than: ResponseRequest.maxMetadataBytes) else {
        throw .invalid("'metadata' is longer than \(ResponseRequest.maxMetadataBytes) bytes.", param: "metadata")
      }
      body.metadata = metadata.value.jsonText
    }
    if metadataOnly { return body }
    if let items = reader.optional("items") {
      body.items = try ResponseInput.read(items).items(checking: .nothing)
    }
    return body
  }

  /// The items under ids of ours.
  private func named(_ items: [Conversation.Item]) -> [StoredItem] {
    ResponseInput.objects(items, .make(), leavesImagesOut: false).map {
      StoredItem(id: $0.id, object: $0.object.jsonText)
    }
  }
}
