// What is asked and what is known of its session to a turn. Pure.

/// Outputs that come when the turn of their calls is over.
struct LateOutputs: Sendable, Equatable {
  /// The calls, by their ids. The thread has them.
  var calls: Set<String> = []
  /// Whether each output stands behind its call in the thread. Otherwise the call has an output of Codex's there, and the
  /// client's is told as text: a call has one output.
  var arePlaced = true

  /// Whether the output of a call need not be told.
  func standInThread(_ callID: String) -> Bool { arePlaced && calls.contains(callID) }

  /// What the model is told of outputs that stand further up.
  var notice: String? {
    guard arePlaced, !calls.isEmpty else { return nil }
    return "The application has returned the outputs of these calls, which stand behind them: "
      + calls.sorted().joined(separator: ", ") + ". Go on with them."
  }
}

/// Plans turns.
enum TurnPlanner {
  /// `turn/start` takes no more text than this; longer messages go in as history, which has no limit.
  static let maxInputCharacters = 1_000_000

  /// What the model is told where a conversation ends with the beginning of its answer, so that it goes on with that. It is the
  /// input of a turn, which can be taken back.
  static let continuation =
    "Continue your last answer from exactly where it stops. Do not repeat any of it, and say nothing before it."

  private static let jsonInstruction =
    "Answer with exactly one valid JSON object and nothing else: no explanation, no code fence."

  /// An ask without session: the whole conversation on a thread that is forgotten afterwards.
  static func oneOff(_ ask: Ask, _ selection: ModelSelection) throws(APIError) -> TurnRequest {
    try whole(ask, selection, on: .ephemeral)
  }

  /// The first ask of a session: like a one-off, on a thread that stays.
  static func firstOfSession(_ ask: Ask, _ selection: ModelSelection) throws(APIError) -> TurnRequest {
    try whole(ask, selection, on: .persistent)
  }

  /// A later ask of a session on one of its threads: what is new in it, and the system prompt if it has changed.
  /// `prompt` is the one that was told before, for an ask without. That of a plain chat is replaced when its thread is
  /// loaded; an agent is told of the change. `late` are the outputs whose calls the thread has in a turn that is over.
  /// `place` is where in the thread it goes on; nil for behind all that is there, with what follows the last answer.
  static func nextOfSession(
    _ ask: Ask,
    _ selection: ModelSelection,
    on thread: ThreadRecord,
    at place: FoundPlace? = nil,
    prompt: SessionPrompt?,
    late: LateOutputs = LateOutputs(),
    profile: ProfileKind = .agent
  ) throws(APIError) -> TurnRequest {
    let conversation = ask.conversation
    let place = place ?? FoundPlace(place: .head, known: conversation.firstNewItem)
    var turn = base(ask, selection, thread: place.place.thread(thread.id))
    let instructions = conversation.instructions
    turn.instructions = instructions ?? prompt?.text
    if let instructions, SessionPrompt.checksum(of: instructions) != thread.instructions {
      if profile == .agent { turn.history = [.message(.developer, [.text(instructions)])] }
      turn.changesInstructions = true
    }
    for output in conversation.newOutputs { try requireInlineImages(output.parts) }
    let new = conversation.items[place.known...].filter { item in
      item.message(of: .developer) == nil && !(item.outputID.map(late.standInThread) ?? false)
    }
    let calls = callsBeforeNewItems(conversation, from: place.known).filter {
      !($0.callID.map(late.calls.contains) ?? false)
    }
    try fill(&turn, with: new, after: calls, ask)
    if let notice = late.notice { turn.history.append(.message(.developer, [.text(notice)])) }
    return turn
  }

