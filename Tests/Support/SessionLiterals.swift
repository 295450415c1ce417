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
