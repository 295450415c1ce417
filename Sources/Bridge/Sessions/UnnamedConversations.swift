// Conversations whose clients give them no name, as far as this process remembers them: their sessions and the points of their
// threads. Owns which are forgotten.

/// The last conversations without a name, in memory.
@LoopActor
final class UnnamedConversations: PointRepository {
  /// Conversations that are remembered. Each has a thread under Codex's home, of some ten kilobytes and more, which is deleted
  /// with it.
  static let maxCount = 64
  /// A conversation that was used within this time is not forgotten for a new one, so that a program that asks thousands of
  /// single questions takes nobody's chat away. Its further questions are not remembered.
  static let minAge = Duration.seconds(30)

  private struct Entry {
    var record: SessionRecord
    var points: [ThreadID: ThreadPoints] = [:]
    var usedAt: Duration
  }

  private var entries: [SessionKey: Entry] = [:]
  private var sessions: [ThreadID: SessionKey] = [:]
  private let maxCount: Int
  private let minAge: Duration
  private var version: UInt64 = 0
  /// Called with threads of the engine that nobody needs any more.
  var onForgotten: @LoopActor ([ThreadID]) -> Void = { _ in }
  /// Called with a thread that has to be deleted in the end.
  var onAdded: @LoopActor (ThreadID) -> Void = { _ in }

  init(maxCount: Int = maxCount, minAge: Duration = minAge) {
    self.maxCount = maxCount
    self.minAge = minAge
  }

  var count: Int { entries.count }

  /// Whether a further conversation would be remembered.
  func hasRoom(unless isInUse: @LoopActor (SessionKey) -> Bool) -> Bool {
    entries.count < maxCount || entries.contains { mayGo($0.key, $0.value, isInUse) }
  }

  private func mayGo(_ key: SessionKey, _ entry: Entry, _ isInUse: @LoopActor (SessionKey) -> Bool) -> Bool {
    Loop.now - entry.usedAt >= minAge && !isInUse(key)
  }

  // MARK: Sessions

  func lookup(_ key: SessionKey) -> SessionRecord? { entries[key]?.record }

  func bind(_ key: SessionKey, _ record: SessionRecord) throws(RepositoryError) {
    guard record.version == entries[key]?.record.version else { throw .conflict }
    version += 1
    var entry = entries[key] ?? Entry(record: record, usedAt: Loop.now)
    entry.record = record
    entry.record.version = version
    entry.usedAt = Loop.now
    entries[key] = entry
    for thread in [record.current] + record.others where sessions[thread.id] == nil {
      sessions[thread.id] = key
      onAdded(thread.id)
    }
  }

  func touch(_ key: SessionKey) {
    entries[key]?.record.turns += 1
    entries[key]?.record.usedAt = unixTime()
    entries[key]?.usedAt = Loop.now
  }

  func setAnswers(_ count: Int, on thread: ThreadID, of key: SessionKey) {
    if entries[key]?.record.current.id == thread { entries[key]?.record.current.answers = count }
  }

  func forget(_ key: SessionKey) -> Bool {
    guard entries.removeValue(forKey: key) != nil else { return false }
    let threads = sessions.filter { $0.value == key }.keys
    for thread in threads { sessions[thread] = nil }
    onForgotten(threads.sorted { $0.raw < $1.raw })
    return true
  }

  /// Forgets those that were not used for the longest time, first those in which nobody has come back.
  func forgetSurplus(keeping newest: SessionKey?, unless isInUse: @LoopActor (SessionKey) -> Bool) {
    while entries.count > maxCount {
      let candidates = entries.filter { $0.key != newest && mayGo($0.key, $0.value, isInUse) }
      let oldest = candidates.min { left, right in
        (left.value.record.turns > 1 ? 1 : 0, left.value.usedAt)
          < (right.value.record.turns > 1 ? 1 : 0, right.value.usedAt)
      }
      guard let oldest else { return }
      _ = forget(oldest.key)
    }
  }

  // MARK: Points

  func points(of thread: ThreadID) -> ThreadPoints {
    sessions[thread].flatMap { entries[$0]?.points[thread] } ?? ThreadPoints()
  }

  func set(_ points: ThreadPoints, of thread: ThreadID, in session: SessionKey) {
    entries[session]?.points[thread] = points
  }

  func threads(endingAt digests: [ConversationDigest]) -> [FoundThread] {
    let places = Dictionary(zip(digests, 0...)) { first, _ in first }
    var (first, found) = (digests.count, [FoundThread]())
    for (key, entry) in entries {
      for (thread, points) in entry.points {
        guard let place = points.all.compactMap({ places[$0.end] }).min(), place <= first else { continue }
        if place < first { (first, found) = (place, []) }
        found.append(FoundThread(session: key, thread: thread))
      }
    }
    return found
  }

  func forget(_ threads: [ThreadID]) {
    for thread in threads {
      if let key = sessions.removeValue(forKey: thread) { entries[key]?.points[thread] = nil }
    }
  }
}
