// What is remembered of a session: its title, its threads, one for each model that was asked in it and for each branch
// that its client may come back to, and its system prompt.

/// What is kept of a session across restarts.
struct SessionRecord: Sendable, Equatable {
  /// Threads of a session that are remembered, one for each model, and branches. Each costs some hundred bytes of the map; one
  /// that was forgotten begins again with what the client sends.
  static let maxThreads = 8

  /// The thread that was used last.
  var current: ThreadRecord
  /// Those of other models and other branches, the one used last at the end.
  private(set) var others: [ThreadRecord] = []
  /// Made by `SessionTitle`. Nil for a session that has begun without words, or before sessions had titles.
  var title: String?
  /// The system prompt that was told last, if it is kept: a thread that is loaded again needs it.
  var prompt: SessionPrompt?
  /// A digest of its client's own key to the provider's cache, which tells conversations apart that look alike; nil where it has
  /// sent none.
  var cacheKey: String?
  /// Seconds since 1970.
  var createdAt: Int
  /// Seconds since 1970.
  var usedAt: Int
  var turns: Int
  /// Set by the repository, for each change a greater number than any before: it tells whether a record is still the latest,
  /// and which session was used last, more finely than seconds and whatever the clock does. Nil for a record that was never
  /// stored, 0 in older maps.
  var version: UInt64?

  init(
    current: ThreadRecord, others: [ThreadRecord] = [], title: String? = nil, prompt: SessionPrompt? = nil,
    cacheKey: String? = nil, createdAt: Int, usedAt: Int, turns: Int, version: UInt64? = nil
  ) {
    self.current = current
    self.others = others
    self.title = title
    self.prompt = prompt
    self.cacheKey = cacheKey
    self.createdAt = createdAt
    self.usedAt = usedAt
    self.turns = turns
    self.version = version
  }

  /// Whether the same is known of a session, in whatever version.
  static func == (left: SessionRecord, right: SessionRecord) -> Bool {
    left.current == right.current && left.others == right.others && left.title == right.title
      && left.prompt == right.prompt && left.cacheKey == right.cacheKey && left.createdAt == right.createdAt
      && left.usedAt == right.usedAt
      && left.turns == right.turns
  }

  var thread: ThreadID { current.id }
  var model: String? { current.model }

  /// The thread of a model, if it has one.
  func thread(of model: String?) -> ThreadRecord? {
    let threads = threads(of: model)
    return threads.first { !$0.isBranch } ?? threads.first
  }

  /// All threads of a model, the one used last first.
  func threads(of model: String?) -> [ThreadRecord] {
    ([current] + others.reversed()).enumerated().filter { index, thread in
      thread.model == model || index == 0 && thread.model == nil
    }.map(\.element)
  }

  /// Makes `thread` the one used last, in place of the thread that its model had, unless that is a branch.
  mutating func use(_ thread: ThreadRecord) {
    let isLeft = current.id != thread.id && current.model != nil
    others.removeAll { $0.id == thread.id || $0.model == thread.model && !$0.isBranch }
    if isLeft, current.model != thread.model || current.isBranch { others.append(current) }
    others = others.suffix(Self.maxThreads - 1)
    current = thread
  }

  /// Makes a branch the thread used last; the one before it is a branch then.
  mutating func switchTo(_ branch: ThreadRecord) {
    var branch = branch
    branch.isBranch = false
    if current.id != branch.id, current.model == branch.model { current.isBranch = true }
    use(branch)
  }

  /// Remembers a thread that the client may come back to.
  mutating func keep(_ branch: ThreadRecord) {
    var branch = branch
    branch.isBranch = true
    others = (others + [branch]).suffix(Self.maxThreads - 1)
  }
}
