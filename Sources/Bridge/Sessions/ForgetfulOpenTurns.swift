// Open turns where nothing can be kept: they live as long as the process.

/// Keeps nothing.
@LoopActor
final class ForgetfulOpenTurns: OpenTurnRepository {
  let isReadable = false
  func save(_ turn: OpenTurn) -> Bool { true }
  func items(of turnID: String) -> [String]? { nil }
  func add(_ item: String, to turnID: String) {}
  func markResumed(_ turnID: String) {}
  func remove(_ turnID: String) {}
  func remove(of session: SessionKey) {}
  func turns(withCall id: String, of owner: Principal) -> [OpenTurn] { [] }
}
