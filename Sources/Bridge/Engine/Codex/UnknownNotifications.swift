// Notifications that a newer Codex sends and the bridge does not know: skipped, counted, named once.

/// How many of each kind have been skipped.
struct UnknownNotifications: Sendable {
  /// The names are the engine's to choose; more than these are not remembered.
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
