// Responses in the background that have begun a moment ago, for requests that are sent again. Pure: time comes in as an argument.

import DequeModule

/// Remembers by what they were asked for under which ids responses have begun.
struct BegunResponses {
  /// A request, as far as it decides about the response.
  struct Key: Hashable {
    let body: Fingerprint
    let owner: Principal
    let profile: ProfileKind
  }

  /// Raised, the retries of more requests find the first; lowered, those of fewer.
  static let maxCount = 1024

  private var ids: [Key: (id: String, at: Duration)] = [:]
  private var order: Deque<Key> = []

  mutating func note(_ id: String, for key: Key, at now: Duration) {
    if ids.updateValue((id, now), forKey: key) == nil { order.append(key) }
    while order.count > Self.maxCount, let oldest = order.popFirst() { ids[oldest] = nil }
  }

  /// The response that the same request has begun; nil for none, or for one that is long ago.
  func id(for key: Key, at now: Duration) -> String? {
    ids[key].flatMap { now - $0.at <= RepeatDecision.answersLast ? $0.id : nil }
  }
}
