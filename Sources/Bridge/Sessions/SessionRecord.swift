// What is remembered of a session: its threads, one for each model that was asked in it, and its system prompt.

/// A Codex thread of a session. It never changes its model.
struct SessionThread: Sendable, Equatable {
  var id: ThreadID
  /// Threads whose messages were put into this one when it was made, oldest first: a thread only tells the turns it ran
  /// itself.
  var previous: [ThreadID] = []
  /// Nil in maps of the original project, whose threads are taken as they are.
  var model: String?
  /// A fingerprint of the system prompt the thread has seen.
  var instructions: String?
  /// How many assistant messages the last request on this thread carried; nil if that is not known.
  var answers: Int?

  /// An upper bound of what it takes in the map, as bytes of JSON.
  var mapBytes: Int {
    let strings = [model, instructions].compactMap(\.self) + previous.map(\.raw)
    return strings.reduce(Self.fixedMapBytes + id.raw.jsonBytesBound) { $0 + $1.jsonBytesBound }
  }

  /// The names of all members, those of the session too, six numbers of up to twenty digits, punctuation and indentation.
  private static let fixedMapBytes = 400
}

/// What is kept of a session across restarts.
struct SessionRecord: Sendable, Equatable {
  /// Threads of a session that are remembered. With one model more the one that was not used for the longest time goes.
  static let maxThreads = 8

  /// The thread that was used last.
  var current: SessionThread
  /// Those of other models, the one used last at the end.
  private(set) var others: [SessionThread] = []
  /// The system prompt that was told last, if it is kept: a thread that is loaded again needs it.
  var prompt: SessionPrompt?
  /// Seconds since 1970.
  var createdAt: Int
  var usedAt: Int
  var turns: Int
  /// The number of the change that last used it: a finer clock than seconds, and one that never goes back. 0 in older maps.
  var sequence: UInt64 = 0

  init(
    current: SessionThread, others: [SessionThread] = [], prompt: SessionPrompt? = nil, createdAt: Int,
    usedAt: Int,
    turns: Int, sequence: UInt64 = 0
  ) {
    self.current = current
    self.others = others
    self.prompt = prompt
    self.createdAt = createdAt
    self.usedAt = usedAt
    self.turns = turns
    self.sequence = sequence
  }

  /// Whether the same is known of a session; the number of the change that told it does not matter.
  static func == (left: SessionRecord, right: SessionRecord) -> Bool {
    left.current == right.current && left.others == right.others && left.prompt == right.prompt
      && left.createdAt == right.createdAt && left.usedAt == right.usedAt && left.turns == right.turns
  }

  var thread: ThreadID { current.id }
  var model: String? { current.model }

  /// The thread of a model, if it has one.
  func thread(of model: String?) -> SessionThread? {
    if current.model == nil || current.model == model { return current }
    return others.last { $0.model == model }
  }

  /// Makes `thread` the one used last. It takes the place of the one its model had.
  mutating func use(_ thread: SessionThread) {
    others.removeAll { $0.id == thread.id || $0.model == thread.model }
    if current.id != thread.id, current.model != nil, current.model != thread.model { others.append(current) }
    others = others.suffix(Self.maxThreads - 1)
    current = thread
  }

  /// An upper bound of what it takes in the map, without its prompt, as bytes of JSON.
  var mapBytes: Int { others.reduce(current.mapBytes) { $0 + $1.mapBytes } }
}

/// A system prompt, shared by all sessions that were told the same.
final class SessionPrompt: Sendable, Equatable {
  /// A longer one is not kept, in UTF-8 bytes: whoever sends so much sends it with every request.
  static let maxBytes = 64 << 10

  let text: String
  /// An upper bound of what it takes as JSON.
  let mapBytes: Int

  /// Nil for a text that is too long to be kept.
  init?(_ text: String) {
    guard text.utf8.count <= Self.maxBytes else { return nil }
    self.text = text
    mapBytes = text.jsonBytesBound
  }

  static func == (left: SessionPrompt, right: SessionPrompt) -> Bool {
    left === right || left.text.utf8.elementsEqual(right.text.utf8)
  }
}

extension String {
  /// An upper bound of the bytes it takes as a JSON string: escaped control characters take six, others two at most.
  var jsonBytesBound: Int {
    let bytes = utf8.span
    var bound = 8 + 2 * bytes.count
    for index in bytes.indices where bytes[index] < 0x20 { bound += 4 }
    return bound
  }
}
