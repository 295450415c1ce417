// The engine's model list, kept for a while. Owns the cached list.

/// Caches `model/list`.
@LoopActor
final class ModelCatalogCache {
  /// Pages of models that are read; the list fits one today.
  private static let maxPages = 20

  private let server: AppServer
  private let ttl: Duration
  private var cached: (catalog: ModelCatalog, at: Duration)?
  private var refresh: Wait?
  /// Why the last question was not answered; told to all who waited for it.
  private(set) var failure: EngineError?
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
  func current() async throws(EngineError) -> ModelCatalog {
    if let fresh { return fresh }
    // One question at a time; those who come meanwhile get the same answer.
    if let refresh {
      await refresh.value()
      if let cached { return cached.catalog }
      if let failure { throw failure }
    }
    failure = nil
    let wait = Wait()
    refresh = wait
    defer {
      refresh = nil
      wait.finish()
    }
    do throws(EngineError) {
      let catalog = try await load()
      let isChanged = catalog != cached?.catalog
      cached = (catalog, Loop.now)
      if isChanged { onChange?(catalog) }
      return catalog
    } catch {
      failure = error
      if let cached { return cached.catalog }
      throw error
    }
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
