// What a turn has done besides thinking and writing, for whoever looks at it afterwards.

/// The first tools that a turn has used, and how many it has used in all.
struct TurnSteps: Sendable, Equatable {
  /// With more, a turn of hours would fill the memory of everybody who lists it; what comes later is counted.
  static let maxKept = 12

  private(set) var uses: [ToolUse] = []
  private(set) var count = 0

  mutating func add(_ use: ToolUse) {
    count += 1
    if uses.count < Self.maxKept { uses.append(use) }
  }
}
