// How often each route was answered, for monitoring. Owns the counts of one route.

/// How often a route was answered with which status.
final class AnswerCounts: Sendable {
  /// The route's template. Never the path of a request: that is the client's to choose and would grow without bound.
  let route: String
  /// A list, because a route has so few statuses that looking at each is quicker than hashing. Unchecked:
  /// see Decisions.
  @LoopActor @exclusivity(unchecked) private(set) var byStatus: [(status: Int, count: Int)] = []

  init(of route: String) { self.route = route }

  @LoopActor func add(_ status: Int) {
    for index in byStatus.indices where byStatus[index].status == status {
      byStatus[index].count += 1
      return
    }
    byStatus.append((status, 1))
  }
}
