// Names of models and efforts.

import Testing

@testable import Bridge

struct ModelSelectorTests {
  private static func model(_ id: String, _ efforts: [String], isDefault: Bool = false) -> EngineModel {
    EngineModel(
      id: id, displayName: nil, efforts: efforts, defaultEffort: efforts.first, isHidden: false,
      isDefault: isDefault)
  }

  private static let models = [
    model("gpt-a", ["low", "high"], isDefault: true), model("gpt-b", []), model("local:7b", ["low"]),
  ]

  private func select(
    _ name: String?, effort: String? = nil, model: String? = nil, defaultEffort: String? = nil,
    configured: String? = nil,
    isDynamic: Bool = true
  ) throws -> ModelSelection {
    let catalog = isDynamic ? ModelCatalog(models: Self.models, configuredModel: configured) : nil
    return try ModelSelector(catalog: catalog, defaultModel: model, defaultEffort: defaultEffort)
      .select(name, effort: effort.map { Ask.Effort(name: $0, field: "reasoning_effort") })
  }

  private func refusal(_ select: () throws -> ModelSelection) -> APIError? {
    do {
      _ = try select()
      return nil
    } catch {
      return error as? APIError
    }
  }

  @Test(
    arguments: [
      ("gpt-a", nil, "gpt-a", nil), ("gpt-a:high", nil, "gpt-a", "high"), ("gpt-a:high", "low", "gpt-a", "low"),
      ("gpt-a", "low", "gpt-a", "low"), ("local:7b", nil, "local:7b", nil),
      ("local:7b:low", nil, "local:7b", "low"),
      ("gpt-b", "anything", "gpt-b", "anything"), ("gpt-b:odd", nil, "gpt-b", "odd"),
    ] as [(String, String?, String, String?)])
  func findsModelAndEffort(_ name: String, _ asked: String?, _ model: String, _ effort: String?) throws {
    let selection = try select(name, effort: asked)
    #expect(selection.model == model)
    #expect(selection.effort == effort)
    #expect(selection.shownName == name)
  }

  @Test(arguments: [
    "gpt-c", "gpt-c:high", "gpt-a:extreme", "gpt-a:", "gpt-b:", "gpt-a:high:low", ":high", "GPT-A", " gpt-a",
  ])
  func refusesUnknownModels(_ name: String) throws {
    let error = try #require(refusal { try select(name) }, "accepted")
    #expect(error.status == 404)
    #expect(error.code == "model_not_found")
    #expect(error.param == "model")
    #expect(error.type == "invalid_request_error")
  }

  /// OpenAI Agents sends `none` unasked; the least that the model has is nearest to it.
  @Test(arguments: ["none", "minimal"])
  func noReasoningIsTheLeastTheModelHas(_ effort: String) throws {
    for name in ["gpt-a", "gpt-a:high", nil] as [String?] {
      let selection = try select(name, effort: effort)
      #expect(selection.effort == "low")
      #expect(selection.ignoredField == "reasoning_effort")
    }
    #expect(try select("gpt-a", effort: "high").ignoredField == nil)
    // A model without a list takes any, and is asked for what the client wants.
    #expect(try select("gpt-b", effort: effort).effort == effort)
    let unordered = ModelCatalog(models: [Self.model("m", ["high", "medium", "low", "odd"], isDefault: true)])
    let asked = Ask.Effort(name: effort, field: "effort")
    let lenient = ModelSelector(catalog: unordered, defaultModel: nil, defaultEffort: nil)
    #expect(try lenient.select(nil, effort: asked).effort == "low")
    let strict = ModelSelector(
      catalog: unordered, defaultModel: nil, defaultEffort: nil, takesLowestForNone: false)
    #expect(refusal { try strict.select(nil, effort: asked) }?.status == 400)
  }

  @Test func refusesEffortsTheModelDoesNotHave() throws {
    let error = try #require(refusal { try select("gpt-a", effort: "extreme") })
    #expect(error.status == 400)
    #expect(error.param == "reasoning_effort")
    #expect(error.message.contains("low, high"))
  }

