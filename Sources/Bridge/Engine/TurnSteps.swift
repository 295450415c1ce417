// What a turn has done besides thinking and writing, for whoever looks at it afterwards.

/// The first tools that a turn has used, and how many it has used in all.
struct TurnSteps: Sendable, Equatable {
  struct Step: Sendable, Equatable {
    let number: Int
    let use: ToolUse
    /// Nil while it runs.
    var outcome: ToolOutcome?
  }

  /// With more, a turn of hours would fill the memory of everybody who lists it; what comes later is counted.
  static let maxKept = 12

  private(set) var kept: [Step] = []
  private(set) var count = 0

  mutating func add(_ report: ToolReport) {
    switch report.progress {
    case .began:
      count += 1
      if kept.count < Self.maxKept { kept.append(Step(number: report.number, use: report.use)) }
    case .ended(let outcome):
      if let index = kept.lastIndex(where: { $0.number == report.number }) { kept[index].outcome = outcome }
    }
  }
}
