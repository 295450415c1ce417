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

/// All models of the engine, and the one that it uses when a turn names none.
struct ModelCatalog: Sendable, Equatable {
  var models: [EngineModel]
  /// The model that Codex's configuration names. It need not be in `models`.
  var configuredModel: String?
  /// The reasoning effort that Codex's configuration names.
  var configuredEffort: String?

  func model(_ id: String) -> EngineModel? { models.first { $0.id == id } }

  var defaultModel: String? { configuredModel ?? models.first(where: \.isDefault)?.id ?? models.first?.id }
}