  /// A client cannot mend what it has not chosen.
  @Test func aWrongDefaultIsTheBridges() throws {
    let effort = try #require(refusal { try select("gpt-a", defaultEffort: "banana") })
    #expect(effort.status == 400)
    #expect(effort.param == nil)
    #expect(effort.message.contains("CODEX_REASONING"))
    let model = try #require(refusal { try select(nil, model: "gpt-a:banana") })
    #expect(model.status == 404)
    #expect(model.param == nil)
    #expect(model.message.contains("CODEX_MODEL"))
  }

  @Test(
    arguments: [
      (nil, nil, nil), ("gpt-a", "low", nil), ("gpt-a:high", "banana", nil), ("gpt-b", "banana", nil),
      (nil, "banana", "CODEX_REASONING"), ("gpt-a", "banana", "CODEX_REASONING"),
      ("gpt-a:banana", nil, "CODEX_MODEL"),
      ("gpt-none", nil, "CODEX_MODEL"), ("gpt-none", "banana", "CODEX_MODEL"),
    ] as [(String?, String?, String?)])
  func looksAtTheDefaultsThemselves(_ model: String?, _ effort: String?, _ setting: String?) {
    let catalog = ModelCatalog(models: Self.models)
    let fault = ModelSelector(catalog: catalog, defaultModel: model, defaultEffort: effort).defaultFault
    #expect((fault == nil) == (setting == nil))
    if let setting { #expect(fault?.contains(setting) == true) }
    #expect(ModelSelector(catalog: nil, defaultModel: model, defaultEffort: effort).defaultFault == nil)
  }

  /// Whether it exists is the provider's to say.
  @Test func aDefaultThatIsNotListedIsTakenWithADoubt() throws {
    #expect(try select(nil, model: "my-model").doubt?.contains("'my-model'") == true)
    #expect(try select("my-model", model: "my-model").doubt == nil)
    #expect(try select(nil, model: "my-model", configured: "my-model").doubt == nil)
    #expect(try select(nil, model: "my-model", isDynamic: false).doubt == nil)
  }

  @Test func takesTheDefaultOfCodex() throws {
    let selection = try select(nil)
    #expect(selection.model == nil)
    #expect(selection.effort == nil)
    #expect(selection.shownName == "gpt-a")
    #expect(selection.resolved == "gpt-a")
    #expect(try select(nil, configured: "gpt-b").shownName == "gpt-b")
  }

  @Test func takesTheDefaultOfTheBridge() throws {
    let selection = try select(nil, model: "gpt-b", defaultEffort: "odd")
    #expect(selection.model == "gpt-b")
    #expect(selection.effort == "odd")
  }

  /// The setting's own help allows `model:effort`.
  @Test(arguments: [nil, "gpt-a:high"] as [String?])
  func splitsTheDefaultOfTheBridge(_ name: String?) throws {
    let selection = try select(name, model: "gpt-a:high")
    #expect(selection.model == "gpt-a")
    #expect(selection.effort == "high")
    #expect(selection.resolved == "gpt-a")
    #expect(selection.shownName == "gpt-a:high")
  }

  @Test func theMoreParticularEffortWins() throws {
    #expect(try select("gpt-a", defaultEffort: "low").effort == "low")
    #expect(try select("gpt-a:high", defaultEffort: "low").effort == "high")
    #expect(try select("gpt-a:high", effort: "low", defaultEffort: "x").effort == "low")
  }

  @Test func takesModelsThatOnlyTheConfigurationNames() throws {
    #expect(try select("my-model", configured: "my-model").model == "my-model")
    #expect(try select("my-model", model: "my-model").model == "my-model")
    #expect(try select("my-model:high", configured: "my-model").effort == "high")
  }

  @Test(
    arguments: [
      ("anything", "anything", nil), ("anything:high", "anything", "high"), ("a:7b", "a:7b", nil),
      ("a:7b:low", "a:7b", "low"),
    ] as [(String, String, String?)])
  func passesNamesOnWithoutAList(_ name: String, _ model: String, _ effort: String?) throws {
    let selection = try select(name, isDynamic: false)
    #expect(selection.model == model)
    #expect(selection.effort == effort)
  }
}
