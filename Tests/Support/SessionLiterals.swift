// Sessions as literals: those of one who has no key of his own.

@testable import Bridge

extension SessionKey: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  init(stringLiteral id: String) { self.init(owner: .everybody, id: id) }
}

extension SessionTable: ExpressibleByDictionaryLiteral {
  init(dictionaryLiteral elements: (SessionKey, SessionRecord)...) {
    self.init(Dictionary(elements) { $1 })
  }
}

extension SessionRecord {
  /// A session with one thread.
  init(
    thread: ThreadID, previous: [ThreadID] = [], model: String? = nil, instructions: String? = nil, createdAt: Int,
    usedAt: Int, turns: Int
  ) {
    self.init(
      current: ThreadRecord(id: thread, previous: previous, model: model, instructions: instructions),
      createdAt: createdAt, usedAt: usedAt, turns: turns)
  }
}
