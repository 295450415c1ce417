// POST /v1/completions: decodes the body, and passes it to the pipeline with the dialect of its answer.

/// Answers requests to complete a text.
@LoopActor
final class CompletionsHandler {
  private let pipeline: TurnPipeline
  private let userIsSession: Bool

  init(pipeline: TurnPipeline, configuration: Configuration) {
    self.pipeline = pipeline
    userIsSession = configuration[Settings.userIsSession]
  }

  func handle(_ request: Request, _: [String], _ writer: ResponseWriter) async {
    let completion: CompletionRequest
    do throws(APIError) {
      completion = try await JSONBody.read(request) { [userIsSession] body throws(APIError) in
        try CompletionRequest(body, userIsSession: userIsSession)
      }
    } catch {
      return pipeline.refuse(error, request, writer)
    }
    let dialect = CompletionDialect(includesUsage: completion.includesUsage)
    await pipeline.run(completion.ask, as: dialect, request, writer)
  }
}
