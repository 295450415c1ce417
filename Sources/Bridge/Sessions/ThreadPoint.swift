// Where in a thread the answers of a conversation end, by digests, so that a client's history leads to the place that it goes on
// from.

/// An answer of a thread.
struct ThreadPoint: Sendable, Equatable {
  /// The engine's name of the turn that has given it; nil for one that was put into the thread before its first turn. The answers
  /// of a turn that has called functions of the client have the same.
  let turnID: String?
  /// Behind all that stood in the thread before this was asked.
  let before: ConversationDigest
  /// Behind what was asked.
  let asked: ConversationDigest
  /// Behind the answer; nil for one that has failed, was cut, or is not there yet.
  var answered: ConversationDigest?
  /// Whether it was asked with the history of this thread before it, and not by a message alone.
  var isWhole = false
  /// Whether the answer has ended with calls of the client's functions.
  var hasCalls = false
  /// Whether a front end had added documents to the question, which it takes out again.
  var hasDocuments = false
  /// Whether its turn has changed files or run commands, which stays when the turn is taken back.
  var hasEffects = false

  /// How an answer begins that was cut, as its client has seen it. It is known to the process that has sent it.
  var beginning: String?

  /// Behind all that its client is known to have: the answer, or the question to one that was cut.
  var end: ConversationDigest { answered ?? asked }
}

/// Points of a thread, the first one first.
struct ThreadPoints: Sendable, Equatable {
  /// Those that are kept of a thread, which take 200 bytes each. Whoever goes back further gets a thread of its own history.
  static let maxCount = 512

  private(set) var all: [ThreadPoint] = []
  /// How many were dropped before the first.
  private(set) var dropped = 0

  init(_ all: [ThreadPoint] = [], dropped: Int = 0) {
    self.all = all
    self.dropped = dropped
  }

  var last: ThreadPoint? { all.last }
  var isEmpty: Bool { all.isEmpty }

  mutating func append(_ point: ThreadPoint) {
    all.append(point)
    guard all.count > Self.maxCount else { return }
    dropped += all.count - Self.maxCount
    all.removeFirst(all.count - Self.maxCount)
  }

  /// Takes away the point at `index` and all after it.
  mutating func cut(at index: Int) { all.removeSubrange(index...) }

  /// The index of the first one that is not as it was in `earlier`; the number of all if each is.
  func firstChange(since earlier: ThreadPoints) -> Int {
    let known = earlier.all.dropFirst(dropped - earlier.dropped)
    return zip(all, known).prefix { $0 == $1 }.count
  }

  /// Changes the last one.
  mutating func changeLast(_ change: (inout ThreadPoint) -> Void) {
    if let last = all.indices.last { change(&all[last]) }
  }
}

/// Keeps the points of threads.
@LoopActor
protocol PointRepository: AnyObject {
  /// The points of a thread, none for one that is not known.
  func points(of thread: ThreadID) async -> ThreadPoints

  /// Sets the points of a thread of a session. Lasts when it returns.
  func set(_ points: ThreadPoints, of thread: ThreadID, in session: SessionKey) async

  /// The threads that have a point which ends at the first of these digests that any has, with their sessions, of those sessions that
  /// the bridge has named.
  func threads(endingAt digests: [ConversationDigest]) async -> [FoundThread]

  /// Forgets threads.
  func forget(_ threads: [ThreadID]) async
}

/// A thread of a conversation without a name of its own.
struct FoundThread: Sendable, Equatable {
  let session: SessionKey
  let thread: ThreadID
}
