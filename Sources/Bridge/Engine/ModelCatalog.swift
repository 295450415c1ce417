// The models the engine offers.

/// A model that Codex lists.
struct EngineModel: Sendable, Equatable {
  let id: String
  let displayName: String?
  let efforts: [String]
  let defaultEffort: String?
  let isHidden: Bool
  let isDefault: Bool
}

/// All models, and which one is meant when none is named.
struct ModelCatalog: Sendable, Equatable {
  var models: [EngineModel]
  /// The model of Codex's configuration; may be one that is not listed.
  var configuredModel: String?
  /// The effort of Codex's configuration.
  var configuredEffort: String?

  func model(_ id: String) -> EngineModel? { models.first { $0.id == id } }

  var defaultModel: String? { configuredModel ?? models.first(where: \.isDefault)?.id ?? models.first?.id }
}
