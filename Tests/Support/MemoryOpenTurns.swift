// Open turns in memory, for tests of what is done with them and of what happens when they cannot be kept.

@testable import Bridge

/// Keeps open turns as long as it lives.
@LoopActor
final class MemoryOpenTurns: OpenTurnRepository {
  /// The one that was saved last comes last.
  private(set) var turns: [OpenTurn] = []
  /// Set by tests: nothing more can be kept.
  var isFull = false
  /// Set by tests: what is kept is held by others, too.
  var isReadable = true

  func save(_ turn: OpenTurn) -> Bool {
    let kept = items(of: turn.turnID) ?? []
    guard !isFull, kept.count >= turn.keptItems else { return false }
    var turn = turn
    turn.items = kept + turn.items.dropFirst(kept.count - turn.keptItems)
    turn.keptItems = 0
    remove(turn.turnID)
    turns.append(turn)
    return true
  }

  func items(of turnID: String) -> [String]? { turns.first { $0.turnID == turnID }?.items }

  func add(_ item: String, to turnID: String) { change(turnID) { $0.items.append(item) } }

  func markResumed(_ turnID: String) { change(turnID) { $0.isResumed = true } }

  private func change(_ turnID: String, _ change: (inout OpenTurn) -> Void) {
    if let place = turns.firstIndex(where: { $0.turnID == turnID }) { change(&turns[place]) }
  }

  func remove(_ turnID: String) { turns.removeAll { $0.turnID == turnID } }

  func remove(of session: SessionKey) { turns.removeAll { $0.session == session } }

  func turns(withCall id: String, of owner: Principal) -> [OpenTurn] {
    turns.filter { $0.owner == owner && $0.callIDs.contains(id) }.reversed()
  }
}
