// The life of a connection as a state machine: facts in, one action out. No I/O and no clock: time is an argument.

/// Where a connection stands between requests, bodies and answers.
struct ConnectionState: Sendable {
  /// Time limits of a connection.
  struct Limits: Sendable {
    /// From the first byte of a head to its last. Before the first, `idle` counts.
    var head = Duration.seconds(15)
    /// Allowed for a body besides the time its bytes earn it.
    var bodyGrace = Duration.seconds(30)
    /// A body must arrive at least this fast on average.
    var bodyBytesPerSecond = 8 * 1024
    /// Before the first request and between two.
    var idle = Duration.seconds(75)
    /// How long a client that has just connected may take to send its first request while the bridge drains or has as many
    /// connections as it may.
    var firstRequest = Duration.seconds(1)
    /// A peer that takes none of the bytes waiting for it.
    var writeStall = Duration.seconds(60)
    /// How long and how much is read and thrown away after a refusal, so that the client gets to read it.
    var linger = Duration.seconds(5)
    var lingerBytes = 64 << 20
    /// The rest of an unread body that is worth reading to keep the connection.
    var discardBytes = 64 * 1024
    /// After so long without a word from the client of a WebSocket it is asked whether it is there. Proxies close what is silent
    /// for a minute.
    var socketSilence = Duration.seconds(25)
    /// How long it may take to answer that, with what is on its way to it before the question.
    var socketAnswer = Duration.seconds(60)
    /// How long a client that was told that its WebSocket closes may take to say so too.
    var socketClose = Duration.seconds(5)
  }

  final class SharedLimits: Sendable {
    let limits: Limits

    init(_ limits: Limits) { self.limits = limits }
  }

  enum Phase: Sendable, Equatable {
    case idle(since: Duration)
    case readingHead(since: Duration)
    /// A handler is at work on the request.
    case handling
    /// The answer is out and the rest of the request body is read away.
    case discarding(since: Duration)
    /// The answer is out, our side is shut down, and input is thrown away until the client closes.
    case lingering(since: Duration)
    /// It carries a WebSocket now, which has a state of its own.
    case upgraded
    case closed
  }

  private enum Body: Sendable, Equatable {
    case complete
    case arriving(since: Duration, received: Int)
  }

  enum Action: Sendable, Equatable {
    case none
    /// Parse what is waiting, or wait for more.
    case readRequest
    /// Shut down our side once everything has left, and throw away what still comes.
    case linger
    /// Close once everything that is queued has left.
    case close
    /// Close at once: the peer takes nothing, or sends without end.
    case abort
    /// The client is gone while a handler works for it.
    case cancelHandler
    /// Answer 408 and close.
    case refuseAsTooSlow
    /// Fail the body with a timeout; the handler answers.
    case failBody
  }

  private(set) var phase: Phase
  private var body = Body.complete
  private var keepsAlive = true
  private(set) var hasInputEnded = false
  private(set) var isDraining = false
  /// Whether a request has come at all.
  private var hasServed = false
  private var lingered = 0
  /// One object for all connections, because a copy in each would take as much memory as all other state.
  private let shared: SharedLimits

  init(limits: SharedLimits, now: Duration) {
    shared = limits
    phase = .idle(since: now)
  }

  var limits: Limits { shared.limits }

  /// Whether the next answer should say `Connection: keep-alive`.
  ///
  /// A client that has closed its side still gets the answers to all it has sent before.
  var willKeepAlive: Bool { keepsAlive && !isDraining && (!hasInputEnded || hasPipelinedInput) }

  /// Whether bytes of further requests are waiting; told by the connection.
  var hasPipelinedInput = false

  /// Since when it waits for a request that its client has had time to send; nil while it does anything else.
  func idleSince(at now: Duration) -> Duration? {
    guard case .idle(let since) = phase, hasServed || now - since >= limits.firstRequest else { return nil }
    return since
  }

  var isHandling: Bool { phase == .handling }

  mutating func headBegan(at now: Duration) {
    if case .idle = phase { phase = .readingHead(since: now) }
  }

  mutating func headReceived(_ head: RequestHead, at now: Duration) {
    phase = .handling
    hasServed = true
    keepsAlive = head.wantsKeepAlive
    body = head.framing == .none ? .complete : .arriving(since: now, received: 0)
  }

