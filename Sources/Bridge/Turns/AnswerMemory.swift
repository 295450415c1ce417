// Answers that have ended a moment ago, and failures, for requests that are sent again. Pure: time comes in as an argument.

import DequeModule

/// An answer that has ended, as far as it has to be known to be told again.
enum KeptAnswer: Sendable {
  case whole(Response)
  case stream(AnswerLog, AnswerIdentity, stops: [String], ResponseFields)

  /// Bytes of memory, about.
  var byteCount: Int {
    switch self {
    case .whole(let response): response.body.count + response.fields.bytes.count
    case .stream(let log, _, _, let fields): log.byteCount + fields.bytes.count
    }
  }
}

/// Keeps ended answers for a minute, and failures for less.
struct AnswerMemory {
  /// Memory of all kept answers. Raised, more of it is taken while SDKs ask much; lowered, a retry of a long answer may find
  /// that newer ones have taken its place.
  static let maxBytes = 64 << 20
  /// Kept answers, and failures, for the same reason.
  static let maxCount = 1024

  private struct Entry {
    let answer: KeptAnswer
    /// The request that it was the answer to.
    let requestID: String
    let isUnread: Bool
    let at: Duration
  }

  /// A failure that is told again.
  private struct Failure {
    let response: Response
    let requestID: String
    let at: Duration
    var repetitions = 0

    func isOver(at now: Duration) -> Bool {
      repetitions >= RepeatDecision.maxFailuresAgain || now - at > RepeatDecision.failuresLast
    }
  }

  private var answers: [AnswerKey: Entry] = [:]
  private var failures: [AnswerKey: Failure] = [:]
  /// In the order in which they came. What is here may have been replaced since: then its time is another.
  private var answerOrder: Deque<(key: AnswerKey, at: Duration)> = []
  private var failureOrder: Deque<(key: AnswerKey, at: Duration)> = []
  private(set) var byteCount = 0

  var isEmpty: Bool { answerOrder.isEmpty && failureOrder.isEmpty }

  // MARK: Answers

  /// Keeps an answer that has ended well; a failure of the same request is forgotten.
  mutating func keep(
    _ answer: KeptAnswer, of requestID: String, isUnread: Bool, for key: AnswerKey, at now: Duration
  ) {
    forget(key)
    guard answer.byteCount <= AnswerLog.maxBytes else { return }
    answers[key] = Entry(answer: answer, requestID: requestID, isUnread: isUnread, at: now)
    answerOrder.append((key, now))
    byteCount += answer.byteCount
    while byteCount > Self.maxBytes || answerOrder.count > Self.maxCount { removeOldestAnswer() }
  }

  /// What is known of the answer to a request that has ended.
  func ended(_ key: AnswerKey, at now: Duration) -> RepeatDecision.Ended? {
    answers[key].map { RepeatDecision.Ended(age: now - $0.at, isUnread: $0.isUnread) }
  }

  func answer(_ key: AnswerKey) -> (answer: KeptAnswer, requestID: String)? {
    answers[key].map { ($0.answer, $0.requestID) }
  }

  // MARK: Failures

  /// Remembers that a turn which had started has failed.
  mutating func fail(_ response: Response, of requestID: String, for key: AnswerKey, at now: Duration) {
    forget(key)
    failures[key] = Failure(response: response, requestID: requestID, at: now)
    failureOrder.append((key, now))
    if failureOrder.count > Self.maxCount { removeOldestFailure() }
  }

  func hasFailure(_ key: AnswerKey, at now: Duration) -> Bool { failures[key]?.isOver(at: now) == false }

  /// The failure for the next repetition, and which one that is.
  mutating func failAgain(_ key: AnswerKey) -> (response: Response, requestID: String, number: Int)? {
    guard var failure = failures[key] else { return nil }
    failure.repetitions += 1
    failures[key] = failure
    return (failure.response, failure.requestID, failure.repetitions)
  }

  // MARK: Forgetting

  /// Forgets what is known of a request: it is run again, or has been.
  mutating func forget(_ key: AnswerKey) {
    failures[key] = nil
    if let entry = answers.removeValue(forKey: key) { byteCount -= entry.answer.byteCount }
  }

  /// Forgets what is too old.
  mutating func sweep(at now: Duration) {
    while let oldest = answerOrder.first, now - oldest.at > RepeatDecision.answersLast { removeOldestAnswer() }
    while let oldest = failureOrder.first, now - oldest.at > RepeatDecision.failuresLast { removeOldestFailure() }
  }

  private mutating func removeOldestAnswer() {
    guard let (key, at) = answerOrder.popFirst(), let entry = answers[key], entry.at == at else { return }
    byteCount -= entry.answer.byteCount
    answers[key] = nil
  }

  private mutating func removeOldestFailure() {
    guard let (key, at) = failureOrder.popFirst(), failures[key]?.at == at else { return }
    failures[key] = nil
  }
}