  /// An ask that brings what the functions of a turn have returned which does not run any more: it goes on from its items, on
  /// `thread` as it was before it. `prompt` is as in `nextOfSession`; `record` is that of a thread which has been told a prompt
  /// already.
  static func resumed(
    _ ask: Ask, _ selection: ModelSelection, from open: OpenTurn, on thread: TurnRequest.Thread,
    prompt: SessionPrompt?, after record: ThreadRecord? = nil, profile: ProfileKind = .agent
  ) throws(APIError) -> TurnRequest {
    let conversation = ask.conversation
    var turn = base(ask, selection, thread: thread)
    turn.instructions = conversation.instructions ?? prompt?.text
    if thread.id == nil {
      let before = conversation.items(beforeSaid: open.saidBefore).filter { $0.message(of: .developer) == nil }
      turn.history = try history(Array(before), after: [])
    }
    turn.recorded = open.items
    turn.outputs = conversation.newOutputs
    for output in turn.outputs { try requireInlineImages(output.parts) }
    let new = open.news(in: ask).filter { $0.outputID == nil }
    if conversation.firstNewItem > 0 { turn.instructionsAfter = new.filter { $0.message(of: .developer) != nil } }
    if let record { tellChangedPrompt(conversation, after: record, profile, &turn) }
    try fill(&turn, with: new.filter { $0.message(of: .developer) == nil }, after: [], ask)
    return turn
  }

  /// A prompt that the thread was not told. A chat's takes the place of the one before; an agent is told of it behind the outputs,
  /// so that all before them stays as it was.
  private static func tellChangedPrompt(
    _ conversation: Conversation, after thread: ThreadRecord, _ profile: ProfileKind, _ turn: inout TurnRequest
  ) {
    guard let instructions = conversation.instructions,
      SessionPrompt.checksum(of: instructions) != thread.instructions
    else { return }
    turn.changesInstructions = true
    guard profile == .agent else { return turn.instructionsAfter = [] }
    let earlier = Conversation(items: Array(conversation.items[..<conversation.firstNewItem])).instructions
    // Mostly the change is what is new.
    let isToldByNewItems =
      conversation.firstNewItem > 0 && earlier.map { SessionPrompt.checksum(of: $0) } == thread.instructions
    if !isToldByNewItems { turn.instructionsAfter = [.message(.developer, [.text(instructions)])] }
  }

  /// A later ask of a session whose thread cannot go on: on a new one, into which all items of the other are put (`items`).
  static func rebuilt(
    _ ask: Ask, _ selection: ModelSelection, from items: ThreadItems, resuming open: OpenTurn?,
    after thread: ThreadRecord, profile: ProfileKind
  ) throws(APIError) -> TurnRequest {
    var turn: TurnRequest
    if let open {
      turn = try resumed(
        ask, selection, from: open, on: .existing(thread.id), prompt: nil, after: thread, profile: profile)
    } else {
      let late = LateOutputs(calls: items.answeredCalls, arePlaced: true)
      turn = try nextOfSession(ask, selection, on: thread, prompt: nil, late: late, profile: profile)
    }
    // A new thread is made with the prompt of this ask. An agent is told a change all the same: among the items may be others.
    turn.changesInstructions = false
    turn.thread = .persistent
    turn.base = items.texts
    return turn
  }

  /// The calls whose outputs may be among the new items: of another program, or of an answer that had to be a call.
  private static func callsBeforeNewItems(_ conversation: Conversation, from first: Int) -> [Conversation.Item] {
    let outputs = Set(conversation.items[first...].compactMap(\.outputID))
    return conversation.items[..<first].reversed().prefix { $0.callID != nil }.reversed()
      .filter { item in item.callID.map(outputs.contains) ?? false }
  }

  private static func base(_ ask: Ask, _ selection: ModelSelection, thread: TurnRequest.Thread) -> TurnRequest {
    var turn = TurnRequest(thread: thread)
    turn.tools = ask.conversation.tools
    turn.model = selection.model
    turn.effort = selection.effort
    turn.summary = ask.summary
    if case .jsonSchema(let schema) = ask.conversation.format { turn.outputSchema = schema }
    guard let forced = ask.forcedCall else { return turn }
    turn.forcedCall = forced
    turn.outputSchema = forced.schema
    // What the answer is to be is not to be called besides. A thread that stays needs its functions for later.
    if thread == .ephemeral { turn.tools.functions = [] }
    return turn
  }

  /// All of a conversation, on a thread that knows nothing of it.
  private static func whole(
    _ ask: Ask, _ selection: ModelSelection, on thread: TurnRequest.Thread
  ) throws(APIError) -> TurnRequest {
    var turn = base(ask, selection, thread: thread)
    // Instructions at the start become the thread's own; later ones keep their place in the history.
    let leading = ask.conversation.items.prefix { $0.message(of: .developer) != nil }
    let rest = Array(ask.conversation.items[leading.endIndex...])
    turn.instructions = Conversation(items: Array(leading)).instructions
    try fill(&turn, with: rest, after: [], ask)
    return turn
  }

