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

  /// A later request of a session: the last user message, and the system prompt if it has changed.
  static func nextOfSession(
    _ chat: ChatRequest,
    _ selection: ModelSelection,
    record: SessionRecord
  ) throws(APIError) -> TurnRequest {
    var turn = base(chat, selection, thread: .existing(record.thread))
    guard let index = chat.messages.lastIndex(where: { $0.role == .user }) else {
      throw .invalid("A request that continues a session needs a user message.", param: "messages")
    }
    var notes: [String] = []
    if let instructions = instructions(chat), ThreadMap.fingerprint(instructions) != record.instructions {
      notes.append(instructions)
    }
    turn.history = notes.map { .message(.developer, [.text($0)]) }
    turn.input = try parts(chat.messages[index])
    askForJSON(chat, &turn)
    moveLongInput(&turn)
    return turn
  }

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
    for message in rest { turn.history += try items(message) }
    askForJSON(chat, &turn)
    moveLongInput(&turn)
  }

  private static func moveLongInput(_ turn: inout TurnRequest) {
    let characters = turn.input.reduce(0) { if case .text(let text) = $1 { $0 + text.utf8.count } else { $0 } }
    guard characters > maxInputCharacters else { return }
    turn.history.append(.message(.user, turn.input))
    turn.input = []
  }

  private static func items(_ message: ChatRequest.Message) throws(APIError) -> [TurnRequest.HistoryItem] {
    let parts = try parts(message)
    switch message.role {
    case .system, .developer: return parts.isEmpty ? [] : [.message(.developer, parts)]
    case .user: return [.message(.user, parts)]
    case .assistant:
      let text: [TurnRequest.HistoryItem] = parts.isEmpty ? [] : [.message(.assistant, parts)]
      return text + message.toolCalls.map { .functionCall(name: $0.name, arguments: $0.arguments, callID: $0.id) }
    case .tool, .function: return [.functionOutput(callID: message.toolCallID ?? "", output: message.text)]
    }
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
