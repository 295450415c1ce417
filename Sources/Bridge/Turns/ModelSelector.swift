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
  /// Why the model may not exist although it was taken.
  var doubt: String?
  /// The field whose effort the model does not have, when its lowest was taken instead.
  var ignoredField: String?
}

/// Finds models by the names clients use.
struct ModelSelector: Sendable {
  /// The engine's list; nil when names are not checked.
  var catalog: ModelCatalog?
  let defaultModel: String?
  let defaultEffort: String?
  /// Whether a request for no reasoning gets the least that the model has; else it is refused.
  var takesLowestForNone = true

  /// Efforts that are split off a name when there is no list to look in.
  private static let knownEfforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]
  /// What clients send who want an answer soon, some of them unasked (OpenAI Agents sends `none`).
  private static let leastEfforts: Set<String> = ["none", "minimal"]

  /// What is wrong with the configured defaults, nil if nothing is.
  var defaultFault: String? {
    do throws(APIError) {
      return try select(nil, effort: nil).doubt
    } catch {
      return error.message
    }
  }

  func select(_ requested: String?, effort requestedEffort: Ask.Effort?) throws(APIError) -> ModelSelection {
    guard let name = requested ?? defaultModel else {
      let resolved = catalog?.defaultModel
      let lowest = lowestEffort(insteadOf: requestedEffort, of: resolved)
      if lowest == nil { try check(requestedEffort, of: resolved) }
      return ModelSelection(
        model: nil, effort: lowest ?? requestedEffort?.name ?? defaultEffort, resolved: resolved,
        shownName: resolved ?? "codex", ignoredField: lowest.flatMap { _ in requestedEffort?.field })
    }
    let (model, suffix) = try split(name, isDefault: requested == nil)
    let lowest = lowestEffort(insteadOf: requestedEffort, of: model)
    if lowest == nil, requestedEffort != nil || suffix == nil { try check(requestedEffort, of: model) }
    return ModelSelection(
      model: model, effort: lowest ?? requestedEffort?.name ?? suffix ?? defaultEffort, resolved: model,
      shownName: name, doubt: requested == nil ? doubt(model) : nil,
      ignoredField: lowest.flatMap { _ in requestedEffort?.field })
  }

  /// The least effort that the model has where less was asked for; nil where the request can be met, or has to be refused.
  private func lowestEffort(insteadOf requested: Ask.Effort?, of model: String?) -> String? {
    guard takesLowestForNone, let requested, Self.leastEfforts.contains(requested.name), let model,
      let efforts = catalog?.model(model)?.efforts, !efforts.contains(requested.name)
    else { return nil }
    return Self.knownEfforts.first(where: efforts.contains) ?? efforts.first
  }

  private func split(_ name: String, isDefault: Bool) throws(APIError) -> (model: String, effort: String?) {
    let colon = name.lastIndex(of: ":")
    let base = colon.map { String(name[..<$0]) } ?? name
    let suffix = colon.map { String(name[name.index(after: $0)...]) }
    guard let catalog else {
      return suffix.map(Self.knownEfforts.contains) == true ? (base, suffix) : (name, nil)
    }
    if catalog.model(name) != nil || name == catalog.configuredModel { return (name, nil) }
    guard let suffix, !suffix.isEmpty, isKnown(base, in: catalog) else {
      if name == defaultModel { return (name, nil) }
      throw .modelNotFound(name)
    }
    if let efforts = catalog.model(base)?.efforts, !efforts.isEmpty, !efforts.contains(suffix) {
      let hint = " The efforts of \(base) are \(efforts.joined(separator: ", "))."
      throw .modelNotFound(name, hint: isDefault ? hint + Self.blame(Settings.model) : hint, isDefault: isDefault)
    }
    return (base, suffix)
  }

  /// The operator's own default is believed, listed or not.
  private func doubt(_ model: String) -> String? {
    guard let catalog, catalog.model(model) == nil, model != catalog.configuredModel else { return nil }
    return "Codex does not list the model '\(model)'.\(Self.blame(Settings.model))"
  }

  /// A model that the user's configuration names need not be listed.
  private func isKnown(_ name: String, in catalog: ModelCatalog) -> Bool {
    catalog.model(name) != nil || name == catalog.configuredModel || name == defaultModel
  }

  /// Throws if the model does not have the effort that was asked for or, where none was, the configured one.
  private func check(_ requested: Ask.Effort?, of model: String?) throws(APIError) {
    guard let effort = requested?.name ?? defaultEffort, let model, let efforts = catalog?.model(model)?.efforts,
      !efforts.isEmpty, !efforts.contains(effort)
    else { return }
    throw .invalid(
      "The model \(model) has no reasoning effort '\(effort.beginning(ofBytes: 40))'; it has \(efforts.joined(separator: ", "))."
        + (requested == nil ? Self.blame(Settings.reasoning) : ""),
      param: requested?.field
    )
  }

  /// A client that has not chosen a value cannot change it either.
  private static func blame(_ setting: any AnySetting) -> String {
    " It is the bridge's own default (\(setting.name))."
  }

}

extension ModelSelector {
  /// The same with another list.
  func with(_ catalog: ModelCatalog?) -> ModelSelector {
    var selector = self
    selector.catalog = catalog
    return selector
  }

  /// With the defaults of the configuration; `catalog` is what the engine lists.
  init(_ configuration: Configuration, catalog: ModelCatalog?) {
    self.init(
      catalog: configuration[Settings.dynamicModels] ? catalog : nil,
      defaultModel: TurnProfile(configuration).defaultModel,
      defaultEffort: configuration[Settings.reasoning],
      takesLowestForNone: !configuration[Settings.strictParameters])
  }
}
