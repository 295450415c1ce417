// POST /v1/chat/completions: decodes the body, and passes it to the pipeline with the dialect of its answer.

/// Answers chat completion requests.
@LoopActor
final class ChatCompletionsHandler {
  private let pipeline: TurnPipeline
  private let userIsSession: Bool
  private let shown: ShownActivity

  init(pipeline: TurnPipeline, configuration: Configuration) {
    self.pipeline = pipeline
    userIsSession = configuration[Settings.userIsSession]
    shown = ShownActivity(configuration)
  }

  func handle(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    let chat: ChatRequest
    let shown: AnswerParagraphs.Shown
    do throws(APIError) {
      chat = try await decode(request)
      shown = try self.shown.inChat(request.head.fields)
    } catch {
      return pipeline.refuse(error, request, writer)
    }
    let dialect = ChatDialect(
      includesUsage: chat.includesUsage, usesLegacyCalls: chat.usesLegacyCalls, shown: shown)
    await pipeline.run(chat.ask, as: dialect, request, writer)
  }

  private func decode(_ request: Request) async throws(APIError) -> ChatRequest {
    try await JSONBody.read(request) { [userIsSession] body throws(APIError) in
      try ChatRequest(body, userIsSession: userIsSession)
    }
  }
}
