// What the bridge counts and measures, and the text form of metrics (Prometheus text exposition format 0.0.4).
// Owns the counts; whoever knows of an event reports it here.

/// Counts and distributions since the start of the process.
@LoopActor
final class Metrics {
  /// Seconds; from a warm thread's first token to an agent at work for an hour.
  private static let turnBounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]
  /// Seconds; a healthy loop stays in the first.
  private static let lagBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

  private static let maxOutcomes = 64

  private(set) var turns: [String: Int] = [:]
  private(set) var tokens = TokenCounts()
  private(set) var firstToken = Histogram(turnBounds)
  private(set) var turnDuration = Histogram(turnBounds)
  private(set) var loopLag = Histogram(lagBounds)
  /// The turns by model and key.
  private(set) var shares = TurnShares(bounds: turnBounds)
  /// Of each route, set by who has the routes.
  var requests: [AnswerCounts] = []
  private(set) var acceptedConnections = 0
  private var history = MinuteHistory()

  /// Tells the keys apart from now on; `holders` in the order of the settings.
  func name(_ holders: [Principal]) { shares.name(holders) }

  func turnEnded(_ turn: EndedTurn) {
    // Some codes are the model provider's own.
    let label = turns[turn.outcome] == nil && turns.count >= Self.maxOutcomes ? TurnShares.other : turn.outcome
    turns[label, default: 0] += 1
    turnDuration.observe(turn.duration.inSeconds)
    if let firstToken = turn.firstToken { self.firstToken.observe(firstToken.inSeconds) }
    tokens += turn.tokens
    shares.add(turn)
    history.update(at: unixTime()) {
      $0.turns += 1
      $0.tokens += turn.tokens.input + turn.tokens.output
      if turn.result == .failed { $0.failures += 1 }
    }
  }

  /// The last hour by minutes, oldest first; the last one is still going on.
  var recentMinutes: [MinuteHistory.Minute] { history.recent(at: unixTime()) }

  func accepted() { acceptedConnections += 1 }

  func lagged(_ lag: Duration) { loopLag.observe(lag.inSeconds) }
}

/// Builds the text form.
struct MetricsText: Sendable {
  private(set) var text = ""

  /// A family with one or more samples; `labels` are given ready, without braces.
  mutating func add(
    _ name: String,
    _ type: String,
    _ help: String,
    _ samples: [(labels: String, value: Double)]
  ) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    for sample in samples {
      text += sample.labels.isEmpty ? name : "\(name){\(sample.labels)}"
      text += " \(Self.number(sample.value))\n"
    }
  }

  mutating func add(_ name: String, _ type: String, _ help: String, _ value: Double) {
    add(name, type, help, [("", value)])
  }

  mutating func add(_ name: String, _ help: String, _ histogram: Histogram) {
    add(name, help, [("", histogram)])
  }

  /// A family with one or more distributions; `labels` are given ready, without braces.
  mutating func add(_ name: String, _ help: String, _ samples: [(labels: String, histogram: Histogram)]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
    for (labels, histogram) in samples {
      let (before, own) = labels.isEmpty ? ("", "") : ("\(labels),", "{\(labels)}")
      var total = 0
      for (bound, count) in zip(histogram.bounds, histogram.counts) {
        total += count
        text += "\(name)_bucket{\(before)le=\"\(Self.number(bound))\"} \(total)\n"
      }
      text += "\(name)_bucket{\(before)le=\"+Inf\"} \(histogram.count)\n"
      text += "\(name)_sum\(own) \(Self.number(histogram.sum))\n\(name)_count\(own) \(histogram.count)\n"
    }
  }

  /// A label with its value escaped. By scalars: a line end or a quote can be one character with its neighbour.
  static func label(_ name: String, _ value: String) -> String {
    var escaped = String.UnicodeScalarView()
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\", "\"": escaped.append(contentsOf: ["\\", scalar])
      case "\n": escaped.append(contentsOf: "\\n".unicodeScalars)
      default: escaped.append(scalar)
      }
    }
    return "\(name)=\"\(String(escaped))\""
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
  }
}
