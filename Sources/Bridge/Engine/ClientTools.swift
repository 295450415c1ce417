// Functions that the client runs while a turn waits for them.

/// Functions that the model has called. The turn goes on once it is given what they have returned (`Turn.resume`).
struct OpenCalls: Sendable, Equatable {
  /// In the order in which the model has made them; at least one.
  let calls: [Conversation.ToolCall]
  /// What the calls of the model have used since the start, or since such an event before. Nil if the engine tells it only
  /// later; it is in the next event then.
  let usage: TokenUsage?
  /// What is wrong with arguments that had to follow a schema exactly.
  var faults: [SchemaViolation] = []
}

/// Arguments that do not follow the schema of their function.
struct SchemaViolation: Sendable, Equatable {
  let function: String
  /// A text for people.
  let fault: String
}

/// What a turn goes on with.
struct ToolReply: Sendable {
  /// What the functions have returned.
  let outputs: [Conversation.ToolOutput]
  /// What the user says besides.
  var input: [Conversation.Part] = []
  /// The functions that may be called from here on, by the client's names.
  let offered: [String]
  /// Whether several may be called before any has returned.
  var isParallel = true
}

extension ToolReply {
  /// The same with what the user says as a part of the last output.
  var withInputInOutputs: ToolReply {
    var outputs = outputs
    if let last = outputs.popLast() {
      outputs.append(Conversation.ToolOutput(callID: last.callID, parts: last.parts + input))
    }
    return ToolReply(outputs: outputs, offered: offered, isParallel: isParallel)
  }
}

/// The items of a turn as the engine has told them, so that it can go on elsewhere.
struct TurnRecording: Sendable {
  /// Of all items. A longer turn cannot go on anywhere but where it runs.
  static let maxBytes = 16 << 20

  /// The engine's name of the turn.
  private(set) var turnID = ""
  /// How many items came before `items`. They lie in the database alone.
  private(set) var storedItems = 0
  /// JSON texts in the engine's own form, oldest first.
  private(set) var items: [String] = []
  /// Of all items.
  private var bytes = 0
  /// Of `items`.
  private(set) var heldBytes = 0
  /// Whether there are all: nothing was left out.
  private(set) var isWhole = true

  /// Puts an item in place of the last one.
  mutating func replaceLast(with item: String) {
    if let last = items.popLast() { heldBytes -= last.utf8.count }
    add(item)
  }

  /// Drops items at the start, which lie in the database.
  mutating func wereStored(_ count: Int) {
    guard isWhole, count <= items.count else { return }
    storedItems += count
    heldBytes -= items.prefix(count).reduce(0) { $0 + $1.utf8.count }
    items.removeFirst(count)
  }

  mutating func began(_ turnID: String) { self.turnID = turnID }

  mutating func add(_ item: String) {
    guard isWhole else { return }
    bytes += item.utf8.count
    guard bytes <= Self.maxBytes else {
      isWhole = false
      items = []
      heldBytes = 0
      return
    }
    heldBytes += item.utf8.count
    items.append(item)
  }
}
