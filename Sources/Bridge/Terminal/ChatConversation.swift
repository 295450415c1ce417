// The conversation of `bridged chat`: one session, asked by one person, whose turns start as those of any client do.

@LoopActor
final class ChatConversation {
  /// The person at the terminal, who waits for as long as the program runs.
  private final class Person: Caller {
    let id = "chat"
    let principal = Principal.everybody
    /// Whatever profile clients get by default: what is talked of here is what lies in the directory.
    let profile = ProfileKind.agent
    let isClientGone = false

    func onClientGone(_ action: @escaping @LoopActor () -> Void) -> ClientGoneAction { ClientGoneAction(id: 0) }
    func remove(_ action: ClientGoneAction) {}
    func holdsMore(bytes: Int) -> Bool { true }
  }

  private let configuration: Configuration
  private let engine: CodexEngine
  private let repository: ChatRepository
  private let sessions: Sessions
  private let models: ModelDirectory
  private let starter: TurnStarter
  private let notify: @LoopActor (String) -> Void
  private let person = Person()
  private let session = SessionKey(owner: .everybody, id: "chat")
  private let defaultModel: String?

  /// Continues what is in `file`, unless it `isNew`. `notify` tells the person what is not an answer.
  init(
    _ configuration: Configuration, engine: CodexEngine, file: ChatThreadFile, isNew: Bool,
    notify: @escaping @LoopActor (String) -> Void
  ) {
    self.configuration = configuration
    self.engine = engine
    self.notify = notify
    if isNew { file.remove() }
    repository = ChatRepository(file)
    sessions = Sessions(repository: repository, queueLimit: 0)
    models = ModelDirectory(engine: engine, configuration: configuration)
    starter = TurnStarter(
      engine: engine, sessions: sessions, models: models, images: ImageResolver(configuration: configuration),
      // A person says what is new, and no more.
      places: ThreadPlaces(points: UnnamedConversations()), configuration: configuration)
    defaultModel = TurnProfile(configuration).defaultModel
    // A model that is named for this start goes before the one that was chosen in the conversation.
    let isNamed = configuration.origin(of: Settings.model) == .flag
    repository.modelName = (isNamed ? nil : repository.modelName) ?? defaultModel
  }

  /// Whether nothing was said yet.
  var isEmpty: Bool { repository.isEmpty }

  func reset() { repository.forgetAll() }

  // MARK: The model

  /// Which model is in use and which there are, in words.
  func describeModels() async -> String {
    let catalog = configuration[Settings.dynamicModels] ? try? await engine.models() : nil
    let names = (catalog?.models ?? []).filter { !$0.isHidden }.map(\.id.printable)
    let current = repository.modelName ?? catalog?.defaultModel ?? "Codex's default"
    return "In use: \(current)\nThere are: \(names.joined(separator: ", "))"
  }

  /// Uses another model from the next message on. Throws if there is none of that name.
  func useModel(_ name: String) async throws(APIError) {
    _ = try await models.select(name, effort: nil)
    repository.modelName = name
  }

  // MARK: Turns

  /// Starts a turn with the next message.
  func start(_ text: String) async throws(APIError) -> Turn {
    var ask = Ask(conversation: Conversation(items: [.message(.user, [.text(text)])]))
    ask.model = repository.modelName
    let illustrated = IllustratedAsk(ask)
    let started = try await starter.start(
      illustrated, in: ConversationPlace(session: session, isKnown: true), person)
    if started.restarted == .threadLost {
      notify("Codex no longer knows the earlier conversation; this is a new one.")
    }
    do throws(RepositoryError) {
      try await sessions.commit(session)
    } catch {
      notify("\(ChatThreadFile.name) cannot be written (\(error)): the next start will not continue this.")
    }
    return started.turn
  }
}
