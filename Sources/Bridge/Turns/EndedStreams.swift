// Streams of answers with names that have ended a moment ago, for clients that come back for the rest. Pure: time comes in as an
// argument.

import DequeModule

/// Keeps what ended streams have told, for some minutes.
struct EndedStreams {
  /// How long. A client that was cut off comes back within seconds, or asks for the whole answer.
  static let lasts = Duration.seconds(300)
  /// Memory of all of them. Raised, more of it is taken while much is answered; lowered, a client that was cut off finds the whole
  /// answer in place of its pieces.
  static let maxBytes = 32 << 20

  struct Stream {
    let owner: Principal
    /// Of whoever asked first.
    let dialect: any AnswerDialect
    let log: AnswerLog
    let identity: AnswerIdentity
    let fields: ResponseFields
    let failure: APIError?
    let at: Duration
  }

  private var streams: [String: Stream] = [:]
  private var order: Deque<String> = []
  private var byteCount = 0

  var isEmpty: Bool { order.isEmpty }

  mutating func keep(_ stream: Stream, _ id: String) {
    guard streams[id] == nil else { return }
    streams[id] = stream
    order.append(id)
    byteCount += stream.log.byteCount
    while byteCount > Self.maxBytes { removeOldest() }
  }

  func stream(_ id: String, at now: Duration) -> Stream? {
    streams[id].flatMap { now - $0.at <= Self.lasts ? $0 : nil }
  }

  /// Forgets what is too old.
  mutating func sweep(at now: Duration) {
    while let id = order.first, let stream = streams[id], now - stream.at > Self.lasts { removeOldest() }
  }

  private mutating func removeOldest() {
    guard let id = order.popFirst(), let stream = streams.removeValue(forKey: id) else { return }
    byteCount -= stream.log.byteCount
  }
}
