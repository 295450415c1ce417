// /v1/responses/ID: shows, follows, cancels and deletes the responses that are kept, and lists what they were asked.

/// Answers requests about responses that are kept. A key only sees its own.
@LoopActor
final class StoredResponsesHandler {
  private let responses: any ResponseRepository
  private let registry: AnswerRegistry

  init(responses: any ResponseRepository, registry: AnswerRegistry) {
    self.responses = responses
    self.registry = registry
  }

  /// GET /v1/responses/ID. With `?stream=true` its events, from `?starting_after=NUMBER` on.
  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let parameters = request.head.parameters
      let lastSeen = try Self.number(parameters["starting_after"])
      let response = try await find(request, captures)
      guard parameters["stream"] == "true" else { return writer.send(.json(Array(response.object.utf8))) }
      try tell(response, after: lastSeen, request, writer)
    } catch {
      writer.send(error.response)
    }
  }

  private static func number(_ text: String?) throws(APIError) -> Int? {
    guard let text else { return nil }
    guard let number = Int(text), number >= 0 else {
      throw .invalid("'starting_after' must be the number of an event.", param: "starting_after")
    }
    return number
  }

  /// Tells the events of a response: as they come while its turn runs, as they came for some minutes after that, and from then on
  /// those that its object consists of.
  private func tell(
    _ response: StoredResponse, after lastSeen: Int?, _ request: Request, _ writer: ResponseWriter
  ) throws(APIError) {
    let reader = { (dialect: any AnswerDialect) in
      AnswerReader(request, writer, (dialect as? ResponseDialect)?.resumed(after: lastSeen) ?? dialect)
    }
    if let readers = registry.readers(ofAnswer: response.id, of: request.principal) {
      guard readers.isJoinable, readers.isStreamed else {
        throw .invalid("The response is being made without a stream.", param: "stream")
      }
      return readers.join(reader(readers.first.dialect))
    }
    if let ended = registry.endedStream(response.id, of: request.principal) {
      return registry.tell(ended, to: reader(ended.dialect))
    }
    guard response.stage == .ended, let object = try? JSONValue(parsing: response.object) else {
      throw .invalid("The response has not ended.", param: "stream")
    }
    writer.begin(status: 200, fields: EventStream.fields)
    writer.finish { ResponseReplay(object).append(after: lastSeen, to: &$0) }
  }

  /// GET /v1/responses/ID/input_items, newest first. Takes `?limit=`, `?order=` and `?after=`.
  func input(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let page = try ItemPage(request.head.parameters)
      let id = captures.first ?? ""
      guard let list = await responses.input(of: id, request.principal, page) else { throw .responseNotFound(id) }
      writer.send(list.response)
    } catch {
      writer.send(error.response)
    }
  }

  /// POST /v1/responses/ID/cancel, of a response in the background. Answers once nothing of it changes any more.
  func cancel(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let response = try await find(request, captures)
      guard response.isBackground else { throw .invalid("Cannot cancel a synchronous response.") }
      if let readers = registry.readers(ofAnswer: response.id, of: request.principal),
        let keeper = readers.keeper as? ResponseKeeper
      {
        keeper.cancel()
        readers.cancel()
        await keeper.over.value()
      }
      writer.send(.json(Array(try await find(request, captures).object.utf8)))
    } catch {
      writer.send(error.response)
    }
  }

  /// DELETE /v1/responses/ID. Those that go on from it stay.
  func delete(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    let id = captures.first ?? ""
    guard await responses.remove(id, of: request.principal) else {
      return writer.send(APIError.responseNotFound(id).response)
    }
    writer.send(.json(["id": .string(id), "object": "response", "deleted": true]))
  }

  private func find(_ request: Request, _ captures: [String]) async throws(APIError) -> StoredResponse {
    let id = captures.first ?? ""
    guard let response = await responses.response(id, of: request.principal) else { throw .responseNotFound(id) }
    return response
  }
}
