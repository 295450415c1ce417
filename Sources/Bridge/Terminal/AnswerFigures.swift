// What an answer took: the line of figures below it, and the words for amounts that other lines use too. Pure.

/// How long an answer took and what it has used.
struct AnswerFigures: Sendable, Equatable {
  /// From the question to the first word of the answer; nil if there was none.
  var firstWord: Duration?
  var total: Duration
  var usage: TokenUsage
  /// What of the plan is used, the shortest window first.
  var limits: [EngineAccount.Limit] = []

  /// Above this a longer window of the plan is told of besides the shortest.
  private static let nearlyFullPercent = 80.0

  /// `3.2 s to first word · 11 s · 1.4k in (1.1k cached) · 312 out · 41 % of 5 h`
  var line: String {
    var parts: [String] = []
    if let firstWord { parts.append("\(Amount.time(firstWord)) to first word") }
    parts.append(Amount.time(total))
    if usage.input > 0 {
      let cached = usage.cachedInput > 0 ? " (\(Amount.count(usage.cachedInput)) cached)" : ""
      parts.append("\(Amount.count(usage.input)) in\(cached)")
    }
    if usage.output > 0 { parts.append("\(Amount.count(usage.output)) out") }
    for (index, limit) in limits.enumerated() where index == 0 || limit.usedPercent >= Self.nearlyFullPercent {
      parts.append(limit.text)
    }
    return parts.joined(separator: " · ")
  }
}

extension EngineAccount.Limit {
  /// `41 % of 5 h`
  var text: String {
    let percent = "\(Int(min(max(usedPercent, 0), 999).rounded())) %"
    return windowMinutes.map { "\(percent) of \(Amount.window(minutes: $0))" } ?? "\(percent) of the plan"
  }
}

/// Numbers as people read them.
enum Amount {
  /// `0.4 s`, `11 s`, `2 min 5 s`, `3 h 10 min`
  static func time(_ duration: Duration) -> String {
    let tenths = Int((max(0, duration.inSeconds) * 10).rounded())
    if tenths < 100 { return "\(tenths / 10).\(tenths % 10) s" }
    let seconds = (tenths + 5) / 10
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }

  /// `312`, `1.4k`, `14k`, `1.2M`
  static func count(_ number: Int) -> String {
    switch number {
    case ..<1000: "\(number)"
    case ..<9950: short(number, per: 1000) + "k"
    case ..<999_500: "\((number + 500) / 1000)k"
    default: short(number, per: 1_000_000) + "M"
    }
  }

  private static func short(_ number: Int, per unit: Int) -> String {
    let tenths = (number + unit / 20) / (unit / 10)
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// `5 h`, `7 days`
  static func window(minutes: Int) -> String {
    let hours = minutes / 60
    if minutes % 60 != 0 { return "\(minutes) min" }
    return hours >= 48 && hours % 24 == 0 ? "\(hours / 24) days" : "\(hours) h"
  }
}
