// The phase of the server: starting, serving, draining, stopped.

/// The phase of the server. `BridgeServer` owns and changes it; others read it.
@LoopActor
final class ServerState {
  enum Phase { case starting, serving, draining, stopped }

  private(set) var phase = Phase.starting
  /// The base URLs that the server listens on; empty until it serves.
  private(set) var addresses: [String] = []

  /// Whether a stand-in answers in place of the model.
  let isDemo: Bool

  init(isDemo: Bool = false) { self.isDemo = isDemo }

  var isDraining: Bool { phase == .draining || phase == .stopped }

  func serving(at addresses: [String] = []) {
    if phase == .starting { phase = .serving }
    self.addresses = addresses
  }
  func draining() { if phase != .stopped { phase = .draining } }
  func stopped() { phase = .stopped }
}