  mutating func bodyReceived(_ count: Int) {
    if case .arriving(let since, let received) = body {
      body = .arriving(since: since, received: received + count)
    }
  }

  mutating func bodyEnded(at now: Duration) -> Action {
    body = .complete
    guard case .discarding = phase else { return .none }
    guard willKeepAlive else { return close() }
    phase = .idle(since: now)
    return .readRequest
  }

  /// Before the head of an answer goes out: whether the connection can be kept although the body is not read.
  /// `expected` is the body's declared length, nil when it is unknown.
  mutating func answerBegins(expected: Int?, isAwaitingContinue: Bool) {
    guard case .arriving(_, let received) = body else { return }
    let rest = expected.map { $0 - received } ?? .max
    if isAwaitingContinue || rest > limits.discardBytes { keepsAlive = false }
  }

  /// This answer is the connection's last.
  mutating func answerNeedsClose() { keepsAlive = false }

  mutating func answerEnded(at now: Duration) -> Action {
    guard phase == .handling else { return .none }
    // A client that has closed its side sends nothing more that could be read away.
    if hasInputEnded, !hasPipelinedInput { return close() }
    guard willKeepAlive else {
      phase = .lingering(since: now)
      return .linger
    }
    if body != .complete {
      phase = .discarding(since: now)
      return .readRequest
    }
    phase = .idle(since: now)
    return .readRequest
  }

  /// Whether the request that is handled may turn the connection into a WebSocket: its client has not closed its side.
  mutating func upgrade() -> Bool {
    guard phase == .handling, body == .complete, !hasInputEnded else { return false }
    phase = .upgraded
    return true
  }

  /// The WebSocket has said its last word.
  mutating func socketEnded(at now: Duration) -> Action {
    guard phase == .upgraded else { return .none }
    phase = .lingering(since: now)
    return .linger
  }

  /// The parser gave up; its refusal has been written.
  mutating func refused(at now: Duration) -> Action {
    keepsAlive = false
    phase = .lingering(since: now)
    return .linger
  }

  /// Bytes were thrown away while lingering.
  mutating func lingeringReceived(_ count: Int) -> Action {
    lingered += count
    return lingered > limits.lingerBytes ? abort() : .none
  }

  /// All input has been parsed and no request is whole.
  mutating func ranOutOfInput() -> Action {
    guard hasInputEnded, !isHandling, phase != .closed else { return .none }
    if case .lingering = phase { return .none }
    return close()
  }

  mutating func inputDidEnd() -> Action {
    hasInputEnded = true
    switch phase {
    case .handling: return .cancelHandler
    case .idle, .readingHead, .discarding, .lingering: return close()
    // A WebSocket ends with a close frame and not like this.
    case .upgraded: return abort()
    case .closed: return .none
    }
  }

  mutating func drainBegan() -> Action {
    isDraining = true
    if case .idle = phase, hasServed { return close() }
    return .none
  }

  mutating func didClose() { phase = .closed }

  /// What a clock tick asks for; `stalledSince` is when the peer stopped taking bytes that wait for it.
  mutating func tick(at now: Duration, stalledSince: Duration?, hasUnsentBytes: Bool = false) -> Action {
    if let stalledSince, now - stalledSince > limits.writeStall { return abort() }
    switch phase {
    case .idle(let since):
      return now - since > (isDraining ? limits.firstRequest : limits.idle) ? close() : .none
    case .readingHead(let since): return now - since > limits.head ? .refuseAsTooSlow : .none
    case .lingering where hasUnsentBytes:
      // The client is still reading the answer; the time for what it sends begins after that.
      phase = .lingering(since: now)
      return .none
    case .lingering(let since): return now - since > limits.linger ? close() : .none
    case .discarding(let since): return now - since > limits.bodyGrace ? close() : .none
    case .handling:
      guard case .arriving(let since, let received) = body else { return .none }
      let earned = Duration.milliseconds(Int64(received) * 1000 / Int64(limits.bodyBytesPerSecond))
      return now - since > limits.bodyGrace + earned ? .failBody : .none
    case .upgraded, .closed: return .none
    }
  }

  private mutating func close() -> Action {
    phase = .closed
    return .close
  }

  private mutating func abort() -> Action {
    phase = .closed
    return .abort
  }
}
