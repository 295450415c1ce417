// The models that clients may ask for: those that the engine lists, and those that the configuration names.

/// Finds the model that a name means, and answers GET /v1/models.
@LoopActor
final class ModelDirectory {
  private let engine: any TurnEngine
  /// A selector without a catalog. Each use adds the engine's, which may change at any time.
  private let defaults: ModelSelector
  /// Whether names are checked against the engine's list.
  private let isDynamic: Bool
  private let defaultModel: String?
  private let startedAt = unixTime()
  /// The last answer to GET /v1/models, and the catalog that it was made of.
  private var rendered: (catalog: ModelCatalog, list: Response)?

  init(engine: any TurnEngine, configuration: Configuration) {
    self.engine = engine
    defaults = ModelSelector(configuration, catalog: nil)
    isDynamic = configuration[Settings.dynamicModels]
    defaultModel = defaults.defaultModel
  }

  /// The model and effort for a request.
  func select(_ name: String?, effort: Ask.Effort?) async throws(APIError) -> ModelSelection {
    let catalog = isDynamic ? try await catalog() : nil
    return try defaults.with(catalog).select(name, effort: effort)
  }

  /// Throws the error that `select` would throw, if that is known without asking the engine.
  func check(_ name: String?, effort: Ask.Effort?) throws(APIError) {
    guard isDynamic, let catalog = engine.knownModels else { return }
    _ = try defaults.with(catalog).select(name, effort: effort)
  }

  /// The effort that a selection leads to, also if it is the default; nil if it is not known.
  func effort(_ selection: ModelSelection) async -> String? {
    if let effort = selection.effort { return effort }
    guard let catalog = try? await engine.models() else { return nil }
    return catalog.configuredEffort ?? selection.resolved.flatMap { catalog.model($0)?.defaultEffort }
  }

  /// GET /v1/models: every model, each followed by one entry for each of its efforts.
  func list(_ request: Request, _: [String], _ writer: ResponseWriter) -> Connection.Work? {
    if let catalog = engine.knownModels {
      writer.send(list(of: catalog))
      return nil
    }
    return {
      do throws(APIError) {
        writer.send(self.list(of: try await self.catalog()))
      } catch {
        writer.send(error.response)
      }
    }
  }

  private func list(of catalog: ModelCatalog) -> Response {
    if let rendered, rendered.catalog == catalog { return rendered.list }
    let entries = entries(of: catalog, includingHidden: false)
    let list = Response.json(["object": "list", "data": .array(entries.map(\.value))])
    rendered = (catalog, list)
    return list
  }

  /// GET /v1/models/{id}.
  func retrieve(_ request: Request, _ captures: [String], _ writer: ResponseWriter) async {
    do throws(APIError) {
      let id = captures.first ?? ""
      let entries = entries(of: try await catalog(), includingHidden: true)
      guard let entry = entries.first(where: { $0.id == id }) else {
        throw .modelNotFound(id)
      }
      writer.send(.json(entry.value))
    } catch {
      writer.send(error.response)
    }
  }

  private func catalog() async throws(APIError) -> ModelCatalog {
    do throws(EngineError) {
      return try await engine.models()
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  private func entries(of catalog: ModelCatalog, includingHidden: Bool) -> [(id: String, value: JSONValue)] {
    var models = isDynamic ? catalog.models.filter { includingHidden || !$0.isHidden } : []
    // A model that only the configuration names can be asked for too. If Codex's list is not used, it is the only one.
    for name in isDynamic ? [defaultModel, catalog.configuredModel] : [defaultModel ?? catalog.configuredModel] {
      guard let base = name.map({ configuredBase($0, in: catalog) }), !models.contains(where: { $0.id == base })
      else { continue }
      let efforts = catalog.model(base)?.efforts ?? []
      models.insert(
        EngineModel(
          id: base, displayName: nil, efforts: efforts, defaultEffort: nil, isHidden: false, isDefault: true),
        at: 0)
    }
    if !isDynamic, models.isEmpty, let model = catalog.defaultModel.flatMap({ catalog.model($0) }) {
      models = [model]
    }
    return models.flatMap { model in
      [entry(model.id, model.displayName ?? model.id)]
        + model.efforts.map { entry("\(model.id):\($0)", "\(model.displayName ?? model.id) (\($0))") }
    }
  }

  /// The id of the model that a setting names. A setting may have an effort behind a colon, which is no part of the id.
  private func configuredBase(_ name: String, in catalog: ModelCatalog) -> String {
    guard catalog.model(name) == nil, let colon = name.lastIndex(of: ":"),
      catalog.model(String(name[..<colon])) != nil
    else { return name }
    return String(name[..<colon])
  }

  private func entry(_ id: String, _ name: String) -> (id: String, value: JSONValue) {
    let value: JSONValue = [
      "id": .string(id), "object": "model", "created": .int(startedAt), "owned_by": "codex", "name": .string(name),
    ]
    return (id, value)
  }
}
