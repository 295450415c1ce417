// Counts the notifications of a newer Codex that the bridge does not know, and logs each kind once.

/// How many notifications of each unknown kind have come.
struct UnknownNotifications: Sendable {
  /// How many kinds are counted. Codex chooses the names, so their number has to be bounded.
  private static let maxNames = 64

  private var counts: [String: Int] = [:]

  var total: Int { counts.values.reduce(0, +) }

  mutating func count(_ method: String) {
    if let count = counts[method] {
      counts[method] = count + 1
    } else if counts.count < Self.maxNames {
      counts[method] = 1
      Log.debug("skipping notifications of an unknown kind", ["method": method])
    }
  }
}
