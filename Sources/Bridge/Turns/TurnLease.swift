// What a turn holds, from its admission to its end.

/// The places of a request, in the queue of its session and among all turns. It is not the answer: that is only how the turn
/// is told to somebody.
@LoopActor
final class TurnLease {
  /// Nil for a turn of no session.
  let session: SessionKey?
  /// Nil once the places were given back.
  private var giveBack: (@LoopActor () -> Void)?

  /// `giveBack` gives the places back.
  init(session: SessionKey?, giveBack: @escaping @LoopActor () -> Void) {
    self.session = session
    self.giveBack = giveBack
  }

  /// Gives the places back. The turn has ended, or will never start; calling it again does nothing.
  func end() {
    let giveBack = giveBack
    self.giveBack = nil
    giveBack?()
  }
}
