// A chat request and what is known of its session to a turn. Pure.

/// Translates chat requests to turns.
enum TurnPlanner {
  /// `turn/start` takes no more text than this; longer messages go in as history, which has no limit.
  static let maxInputCharacters = 1_000_000

  private static let jsonInstruction =
    "Answer with exactly one valid JSON object and nothing else: no explanation, no code fence."

  /// The system prompt of a request: all its system and developer messages.
  static func instructions(_ chat: ChatRequest) -> String? {
    let texts = chat.messages.filter { $0.role.isInstruction }.map(\.text).filter { !$0.isEmpty }
    return texts.isEmpty ? nil : texts.joined(separator: "\n\n")
  }

  /// A request without session: the whole history on a thread that is forgotten afterwards.
  static func oneOff(_ chat: ChatRequest, _ selection: ModelSelection) throws(APIError) -> TurnRequest {
    var turn = base(chat, selection, thread: .ephemeral)
    try fill(&turn, from: chat)
    return turn
  }

  /// The first request of a session: like a one-off, on a thread that stays.
  static func firstOfSession(_ chat: ChatRequest, _ selection: ModelSelection) throws(APIError) -> TurnRequest {
    var turn = base(chat, selection, thread: .persistent)
    try fill(&turn, from: chat)
    return turn
  }

  /// A later request of a session on one of its threads: what is new in it, and the system prompt if it has changed.
  /// `prompt` is the one that was told before, for a request without.
  static func nextOfSession(
    _ chat: ChatRequest,
    _ selection: ModelSelection,
    on thread: ThreadRecord,
    prompt: SessionPrompt?
  ) throws(APIError) -> TurnRequest {
    var turn = base(chat, selection, thread: .existing(thread.id))
    let instructions = instructions(chat)
    turn.instructions = instructions ?? prompt?.text
    if let instructions, SessionPrompt.checksum(of: instructions) != thread.instructions {
      turn.history = [.message(.developer, [.text(instructions)])]
      turn.changesInstructions = true
    }
    var new = chat.messages[firstNewMessage(chat)...].filter { !$0.role.isInstruction }
    if let last = new.last, last.role == .user {
      turn.input = try parts(last)
      new.removeLast()
    }
    turn.history += try items(new, calls: callsBeforeNewMessages(chat))
    askForJSON(chat, &turn)
    moveLongInput(&turn)
    return turn
  }

  /// Where in a request that continues a session the new begins: behind the last assistant message. A request without any
  /// is not a history but new from its first message on, however much it looks like one before.
  static func firstNewMessage(_ chat: ChatRequest) -> Int {
    chat.messages.lastIndex { $0.role == .assistant }.map { $0 + 1 } ?? 0
  }

  /// The calls whose outputs may be among the new messages. The thread does not have them: what calls tools of the client
  /// there is another program.
  private static func callsBeforeNewMessages(_ chat: ChatRequest) -> [ChatRequest.ToolCall] {
    let first = firstNewMessage(chat)
    guard first > 0 else { return [] }
    let outputs = Set(chat.messages[first...].compactMap(\.toolCallID))
    return chat.messages[first - 1].toolCalls.filter { outputs.contains($0.id) }
  }

  /// How many assistant messages a request has.
  static func answers(_ chat: ChatRequest) -> Int { chat.messages.count { $0.role == .assistant } }

  /// Asks for JSON in the message itself: as an instruction of the thread it would bind later turns too.
  private static func askForJSON(_ chat: ChatRequest, _ turn: inout TurnRequest) {
    guard chat.format == .jsonObject else { return }
    if turn.input.isEmpty {
      turn.history.append(.message(.developer, [.text(jsonInstruction)]))
    } else {
      turn.input.insert(.text(jsonInstruction), at: 0)
    }
  }

  private static func base(
    _ chat: ChatRequest,
    _ selection: ModelSelection,
    thread: TurnRequest.Thread
  ) -> TurnRequest {
    var turn = TurnRequest(thread: thread)
    turn.model = selection.model
    turn.effort = selection.effort
    if case .jsonSchema(let schema) = chat.format { turn.outputSchema = schema }
    return turn
  }

  private static func fill(_ turn: inout TurnRequest, from chat: ChatRequest) throws(APIError) {
    var rest = chat.messages[...]
    var instructions: [String] = []
    // Instructions at the start become the thread's own; later ones keep their place in the history.
    while let first = rest.first, first.role.isInstruction {
      if !first.text.isEmpty { instructions.append(first.text) }
      rest.removeFirst()
    }
    turn.instructions = instructions.isEmpty ? nil : instructions.joined(separator: "\n\n")
    if let last = rest.last, last.role == .user {
      turn.input = try parts(last)
      rest.removeLast()
    }
    turn.history += try items(Array(rest))
    askForJSON(chat, &turn)
    moveLongInput(&turn)
  }

  private static func moveLongInput(_ turn: inout TurnRequest) {
    let characters = turn.input.reduce(0) { if case .text(let text) = $1 { $0 + text.utf8.count } else { $0 } }
    guard characters > maxInputCharacters else { return }
    turn.history.append(.message(.user, turn.input))
    turn.input = []
  }

  /// Messages as items, roles kept. `calls` come first.
  private static func items(
    _ messages: [ChatRequest.Message],
    calls: [ChatRequest.ToolCall] = []
  ) throws(APIError) -> [TurnRequest.HistoryItem] {
    var items = calls.map(item)
    var callIDs = Set(calls.map(\.id))
    for message in messages {
      callIDs.formUnion(message.toolCalls.map(\.id))
      items += try self.items(message, callIDs)
    }
    return items
  }

  private static func items(
    _ message: ChatRequest.Message,
    _ callIDs: Set<String>
  ) throws(APIError) -> [TurnRequest.HistoryItem] {
    let parts = try parts(message)
    switch message.role {
    case .system, .developer: return parts.isEmpty ? [] : [.message(.developer, parts)]
    case .user: return [.message(.user, parts)]
    case .assistant:
      let text: [TurnRequest.HistoryItem] = parts.isEmpty ? [] : [.message(.assistant, parts)]
      return text + message.toolCalls.map(item)
    case .tool, .function: return [output(message, callIDs)]
    }
  }

  private static func item(_ call: ChatRequest.ToolCall) -> TurnRequest.HistoryItem {
    .functionCall(name: call.name, arguments: call.arguments, callID: call.id)
  }

  /// Codex drops the output of a call that it does not have, so such a one becomes text.
  private static func output(_ message: ChatRequest.Message, _ callIDs: Set<String>) -> TurnRequest.HistoryItem {
    let id = message.toolCallID ?? ""
    if callIDs.contains(id) { return .functionOutput(callID: id, output: message.text) }
    return .message(.user, [.text("Output of the tool call \(id):\n\(message.text)")])
  }

  private static let imagePrefix = "data:image/"

  private static func parts(_ message: ChatRequest.Message) throws(APIError) -> [TurnRequest.Part] {
    var result: [TurnRequest.Part] = []
    for part in message.parts {
      switch part {
      case .text(let text): result.append(.text(text))
      case .image(let url, let path):
        guard url.utf8.span.hasPrefix(inAnyCase: imagePrefix) else {
          throw .invalid("Images must be sent inline, as a data: URL.", param: path)
        }
        result.append(.image(url))
      }
    }
    // The engine refuses a message without content.
    return result.isEmpty && message.role == .user ? [.text("")] : result
  }
}
