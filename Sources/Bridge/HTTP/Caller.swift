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

/// What is to be done when a caller leaves, in the order in which it was asked for.
struct ClientGoneActions {
  private var actions: [(id: Int, action: @LoopActor () -> Void)] = []
  private var lastID = 0

  mutating func add(_ action: @escaping @LoopActor () -> Void) -> ClientGoneAction {
    lastID += 1
    actions.append((lastID, action))
    return ClientGoneAction(id: lastID)
  }

  /// Returns what was to be done; nil if that is not wanted any more.
  @discardableResult
  mutating func remove(_ action: ClientGoneAction) -> (@LoopActor () -> Void)? {
    guard let index = actions.firstIndex(where: { $0.id == action.id }) else { return nil }
    return actions.remove(at: index).action
  }

  /// Returns all that is to be done, once.
  mutating func takeAll() -> [@LoopActor () -> Void] {
    defer { actions = [] }
    return actions.map(\.action)
  }
}
