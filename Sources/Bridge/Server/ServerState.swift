// The phase of the server's life: starting, serving, draining, stopped.

/// Where the server is in its life. Owned by `BridgeServer`; others read it.
@LoopActor
final class ServerState {
  enum Phase { case starting, serving, draining, stopped }

  private(set) var phase = Phase.starting

  var isDraining: Bool { phase == .draining || phase == .stopped }

  func serving() { if phase == .starting { phase = .serving } }
  func draining() { if phase != .stopped { phase = .draining } }
  func stopped() { phase = .stopped }
}
