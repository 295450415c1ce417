// The engine's model list, kept for a while. Owns the cached list.

/// Caches `model/list`.
@LoopActor
final class ModelCatalogCache {
  /// Pages of models that are read; the list fits one today.
  private static let maxPages = 20

  /// One at a time; those who come meanwhile get the same answer.
  @LoopActor
  private final class Question {
    let isOver = Waiter<Void>()
    var answer = Result<ModelCatalog, EngineError>.failure(.unavailable(.starting))
  }

  private let server: AppServer
  private let ttl: Duration
  private var cached: (catalog: ModelCatalog, at: Duration)?
  private var question: Question?
  /// Called with a list that is not the one before it.
  var onChange: (@LoopActor (ModelCatalog) -> Void)?

  init(server: AppServer, ttl: Duration) {
    self.server = server
    self.ttl = ttl
  }

  /// The list, nil if it would have to be asked for.
  var fresh: ModelCatalog? {
    if let cached, Loop.now - cached.at < ttl { cached.catalog } else { nil }
  }

  /// The list, at most `ttl` old; an older one if the engine cannot be asked.
  func current() async throws(EngineError) -> (models: ModelCatalog, areOld: Bool) {
    if let fresh { return (fresh, areOld: false) }
    let question = question ?? ask()
    await question.isOver.value()
    switch question.answer {
    case .success(let models): return (models, areOld: false)
    case .failure(let error):
      guard let cached else { throw error }
      return (cached.catalog, areOld: true)
    }
  }

  private func ask() -> Question {
    let question = Question()
    self.question = question
    Loop.spawn {
      do throws(EngineError) {
        let catalog = try await self.load()
        let isChanged = catalog != self.cached?.catalog
        self.cached = (catalog, Loop.now)
        question.answer = .success(catalog)
        if isChanged { self.onChange?(catalog) }
      } catch {
        question.answer = .failure(error)
      }
      self.question = nil
      question.isOver.finish()
    }
    return question
  }

  private func load() async throws(EngineError) -> ModelCatalog {
    guard let rpc = server.rpc else { throw .unavailable(server.unavailability ?? .starting) }
    async let config = rpc.call(Method.configRead, [:])
    var models: [EngineModel] = []
    var cursor: JSONValue = .null
    for _ in 0..<Self.maxPages {
      let params: JSONValue = ["includeHidden": true, "cursor": cursor]
      let page = try CodexPayload.result(of: await rpc.call(Method.modelList, params))
      models += (page["data"]?.arrayValue ?? []).compactMap(EngineModel.init)
      cursor = page["nextCursor"] ?? .null
      if cursor.isNull { break }
    }
    var catalog = ModelCatalog(models: models)
    // An engine that cannot tell its configuration still has a default model.
    if case .result(let result) = await config {
      catalog.configuredModel = result["config"]?["model"]?.stringValue
      catalog.configuredEffort = result["config"]?["model_reasoning_effort"]?.stringValue
    }
    return catalog
  }
}

extension EngineModel {
  /// An entry of `model/list`.
  init?(_ entry: JSONValue) {
    guard let id = entry["id"]?.stringValue, !id.isEmpty else { return nil }
    let efforts = (entry["supportedReasoningEfforts"]?.arrayValue ?? []).compactMap {
      $0["reasoningEffort"]?.stringValue
    }
    self.init(
      id: id,
      displayName: entry["displayName"]?.stringValue,
      efforts: efforts,
      defaultEffort: entry["defaultReasoningEffort"]?.stringValue,
      isHidden: entry["hidden"]?.boolValue ?? false,
      isDefault: entry["isDefault"]?.boolValue ?? false
    )
  }
}
