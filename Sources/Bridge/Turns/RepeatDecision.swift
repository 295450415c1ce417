// What becomes of a request that may repeat an earlier one. Pure.

/// Which requests are the same: those of one owner and one person behind the owner's key, with one profile, that say the same in
/// one dialect for one session.
struct AnswerKey: Hashable, Sendable {
  let body: Fingerprint
  let owner: Principal
  let profile: ProfileKind
  /// The beginning of the ids of its answers, which names the dialect.
  let dialect: String
  let session: SessionKey?
  /// The verified person; nil where the people behind a key are not told apart.
  var user: String?

  /// The body tells nearly all apart, and its fingerprint is a hash.
  func hash(into hasher: inout Hasher) { hasher.combine(body) }
}

/// What is done with a request.
enum RepeatDecision: Equatable, Sendable {
  /// Its turn is run.
  case run
  /// It reads this one of the answers under way.
  case join(Int)
  /// It gets the answer that was kept.
  case answerAgain
  /// It gets the failure of the turn that it repeats.
  case failAgain

  /// What a request says of itself.
  enum Mark: Sendable {
    case none
    /// An SDK says that it sends the request again.
    case retry
    /// Somebody wants it run whatever was before.
    case run
  }

  /// An answer under way to the same request.
  struct UnderWay: Sendable {
    let isAttended: Bool
    /// Whether all of it can still be told, and it is not being ended.
    let isJoinable: Bool
  }

  /// An answer that has ended.
  struct Ended: Sendable {
    let age: Duration
    /// Whether nobody was there any more to read its end.
    let isUnread: Bool
  }

  /// How often a failed turn answers for its repetitions: llama-index, DSPy and LiteLLM repeat three or four times whatever
  /// a failure says of that. Raised, a person who tries again gets the old failure more often; lowered, such programs run an
  /// agent several times.
  static let maxFailuresAgain = 3
  /// And for how long.
  static let failuresLast = Duration.seconds(20)
  /// How long an answer is kept for an SDK that has not got it and asks again; the longest pause of one is shorter.
  static let answersLast = Duration.seconds(60)

  /// `grace` is how long a request without a mark may take the place of one whose client has left. `hasFailure` tells whether
  /// there is a failure left to be told again.
  static func decide(
    _ mark: Mark, underWay: [UnderWay], ended: Ended?, hasFailure: Bool, grace: Duration
  ) -> RepeatDecision {
    if mark == .run { return .run }
    // Two clients that are both there want two answers, unless one says that it is the same.
    if let lonely = underWay.firstIndex(where: { $0.isJoinable && !$0.isAttended }) { return .join(lonely) }
    if mark == .retry, let latest = underWay.lastIndex(where: \.isJoinable) { return .join(latest) }
    if hasFailure { return .failAgain }
    guard let ended else { return .run }
    if mark == .retry { return ended.age <= answersLast ? .answerAgain : .run }
    return ended.isUnread && ended.age <= grace ? .answerAgain : .run
  }
}

extension Request {
  /// The header field in which somebody says that a request is to be run whatever was before.
  static let bridgeRetryField = "x-bridge-retry"

  var repeatMark: RepeatDecision.Mark {
    if head.fields[Self.bridgeRetryField] == "run" { return .run }
    return isMarkedRetry ? .retry : .none
  }
}
