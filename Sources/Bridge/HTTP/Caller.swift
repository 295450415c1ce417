// Who waits for an answer, as those see them who make it.

/// Whoever asks: a client with its request, or a person at the terminal.
@LoopActor
protocol Caller: AnyObject {
  /// Names what is asked in log lines.
  var id: String { get }
  /// Whose rights it has.
  var principal: Principal { get }
  /// Which profile it asks for.
  var profile: ProfileKind { get }
  /// Whether nobody waits any more.
  var isClientGone: Bool { get }

  /// Has `action` called once when the caller leaves; at once if it already has.
  @discardableResult
  func onClientGone(_ action: @escaping @LoopActor () -> Void) -> ClientGoneAction

  /// Takes back what `onClientGone` was asked for.
  func remove(_ action: ClientGoneAction)

  /// Counts bytes that are held for it besides what it has sent. False where the memory that all callers share has no room
  /// for them.
  func holdsMore(bytes: Int) -> Bool
}

/// What somebody wants done when a caller leaves.
struct ClientGoneAction {
  let id: Int
}
