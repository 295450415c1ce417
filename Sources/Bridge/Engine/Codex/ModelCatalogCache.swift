// The engine's model list, kept for a while. Owns the cached list.

/// Caches the answers to `model/list` and `config/read`.
@LoopActor
final class ModelCatalogCache {
  /// Pages of the list that are read at most, so that a faulty answer cannot make this go on for ever. The list fits one
  /// page.
  private static let maxPages = 20

  /// A load of the list that is under way. Whoever asks meanwhile waits for it and gets the same result.
  @LoopActor
  private final class Load {
    let isOver = Waiter<Void>()
    var result = Result<ModelCatalog, EngineError>.failure(.unavailable(.starting))
  }

  private let server: AppServer
  private let ttl: Duration
  private var cached: (catalog: ModelCatalog, at: Duration)?
  private var load: Load?
  /// Called with a list that differs from the one before it.
  var onChange: (@LoopActor (ModelCatalog) -> Void)?

  init(server: AppServer, ttl: Duration) {
    self.server = server
    self.ttl = ttl
  }

  /// The list if it is at most `ttl` old, else nil.
  var fresh: ModelCatalog? {
    if let cached, Loop.now - cached.at < ttl { cached.catalog } else { nil }
  }

  /// The list. `areOld` is true if it is older than `ttl` because the process did not answer.
  func current() async throws(EngineError) -> (models: ModelCatalog, areOld: Bool) {
    if let fresh { return (fresh, areOld: false) }
    let load = load ?? startLoad()
    await load.isOver.value()
    switch load.result {
    case .success(let models): return (models, areOld: false)
    case .failure(let error):
      guard let cached else { throw error }
      return (cached.catalog, areOld: true)
    }
  }

  private func startLoad() -> Load {
    let load = Load()
    self.load = load
    Loop.spawn {
      do throws(EngineError) {
        let catalog = try await self.readCatalog()
        let isChanged = catalog != self.cached?.catalog
        self.cached = (catalog, Loop.now)
        load.result = .success(catalog)
        if isChanged { self.onChange?(catalog) }
      } catch {
        load.result = .failure(error)
      }
      self.load = nil
      load.isOver.finish()
    }
    return load
  }

  private func readCatalog() async throws(EngineError) -> ModelCatalog {
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
    // Without the configuration the list is still of use: it marks a default model.
    if case .result(let result) = await config {
      catalog.configuredModel = result["config"]?["model"]?.stringValue
      catalog.configuredEffort = result["config"]?["model_reasoning_effort"]?.stringValue
    }
    return catalog
  }
}

extension EngineModel {
  /// Reads an entry of `model/list`; nil if it has no id.
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
