// What is remembered of a session: its threads, one for each model that was asked in it, and its system prompt.

/// What is kept of a session across restarts.
struct SessionRecord: Sendable, Equatable {
  /// Threads of a session that are remembered. With one model more the one that was not used for the longest time goes.
  static let maxThreads = 8

  /// The thread that was used last.
  var current: ThreadRecord
  /// Those of other models, the one used last at the end.
  private(set) var others: [ThreadRecord] = []
  /// The system prompt that was told last, if it is kept: a thread that is loaded again needs it.
  var prompt: SessionPrompt?
  /// Seconds since 1970.
  var createdAt: Int
  var usedAt: Int
  var turns: Int
  /// The number of the change that last used it: a finer clock than seconds, and one that never goes back. 0 in older maps.
  var sequence: UInt64 = 0

  init(
    current: ThreadRecord, others: [ThreadRecord] = [], prompt: SessionPrompt? = nil, createdAt: Int,
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
  func thread(of model: String?) -> ThreadRecord? {
    if current.model == nil || current.model == model { return current }
    return others.last { $0.model == model }
  }

  /// Makes `thread` the one used last. It takes the place of the one its model had.
  mutating func use(_ thread: ThreadRecord) {
    others.removeAll { $0.id == thread.id || $0.model == thread.model }
    if current.id != thread.id, current.model != nil, current.model != thread.model { others.append(current) }
    others = others.suffix(Self.maxThreads - 1)
    current = thread
  }

  /// An upper bound of what it takes in the map, without its prompt, as bytes of JSON.
  var mapBytes: Int { others.reduce(current.mapBytes) { $0 + $1.mapBytes } }
}
