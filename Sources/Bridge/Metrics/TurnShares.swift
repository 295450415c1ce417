// What turns have used by model and by key, for monitoring. Both labels are bounded: a client chooses the model's name, and each
// pair of labels costs whoever keeps the metrics some twenty time series.

/// How a turn has ended, for counts that need no more than this.
enum TurnResult: String, CaseIterable, Sendable {
  case completed
  /// Nobody wanted it any more.
  case cancelled
  case failed
}

/// The tokens of one or of many turns. Cached ones are a part of the input, those of reasoning a part of the output.
struct TokenCounts: Sendable, Equatable {
  var input = 0
  var cachedInput = 0
  var output = 0
  var reasoning = 0

  static func += (left: inout TokenCounts, right: TokenCounts) {
    left.input += right.input
    left.cachedInput += right.cachedInput
    left.output += right.output
    left.reasoning += right.reasoning
  }

  /// The counts by the value of the label `kind`.
  var byKind: [(kind: String, count: Int)] {
    [("input", input), ("cached_input", cachedInput), ("output", output), ("reasoning", reasoning)]
  }
}

/// What is counted of a turn that has ended.
struct EndedTurn: Sendable {
  var result: TurnResult
  /// "completed", "tool_calls", "steered" or the error's code.
  var outcome: String
  var duration: Duration
  /// From the request to the first piece of the answer; nil if there was none.
  var firstToken: Duration?
  var tokens = TokenCounts()
  /// Without its effort.
  var model: String
  var owner: Principal
}

/// Counts by model and key.
struct TurnShares: Sendable {
  /// Raised, whoever keeps the metrics pays for more series; lowered, more is counted as `other`.
  static let maxModels = 16
  static let maxKeys = 32
  static let maxPairs = 128
  /// A longer name is cut.
  private static let maxModelBytes = 100
  /// What has no label of its own.
  static let other = "other"

  struct Labels: Hashable, Comparable, Sendable {
    let model: String
    let key: String

    static func < (left: Labels, right: Labels) -> Bool { (left.model, left.key) < (right.model, right.key) }
  }

  struct Share: Sendable {
    fileprivate(set) var turns: [TurnResult: Int] = [:]
    fileprivate(set) var tokens = TokenCounts()
    fileprivate(set) var firstToken: Histogram

    fileprivate mutating func add(_ turn: EndedTurn) {
      turns[turn.result, default: 0] += 1
      tokens += turn.tokens
      if let firstToken = turn.firstToken { self.firstToken.observe(firstToken.inSeconds) }
    }
  }

  private let bounds: [Double]
  private var keys: [Principal: String] = [:]
  private var models: Set<String> = []
  private(set) var shares: [Labels: Share] = [:]

  /// `bounds` are those of the time to the first token.
  init(bounds: [Double]) { self.bounds = bounds }

  /// Names the holders of keys by the places of these in the settings: "1", "2" and so on, which tell nothing of the keys.
  mutating func name(_ holders: [Principal]) {
    let names = holders.prefix(Self.maxKeys).enumerated().map { ($1, String($0 + 1)) }
    keys = Dictionary(names) { first, _ in first }
  }

  mutating func add(_ turn: EndedTurn) {
    var labels = Labels(
      model: label(ofModel: String(turn.model.beginning(ofBytes: Self.maxModelBytes)), turn.result),
      key: keys[turn.owner] ?? Self.other)
    if shares[labels] == nil, shares.count >= Self.maxPairs { labels = Labels(model: Self.other, key: Self.other) }
    shares[labels, default: Share(firstToken: Histogram(bounds))].add(turn)
  }

  /// A name gets a label with its first turn that is completed: names that a client makes up take no label from models that
  /// exist.
  private mutating func label(ofModel model: String, _ result: TurnResult) -> String {
    if models.contains(model) { return model }
    guard result == .completed, models.count < Self.maxModels else { return Self.other }
    models.insert(model)
    return model
  }
}
