// The life of a WebSocket as a state machine: facts in, one action out. No I/O and no clock: time is an argument.

/// Where a WebSocket stands between messages, and whether its peer is still there.
struct WebSocketState: Sendable {
  enum Phase: Sendable, Equatable {
    /// Its owner does not listen yet.
    case starting
    /// It waits for a message.
    case idle
    /// Its owner is at work on a message.
    case answering
    /// Our close frame is out, the peer's has not come.
    case closing(since: Duration)
    case ended
  }

  enum Action: Sendable, Equatable {
    case none
    /// Ask the peer whether it is there.
    case ping
    /// Send a close frame and wait for the peer's.
    case close(WebSocketCloseCode, String)
    /// End the connection at once: the peer does not answer.
    case abort
  }

  /// A message on its way.
  private struct Arrival: Sendable {
    var since: Duration
    /// How much of it was held at that time.
    var bytes: Int
    /// How much of it is held now.
    var heldBytes: Int
  }

  private(set) var phase = Phase.starting
  private var isDraining = false
  /// When something came from the peer, or could have been read.
  private var heardAt: Duration
  private var pingedAt: Duration?
  private var arrival: Arrival?
  private let shared: ConnectionState.SharedLimits

  init(limits: ConnectionState.SharedLimits, now: Duration) {
    shared = limits
    heardAt = now
  }

  private var limits: ConnectionState.Limits { shared.limits }

  /// Whether messages may still be sent and are still delivered.
  var isOpen: Bool {
    switch phase {
    case .starting, .idle, .answering: true
    case .closing, .ended: false
    }
  }

  mutating func ownerStarted() {
    if phase == .starting { phase = .idle }
  }

  /// Something came from the peer, whatever it is.
  mutating func heard(at now: Duration) {
    heardAt = now
    pingedAt = nil
  }

  /// A part of a message came; `heldBytes` of it are there.
  mutating func messageContinued(heldBytes: Int, at now: Duration) {
    if arrival == nil { arrival = Arrival(since: now, bytes: 0, heldBytes: 0) }
    arrival?.heldBytes = heldBytes
  }

  /// Nothing of a message is there that is not whole.
  mutating func messageEnded() { arrival = nil }

  mutating func messageDelivered() { phase = .answering }

  /// The owner wants the next message.
  mutating func messageAnswered() -> Action {
    guard phase == .answering else { return .none }
    phase = .idle
    return closeIfDrained()
  }

  mutating func drainBegan() -> Action {
    isDraining = true
    return closeIfDrained()
  }

  /// Closes when the bridge drains and no message is being answered.
  func closeIfDrained() -> Action {
    isDraining && phase == .idle ? .close(.goingAway, "the server is going away") : .none
  }

  mutating func closeSent(at now: Duration) {
    phase = .closing(since: now)
    arrival = nil
  }

  mutating func ended() { phase = .ended }

  /// What a clock tick asks for. While nothing is read the peer cannot be heard, and what is unsent has to leave before it
  /// can be expected to answer; the stall limit of the connection is there for a peer that takes nothing.
  mutating func tick(at now: Duration, isReading: Bool, hasUnsentBytes: Bool) -> Action {
    switch phase {
    case .starting, .ended: return .none
    case .closing(let since):
      if hasUnsentBytes {
        phase = .closing(since: now)
        return .none
      }
      return now - since > limits.socketClose ? .abort : .none
    case .idle, .answering:
      guard isReading else {
        heard(at: now)
        if let arrival {
          self.arrival = Arrival(since: now, bytes: arrival.heldBytes, heldBytes: arrival.heldBytes)
        }
        return .none
      }
      return isArrivalTooSlow(at: now)
        ? .close(.policyViolation, "the message did not arrive in time")
        : checkPresence(at: now, hasUnsentBytes)
    }
  }

  private mutating func checkPresence(at now: Duration, _ hasUnsentBytes: Bool) -> Action {
    guard let pinged = pingedAt else {
      guard now - heardAt > limits.socketSilence else { return .none }
      pingedAt = now
      return .ping
    }
    if hasUnsentBytes {
      pingedAt = now
      return .none
    }
    return now - pinged > limits.socketAnswer ? .abort : .none
  }

  /// A message must arrive as fast as the body of a request.
  private func isArrivalTooSlow(at now: Duration) -> Bool {
    guard let arrival else { return false }
    let received = arrival.heldBytes - arrival.bytes
    let earned = Duration.milliseconds(Int64(received) * 1000 / Int64(limits.bodyBytesPerSecond))
    return now - arrival.since > limits.bodyGrace + earned
  }
}
