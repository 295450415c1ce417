// What happened in each of the last minutes. A ring with a fixed number of places; time is an argument.

/// Turns and tokens per minute for one hour.
struct MinuteHistory: Sendable {
  struct Minute: Sendable, Equatable {
    var turns = 0
    /// Turns among them that did not complete.
    var failures = 0
    var tokens = 0
  }

  /// How many minutes are kept, the current one included.
  static let minutes = 60

  private var ring = Array(repeating: Minute(), count: minutes)
  /// The newest minute that has a place, counted from 1970.
  private var newest = 0

  /// Changes the minute that `second` (since 1970) lies in. A clock that was set back counts for the newest minute.
  mutating func update(at second: Int, _ change: (inout Minute) -> Void) {
    advance(to: second / 60)
    change(&ring[newest % Self.minutes])
  }

  /// The last minutes, oldest first; the last one is the minute of `second` and still going on.
  mutating func recent(at second: Int) -> [Minute] {
    advance(to: second / 60)
    let oldest = (newest + 1) % Self.minutes
    return Array(ring[oldest...] + ring[..<oldest])
  }

  private mutating func advance(to minute: Int) {
    guard minute > newest else { return }
    for passed in max(newest + 1, minute - Self.minutes + 1)...minute { ring[passed % Self.minutes] = Minute() }
    newest = minute
  }
}
