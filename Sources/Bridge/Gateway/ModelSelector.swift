// `NAME` or `NAME:EFFORT` to a model and an effort that the engine has. Pure.

/// The model and effort of a turn.
struct ModelSelection: Sendable, Equatable {
  /// Nil for Codex's own default.
  var model: String?
  var effort: String?
  /// The model that will answer, as far as that is known: `model`, or the name of Codex's default.
  var resolved: String?
  /// What the answer calls the model: what the client asked for.
  var shownName: String
}

/// Finds models by the names clients use.
struct ModelSelector: Sendable {
  /// The engine's list; nil when names are not checked.
  let catalog: ModelCatalog?
  let defaultModel: String?
  let defaultEffort: String?

  /// Efforts that are split off a name when there is no list to look in.
  private static let knownEfforts: Set<String> = [
    "none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra",
  ]

  func select(_ requested: String?, effort requestedEffort: String?) throws(APIError) -> ModelSelection {
    guard let name = requested ?? defaultModel else {
      let effort = requestedEffort ?? defaultEffort
      try check(effort, of: catalog?.defaultModel)
      let resolved = catalog?.defaultModel
      return ModelSelection(model: nil, effort: effort, resolved: resolved, shownName: resolved ?? "codex")
    }
    let (model, suffix) = try split(name)
    let effort = requestedEffort ?? suffix ?? defaultEffort
    if requestedEffort != nil || suffix == nil { try check(effort, of: model) }
    return ModelSelection(model: model, effort: effort, resolved: model, shownName: name)
  }

  private func split(_ name: String) throws(APIError) -> (model: String, effort: String?) {
    let colon = name.lastIndex(of: ":")
    let base = colon.map { String(name[..<$0]) } ?? name
    let suffix = colon.map { String(name[name.index(after: $0)...]) }
    guard let catalog else {
      return suffix.map(Self.knownEfforts.contains) == true ? (base, suffix) : (name, nil)
    }
    if catalog.model(name) != nil || name == catalog.configuredModel { return (name, nil) }
    guard let suffix, !suffix.isEmpty, isKnown(base, in: catalog) else {
      // The operator's own default is believed, listed or not.
      if name == defaultModel { return (name, nil) }
      throw Self.notFound(name)
    }
    if let efforts = catalog.model(base)?.efforts, !efforts.isEmpty, !efforts.contains(suffix) {
      throw Self.notFound(name, hint: " The efforts of \(base) are \(efforts.joined(separator: ", ")).")
    }
    return (base, suffix)
  }

  /// A model that the user's configuration names need not be listed.
  private func isKnown(_ name: String, in catalog: ModelCatalog) -> Bool {
    catalog.model(name) != nil || name == catalog.configuredModel || name == defaultModel
  }

  private func check(_ effort: String?, of model: String?) throws(APIError) {
    guard let effort, let model, let efforts = catalog?.model(model)?.efforts, !efforts.isEmpty,
      !efforts.contains(effort)
    else { return }
    throw .invalid(
      "The model \(model) has no reasoning effort '\(effort.prefix(40))'; it has \(efforts.joined(separator: ", ")).",
      param: "reasoning_effort"
    )
  }

  static func notFound(_ name: String, hint: String = "") -> APIError {
    APIError(
      status: 404,
      code: "model_not_found",
      param: "model",
      message: "The model '\(name.prefix(100))' does not exist.\(hint) GET /v1/models lists all.",
      mayRetry: false
    )
  }
}