  /// Adds what is said: the last message of the user is the input, all before it history. `calls` were made before.
  private static func fill(
    _ turn: inout TurnRequest, with items: [Conversation.Item], after calls: [Conversation.Item], _ ask: Ask
  ) throws(APIError) {
    var rest = items
    if let last = rest.last?.message(of: .user) {
      turn.input = try userParts(last.parts)
      rest.removeLast()
    } else if ask.conversation.items.last?.message(of: .assistant) != nil {
      turn.input = [.text(continuation)]
    }
    turn.history += try history(rest, after: calls)
    askForForm(ask, &turn)
    moveLongInput(&turn)
  }

  /// Asks for a form of the answer in the message itself: as an instruction of the thread it would bind later turns too.
  private static func askForForm(_ ask: Ask, _ turn: inout TurnRequest) {
    guard let instruction = formInstruction(ask) else { return }
    if turn.input.isEmpty {
      turn.history.append(.message(.developer, [.text(instruction)]))
    } else {
      turn.input.insert(.text(instruction), at: 0)
    }
  }

  private static func formInstruction(_ ask: Ask) -> String? {
    let tools = ask.conversation.tools
    if let forced = ask.forcedCall { return forced.instruction }
    if case .named(let name) = tools.choice { return "Call the function \(name), and do nothing else." }
    if tools.mustCall { return "Call at least one of the functions of the application." }
    return ask.conversation.format == .jsonObject ? jsonInstruction : nil
  }

  private static func moveLongInput(_ turn: inout TurnRequest) {
    let characters = turn.input.reduce(0) { if case .text(let text) = $1 { $0 + text.utf8.count } else { $0 } }
    guard characters > maxInputCharacters else { return }
    turn.history.append(.message(.user, turn.input))
    turn.input = []
  }

  // MARK: History

  /// The items as the engine takes them; `calls` come first.
  private static func history(
    _ items: [Conversation.Item], after calls: [Conversation.Item]
  ) throws(APIError) -> [Conversation.Item] {
    var history = calls
    var callIDs = Set(calls.compactMap(\.callID))
    for item in items {
      if let id = item.callID { callIDs.insert(id) }
      if let item = try self.item(item, after: callIDs) { history.append(item) }
    }
    return history
  }

  /// Nil for what says nothing. A client's account of the model's thoughts is not the model's.
  private static func item(
    _ item: Conversation.Item, after callIDs: Set<String>
  ) throws(APIError) -> Conversation.Item? {
    switch item {
    case .message(let message) where message.role == .user: return .message(.user, try userParts(message.parts))
    case .message(let message):
      try requireInlineImages(message.parts)
      return message.parts.isEmpty ? nil : item
    case .reasoning: return nil
    case .toolCall: return item
    case .toolOutput(let output):
      try requireInlineImages(output.parts)
      return callIDs.contains(output.callID) ? item : .message(.user, [.text(orphan(output))])
    }
  }

  /// Codex drops the output of a call that it does not have, so such a one becomes text.
  private static func orphan(_ output: Conversation.ToolOutput) -> String {
    "Output of the tool call \(output.callID):\n\(output.text)"
  }

  private static let imagePrefix = "data:image/"

  private static func requireInlineImages(_ parts: [Conversation.Part]) throws(APIError) {
    for case .image(let url, let field) in parts where !url.utf8.span.hasPrefix(inAnyCase: imagePrefix) {
      throw .invalid("Images must be sent inline, as a data: URL.", param: field)
    }
  }

  /// The engine refuses a message without content.
  private static func userParts(_ parts: [Conversation.Part]) throws(APIError) -> [Conversation.Part] {
    try requireInlineImages(parts)
    return parts.isEmpty ? [.text("")] : parts
  }
}

extension ThreadPlace {
  /// The thread of a turn that goes on at this place of a thread.
  fileprivate func thread(_ id: ThreadID) -> TurnRequest.Thread {
    switch self {
    case .head, .nowhere: .existing(id)
    case .before(let turnID, _), .behindCut(let turnID, _), .inside(let turnID, _),
      .headWithoutDocuments(let turnID):
      .reverted(id, before: turnID)
    case .behind(let turnID, _): .forked(id, after: turnID)
    }
  }
}
