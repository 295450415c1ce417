// Points of threads in memory, for tests of what is done with them.

@testable import Bridge

/// Keeps points as long as it lives.
@LoopActor
final class MemoryPoints: PointRepository {
  private(set) var kept: [ThreadID: ThreadPoints] = [:]
  private var sessions: [ThreadID: SessionKey] = [:]

  func points(of thread: ThreadID) -> ThreadPoints { kept[thread] ?? ThreadPoints() }

  func set(_ points: ThreadPoints, of thread: ThreadID, in session: SessionKey) {
    kept[thread] = points
    sessions[thread] = session
  }

  func threads(endingAt digests: [ConversationDigest]) -> [FoundThread] {
    for digest in digests {
      let found = kept.compactMap { thread, points in
        sessions[thread].flatMap { session in
          session.isUnnamed && points.all.contains { $0.end == digest }
            ? FoundThread(session: session, thread: thread) : nil
        }
      }
      if !found.isEmpty { return found }
    }
    return []
  }

  func forget(_ threads: [ThreadID]) { for thread in threads { kept[thread] = nil } }
}
