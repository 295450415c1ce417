// Finds the model and the effort that a name such as `NAME` or `NAME:EFFORT` means. Pure.

/// The model and effort of a turn.
struct ModelSelection: Sendable, Equatable {
  /// Nil for Codex's own default.
  var model: String?
  var effort: String?
  /// The model that will answer, if it is known: `model`, or else Codex's default.
  var resolved: String?
  /// The name of the model in the answer: the one that the client asked for.
  var shownName: String
  /// Why the model may not exist, if Codex does not list it.
  var doubt: String?
  /// The request's field with the effort, if the model does not have that effort and its lowest is used instead.
  var ignoredField: String?
}

/// Finds models by the names that clients use.
struct ModelSelector: Sendable {
  /// The engine's models. Without them names are not checked.
  var catalog: ModelCatalog?
  let defaultModel: String?
  let defaultEffort: String?
  /// Whether a request for an effort in `leastEfforts` gets the model's lowest if the model does not have it. Otherwise
  /// it is refused.
  var takesLowestForNone = true

  /// Efforts from the lowest to the highest. Without a catalog, these are recognised behind the colon of a name.
  private static let knownEfforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]
  /// The efforts of clients that want an answer soon. Some send them by default: OpenAI Agents sends `none`.
  private static let leastEfforts: Set<String> = ["none", "minimal"]

  /// What is wrong with the configured default model or effort; nil if nothing is.
  var defaultFault: String? {
    do throws(APIError) {
      return try select(nil, effort: nil).doubt
    } catch {
      return error.message
    }
  }

  /// The model and effort for a request. Throws if there is no such model, or the model does not have the effort.
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

  /// The effort of a task that a front end has: low, or the model's lowest; nil if they are not known.
  func taskEffort(of model: String?) -> String? {
    guard let efforts = model.flatMap({ catalog?.model($0)?.efforts }), !efforts.isEmpty else { return nil }
    return efforts.contains("low") ? "low" : Self.knownEfforts.first(where: efforts.contains)
  }

  /// The model's lowest effort, if a lower one was asked for; nil if the request can be met, or has to be refused.
  private func lowestEffort(insteadOf requested: Ask.Effort?, of model: String?) -> String? {
    guard takesLowestForNone, let requested, Self.leastEfforts.contains(requested.name), let model,
      let efforts = catalog?.model(model)?.efforts, !efforts.contains(requested.name)
    else { return nil }
    return Self.knownEfforts.first(where: efforts.contains) ?? efforts.first
  }

  /// Splits a name into the model and the effort behind its last colon. A model's own name may contain a colon.
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
      throw .modelNotFound(
        name, hint: isDefault ? hint + Self.settingHint(Settings.model) : hint, isDefault: isDefault)
    }
    return (base, suffix)
  }

  /// Why the configured default model may not exist. It is used all the same: Codex may know models that it does not list.
  private func doubt(_ model: String) -> String? {
    guard let catalog, catalog.model(model) == nil, model != catalog.configuredModel else { return nil }
    return "Codex does not list the model '\(model)'.\(Self.settingHint(Settings.model))"
  }

  /// Whether a model can be asked for. Models that the configuration names need not be in Codex's list.
  private func isKnown(_ name: String, in catalog: ModelCatalog) -> Bool {
    catalog.model(name) != nil || name == catalog.configuredModel || name == defaultModel
  }

  /// Throws if the model does not have the requested effort or, if none was requested, the configured one.
  private func check(_ requested: Ask.Effort?, of model: String?) throws(APIError) {
    guard let effort = requested?.name ?? defaultEffort, let model, let efforts = catalog?.model(model)?.efforts,
      !efforts.isEmpty, !efforts.contains(effort)
    else { return }
    throw .invalid(
      "The model \(model) has no reasoning effort '\(effort.beginning(ofBytes: 40))'; it has \(efforts.joined(separator: ", "))."
        + (requested == nil ? Self.settingHint(Settings.reasoning) : ""),
      param: requested?.field, code: requested.map { _ in "unsupported_value" }
    )
  }

  /// A sentence that names the setting, for clients that have not chosen the value themselves.
  private static func settingHint(_ setting: any AnySetting) -> String {
    " It is the bridge's own default (\(setting.name))."
  }
}

extension ModelSelector {
  /// A selector with the same defaults and another catalog.
  func with(_ catalog: ModelCatalog?) -> ModelSelector {
    var selector = self
    selector.catalog = catalog
    return selector
  }

  /// A selector with the defaults of the configuration. `catalog` is what the engine lists.
  init(_ configuration: Configuration, catalog: ModelCatalog?) {
    self.init(
      catalog: configuration[Settings.dynamicModels] ? catalog : nil,
      defaultModel: TurnProfile(configuration).defaultModel,
      defaultEffort: configuration[Settings.reasoning],
      takesLowestForNone: !configuration[Settings.strictParameters])
  }
}
