// The phase of the server's life: starting, serving, draining, stopped.

/// Where the server is in its life. Owned by `BridgeServer`; others read it.
@LoopActor
final class ServerState {
  enum Phase { case starting, serving, draining, stopped }

  private(set) var phase = Phase.starting
  /// The base URLs the server listens on, known once it serves.
  private(set) var addresses: [String] = []

  var isDraining: Bool { phase == .draining || phase == .stopped }

  func serving(at addresses: [String] = []) {
    if phase == .starting { phase = .serving }
    self.addresses = addresses
  }
  func draining() { if phase != .stopped { phase = .draining } }
  func stopped() { phase = .stopped }
}
