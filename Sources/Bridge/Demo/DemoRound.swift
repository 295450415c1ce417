// One call of the demo model: what it says and calls in it, how fast, and with which trouble. Pure.

/// What the model does in one call.
struct DemoRound: Sendable, Equatable {
  enum Step: Sendable, Equatable {
    /// A friendly sentence that repeats what the user said, or a call of the tool that the user named.
    case friendly
    case tokens(Int)
    case say(String)
    /// What the model was sent, one line per message.
    case history
    /// What the tools gave since the model was called before.
    case outputs
    case run(String)
    /// Without arguments, they are made from the tool's schema.
    case call(name: String, arguments: DemoArguments?)

    /// Whether the model is called again afterwards.
    var isCall: Bool {
      switch self {
      case .run, .call: true
      default: false
      }
    }
  }

  /// What makes a round fail. Unlike the pace, it does not go over to the next round.
  struct Trouble: Sendable, Equatable {
    var status: Int?
    var errorCode: String?
    var failure: String?
    var incomplete: String?
    /// Tokens after which the connection is cut.
    var cutAfter: Int?
    /// Whether trouble strikes only the first time the same message comes.
    var isOnce = false
  }

  /// What is said and called, in this order.
  var steps: [Step] = []
  var trouble = Trouble()
  private(set) var delay = Duration.zero
  private(set) var firstDelay = Duration.zero
  private(set) var id: String?
  private(set) var reasoningDeltas = 0
  private(set) var usage: [Int] = []
  private(set) var hasCommentary = false
  /// The phase of what is said.
  private(set) var phase: String?
  /// The id of every call, for tests of what an id that comes twice does.
  private(set) var callID: String?
  /// Whether a command asks to be run outside the sandbox.
  private(set) var escalates = false

  /// The answer to a message without a script, at a pace that a person sees.
  static let friendly: DemoRound = {
    var round = DemoRound()
    round.steps = [.friendly]
    round.delay = .milliseconds(30)
    return round
  }()

  /// An empty round with the same pace.
  var successor: DemoRound {
    var next = self
    next.steps = []
    next.trouble = Trouble()
    return next
  }

  /// The steps, `ok` where a script names none.
  var playedSteps: [Step] { steps.isEmpty ? [.say("ok")] : steps }

  mutating func apply(_ word: DemoWord) {
    let number = Int(word.value).map { max(0, $0) }
    switch word.name {
    case "tokens": steps.append(.tokens(min(number ?? 0, 1_000_000)))
    case "say": steps.append(.say(word.value))
    case "run": steps.append(.run(word.value))
    case "call": steps.append(.call(name: word.value, arguments: word.arguments))
    case "history": steps.append(.history)
    case "outputs": steps.append(.outputs)
    case "delay": delay = .milliseconds(min(number ?? 0, 3_600_000))
    case "first": firstDelay = .milliseconds(min(number ?? 0, 3_600_000))
    case "id": id = word.value
    case "reasoning": reasoningDeltas = min(number ?? 0, 10_000)
    case "usage": usage = word.value.split(separator: ",").compactMap { Int($0) }
    case "commentary": hasCommentary = true
    case "phase": phase = word.value
    case "call-id": callID = word.value
    case "escalate": escalates = true
    default: trouble.apply(word, number)
    }
  }

  /// The tokens of an answer.
  func tokens(count: Int) -> [String] {
    let prefix = id.map { "\($0)-" } ?? "t"
    return (0..<count).map { "\(prefix)\($0) " }
  }
}

extension DemoRound.Trouble {
  fileprivate mutating func apply(_ word: DemoWord, _ number: Int?) {
    switch word.name {
    case "status": status = number
    case "code": errorCode = word.value
    case "fail": failure = word.value
    case "incomplete": incomplete = word.value
    case "cut": cutAfter = number
    case "once": isOnce = true
    default: break
    }
  }

  /// Without what a second attempt is spared.
  mutating func spare() {
    cutAfter = nil
    status = nil
    failure = nil
  }
}
