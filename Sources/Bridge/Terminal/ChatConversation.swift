// The conversation of `bridged chat` as Codex has it: its thread and its model. Owns both, and what of them is on disk.

@LoopActor
final class ChatConversation {
  private let configuration: Configuration
  private let engine: CodexEngine
  private let file: ChatThreadFile
  private let notify: @LoopActor (String) -> Void
  private var contents: ChatThreadFile.Contents?
  /// What the person asked for; may carry an effort.
  private var modelName: String?

  /// Continues what is in `file`, unless it `isNew`. `notify` tells the person what is not an answer.
  init(
    _ configuration: Configuration, engine: CodexEngine, file: ChatThreadFile, isNew: Bool,
    notify: @escaping @LoopActor (String) -> Void
  ) {
    self.configuration = configuration
    self.engine = engine
    self.file = file
    self.notify = notify
    if isNew { file.remove() } else { contents = file.load() }
    // A model that is named for this start goes before the one that was chosen in the conversation.
    let isNamed = configuration.origin(of: Settings.model) == .flag
    modelName = (isNamed ? nil : contents?.model) ?? TurnProfile(configuration).defaultModel
  }

  /// Whether nothing was said yet.
  var isEmpty: Bool { contents == nil }

  func reset() {
    contents = nil
    file.remove()
  }

  // MARK: The model

  /// Which model is in use and which there are, in words.
  func describeModels() async -> String {
    let catalog = await catalog()
    let names = (catalog?.models ?? []).filter { !$0.isHidden }.map(\.id.printable)
    let current = modelName ?? catalog?.defaultModel ?? "Codex's default"
    return "In use: \(current)\nThere are: \(names.joined(separator: ", "))"
  }

  /// Uses another model from the next message on. Throws if there is none of that name.
  func useModel(_ name: String) async throws(APIError) {
    let selector = ModelSelector(
      catalog: await catalog(), defaultModel: TurnProfile(configuration).defaultModel, defaultEffort: nil)
    _ = try selector.select(name, effort: nil)
    modelName = name
  }

  private func catalog() async -> ModelCatalog? {
    configuration[Settings.dynamicModels] ? try? await engine.models() : nil
  }

  // MARK: Turns

  /// Starts a turn with the next message.
  func start(_ text: String) async throws(APIError) -> Turn {
    let selection = try ModelSelector(configuration, catalog: await catalog()).select(modelName, effort: nil)
    var plan = TurnRequest(thread: .persistent)
    plan.model = selection.model
    plan.effort = selection.effort
    plan.input = [.text(text)]
    do throws(EngineError) {
      return try await start(plan)
    } catch {
      throw APIError(error, hasStarted: false)
    }
  }

  private func start(_ request: TurnRequest) async throws(EngineError) -> Turn {
    var plan = request
    if let contents {
      if contents.model == nil || contents.model == modelName {
        plan.thread = .existing(contents.thread)
        do throws(EngineError) {
          return try await begin(plan)
        } catch .threadNotFound {
          notify("Codex no longer knows the earlier conversation; this is a new one.")
          plan.thread = .persistent
        }
      } else {
        plan.history = try await engine.history(of: contents.thread)
      }
    }
    let turn = try await begin(plan)
    if let thread = turn.threadID { remember(thread) }
    return turn
  }

  private func begin(_ plan: TurnRequest) async throws(EngineError) -> Turn {
    let turn = Turn(plan, profile: try Profiles(configuration).profile(of: .everybody), requestID: "chat")
    try await engine.start(turn)
    return turn
  }

  private func remember(_ thread: ThreadID) {
    let contents = ChatThreadFile.Contents(thread: thread, model: modelName)
    self.contents = contents
    do throws(FileError) {
      try file.save(contents)
    } catch {
      notify("\(ChatThreadFile.name) cannot be written (\(error)): the next start will not continue this.")
    }
  }
}
