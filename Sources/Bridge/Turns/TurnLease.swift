// A turn and what it holds, from its admission to its end.

/// The places of a request, and the turn that they are held for. It is not the answer: that is only how the turn is told
/// to somebody.
@LoopActor
final class TurnLease {
  private enum State {
    /// The places are held; the engine has not accepted a turn yet.
    case admitted
    case running(Turn)
    case ended
  }

  /// Nil for a turn of no session.
  let session: SessionKey?
  private let giveBack: @LoopActor () -> Void
  private var state = State.admitted

  /// `giveBack` gives the places back.
  init(session: SessionKey?, giveBack: @escaping @LoopActor () -> Void) {
    self.session = session
    self.giveBack = giveBack
  }

  /// The turn while it runs.
  var turn: Turn? { if case .running(let turn) = state { turn } else { nil } }

  /// The engine has accepted the turn.
  func run(_ turn: Turn) { if case .admitted = state { state = .running(turn) } }

  /// Gives the places back. The turn has ended, or will never start; calling it again does nothing.
  func end() {
    if case .ended = state { return }
    state = .ended
    giveBack()
  }
}
