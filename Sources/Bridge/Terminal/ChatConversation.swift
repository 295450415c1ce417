// The conversations of `bridged chat`: sessions, asked by one person, whose turns start as those of any client do. Owns which of
// them goes on.

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

  /// The model that answers next.
  struct Model: Sendable {
    var name: String
    /// Nil if it is not known.
    var effort: String?
  }

  private let configuration: Configuration
  private let engine: CodexEngine
  private let repository: ChatRepository
  private let sessions: Sessions
  private let models: ModelDirectory
  private let starter: TurnStarter
  private let notify: @LoopActor (String) -> Void
  private let person = Person()
  private let defaultModel: String?
  /// Whether a model was named for this start, which goes before those that were chosen in conversations.
  private let isModelNamed: Bool
  /// The conversation that goes on. It is not kept before its first turn.
  private(set) var id = ""
  private var modelName: String?

  /// Begins a new conversation. `notify` tells the person what is not an answer.
  init(
    _ configuration: Configuration, engine: CodexEngine, repository: ChatRepository,
    notify: @escaping @LoopActor (String) -> Void
  ) {
    self.configuration = configuration
    self.engine = engine
    self.notify = notify
    self.repository = repository
    sessions = Sessions(repository: repository, queueLimit: 0)
    models = ModelDirectory(engine: engine, configuration: configuration)
    starter = TurnStarter(
      engine: engine, sessions: sessions, models: models, images: ImageResolver(configuration: configuration),
      // A person says what is new, and no more.
      places: ThreadPlaces(points: UnnamedConversations()), configuration: configuration)
    defaultModel = TurnProfile(configuration).defaultModel
    isModelNamed = configuration.origin(of: Settings.model) == .flag
    modelName = defaultModel
    beginNew()
  }

  /// All conversations of the directory as they are now, the one used last first.
  var all: ChatList {
    repository.reload()
    return repository.conversations
  }

  /// What is known of the conversation; nil before its first turn.
  var current: KeptConversation? { repository[id] }

  /// What a program is told of it.
  var told: JSONObject {
    var object = JSONObject()
    object["conversation"] = .string(id)
    object["thread"] = .text(current?.record.thread.raw)
    object["model"] = .text(current?.record.model)
    return object
  }

  // MARK: Which goes on

  /// Begins another; the one before is kept. The model stays.
  func beginNew() { id = Self.newID() }

  func goOn(with conversation: KeptConversation) {
    id = conversation.id
    modelName = (isModelNamed ? nil : conversation.modelName) ?? defaultModel
  }

  /// Forgets the conversation and begins another.
  func reset() {
    repository.forget(id)
    store()
    beginNew()
  }

  /// Letters first: an id is no number of a list.
  private static func newID() -> String {
    var id: String
    repeat { id = RandomID.make(length: idLength) } while id.first?.isNumber == true
    return id
  }

  /// Forty bits, among a hundred conversations.
  private static let idLength = 8

  // MARK: The model

  /// The model that answers next, and with which effort.
  func model() async -> Model {
    guard let selection = try? await models.select(modelName ?? current?.record.model, effort: nil) else {
      return Model(name: modelName ?? "Codex's default model")
    }
    return Model(name: selection.resolved ?? "Codex's default model", effort: await models.effort(selection))
  }

  /// Which model is in use and which there are, in words.
  func describeModels() async -> String {
    let names = await listedModels().map(\.id.printable)
    return "In use: \(await model().name.printable)\nThere are: \(names.joined(separator: ", "))"
  }

  /// A line for each model, with its efforts.
  func modelLines() async -> [String] {
    let used = await model()
    return await listedModels().map { model in
      let efforts = model.efforts.isEmpty ? "" : "  (\(model.efforts.joined(separator: ", ").printable))"
      return "\(model.id == used.name ? "•" : " ") \(model.id.printable)\(efforts)"
    }
  }

  private func listedModels() async -> [EngineModel] {
    let catalog = configuration[Settings.dynamicModels] ? try? await engine.models() : nil
    return (catalog?.models ?? []).filter { !$0.isHidden }
  }

  /// Uses another model from the next message on. Throws if there is none of that name.
  func useModel(_ name: String) async throws(APIError) {
    _ = try await models.select(name, effort: nil)
    modelName = name
    repository.change(id) { $0.modelName = name }
    store()
  }

  // MARK: Turns

  /// Takes the last turn back. Codex is told with the next message. Returns what was asked in it; nil if there is none that can be
  /// taken back.
  func undo() -> String? {
    var words: String?
    repository.change(id) { words = $0.undo()?.words }
    store()
    return words
  }

  /// Starts a turn with the next message.
  func start(_ text: String) async throws(APIError) -> Turn {
    var ask = Ask(conversation: Conversation(items: [.message(.user, [.text(text)])]))
    ask.model = modelName
    let before = current
    var place = ConversationPlace(session: SessionKey(owner: .everybody, id: id), isKnown: true)
    if let before, let cut = before.cut { try await takeBack(to: cut, before, &ask, &place) }
    let started = try await starter.start(IllustratedAsk(ask), in: place, person)
    if started.restarted == .threadLost {
      notify(
        place.kept == nil
          ? "Codex no longer knows the earlier conversation; this is a new one."
          : "Codex could not take the last turn back: what was said in it may still be known.")
    }
    note(started.turn, saying: text, before)
    return started.turn
  }

  /// Has the turn go on before the one that was taken back: in the thread itself, or, for another model, in a new one with what was
  /// said up to there.
  private func takeBack(
    to cut: String, _ before: KeptConversation, _ ask: inout Ask, _ place: inout ConversationPlace
  ) async throws(APIError) {
    let selection = try await models.select(ask.model ?? before.record.model, effort: nil)
    guard let transcript = try? await engine.transcript(of: before.record.thread, for: .everybody),
      // A program that was stopped may have told Codex already.
      let first = transcript.items.firstIndex(where: { $0.turnID == cut })
    else { return }
    var thread = before.record.current
    if thread.model == nil { thread.model = selection.resolved }
    guard thread.model == selection.resolved else {
      ask.conversation.items = transcript.items[..<first].compactMap(\.said) + ask.conversation.items
      place.kept = .rebuilt(.modelChanged)
      return
    }
    place.kept = .thread(
      ThreadPlaces.Found(
        thread: thread, place: FoundPlace(place: .before(turnID: cut, index: 0), known: 0), isKnown: false,
        points: ThreadPoints()))
  }

  private func note(_ turn: Turn, saying text: String, _ before: KeptConversation?) {
    repository.change(id) { conversation in
      conversation.modelName = modelName
      conversation.began(
        turn.recording.turnID, saying: text, isNewThread: before?.record.thread != conversation.record.thread,
        at: unixTime())
    }
    store()
  }

  private func store() {
    do throws(RepositoryError) {
      try repository.commit()
    } catch {
      notify("\(ChatListFile.name) cannot be written (\(error)): later starts will not continue this.")
    }
  }
}

extension Transcript.Item {
  /// What was said, as a part of a conversation; nil for what was done.
  fileprivate var said: Conversation.Item? {
    guard case .message(let role, let parts) = content else { return nil }
    let texts = parts.compactMap { if case .text(let text) = $0 { Conversation.Part.text(text) } else { nil } }
    return texts.isEmpty ? nil : .message(role, texts)
  }
}
