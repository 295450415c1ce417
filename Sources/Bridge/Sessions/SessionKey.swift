// What names a session.

/// A session's name: the id its client chose, whose it is, and whether Codex's own tools and instructions are part of it.
struct SessionKey: Hashable, Sendable {
  let owner: Principal
  let id: String
  /// The same id under two profiles is two conversations.
  let profile: ProfileKind

  init(owner: Principal, id: String, profile: ProfileKind = .agent) {
    self.owner = owner
    self.id = id
    self.profile = profile
  }

  /// Byte by byte: two ids that only look the same to Unicode (canonical equivalence) are two conversations.
  static func == (left: SessionKey, right: SessionKey) -> Bool {
    left.owner == right.owner && left.profile == right.profile && left.id.utf8.elementsEqual(right.id.utf8)
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(owner)
    hasher.combine(profile)
    for byte in id.utf8 { hasher.combine(byte) }
  }

  /// How the ids begin that the bridge gives to conversations without one.
  private static let unnamedPrefix: StaticString = "conversation_"
  /// The same where responses are kept that others go on from.
  private static let responsesPrefix: StaticString = "responses_"
  private static let unnamedLength = 24

  /// A session for a conversation that its client gives no name.
  @LoopActor static func unnamed(owner: Principal, profile: ProfileKind) -> SessionKey {
    SessionKey(owner: owner, id: RandomID.make(unnamedPrefix, length: unnamedLength), profile: profile)
  }

  /// The same for a conversation from whose responses others go on.
  @LoopActor static func ofResponses(owner: Principal, profile: ProfileKind) -> SessionKey {
    SessionKey(owner: owner, id: RandomID.make(responsesPrefix, length: unnamedLength), profile: profile)
  }

  /// What its client calls it; nil where the bridge has named it.
  var name: String? { isUnnamed ? nil : id }

  /// Whether the bridge has named it, for itself.
  var isUnnamed: Bool { hasPrefix(Self.unnamedPrefix) || isOfResponses }

  /// Whether the bridge has named it, and others go on from its responses as long as these are kept.
  var isOfResponses: Bool { hasPrefix(Self.responsesPrefix) }

  private func hasPrefix(_ prefix: StaticString) -> Bool {
    id.utf8.count == prefix.utf8CodeUnitCount + Self.unnamedLength
      && id.utf8.starts(with: UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
  }

  /// The same id under each profile.
  var ofEveryProfile: [SessionKey] {
    ProfileKind.allCases.map { SessionKey(owner: owner, id: id, profile: $0) }
  }

  /// The same session, of somebody else.
  func owned(by owner: Principal) -> SessionKey { SessionKey(owner: owner, id: id, profile: profile) }
}
