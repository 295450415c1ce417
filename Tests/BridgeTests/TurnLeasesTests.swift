// Turns that wait for their clients: what of them is held in memory, and what they go on from.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct TurnLeasesTests {
  private static func ask(_ callID: String, model: String? = nil) -> Ask {
    var ask = Ask(
      conversation: Conversation(items: [
        .toolOutput(Conversation.ToolOutput(callID: callID, parts: [.text("out")]))
      ]))
    ask.model = model
    return ask
  }

  @LoopActor
  private static func turn(_ engine: ScriptedEngine) -> Turn {
    var request = TurnRequest(thread: .persistent)
    request.tools.functions = [Conversation.Tool(name: "f", parameters: [:])]
    let turn = Turn(request, profile: .test, requestID: "r")
    turn.wasAccepted(on: ThreadID("t"), by: engine)
    turn.wasNamed("1")
    return turn
  }

  @LoopActor
  private static func park(_ turn: Turn, _ callID: String, _ leases: TurnLeases) async {
    let open = OpenTurn(
      owner: .everybody, session: nil, callIDs: [callID], thread: ThreadID("t"), turnID: "1", said: [],
      saidBefore: 0, items: [])
    let calls = [Conversation.ToolCall(id: callID, name: "f", arguments: "{}")]
    let origin = TurnOrigin(model: nil, shownModel: "m", tools: ToolSet([]), saidBefore: 0)
    await leases.park(ParkedTurn(turn, open, calls, origin, leases.hold(turn)))
  }

  /// Two rounds, and a third that another model is asked for.
  @LoopActor
  private static func play(_ turn: Turn, _ leases: TurnLeases, parked: @LoopActor () -> Void) async -> OpenTurn? {
    turn.record("1")
    turn.record("2")
    await park(turn, "c1", leases)
    parked()
    turn.record("3")
    guard case .live(let waiting) = await leases.claim(ask("c1"), by: .everybody, session: nil, .test),
      waiting.goOn(with: ask("c1"))
    else { return nil }
    turn.record("4")
    await park(turn, "c2", leases)
    parked()
    turn.record("5")
    let claim = await leases.claim(ask("c2", model: "other"), by: .everybody, session: nil, .test)
    guard case .suspended(let open) = claim else { return nil }
    return open
  }

  @Test @LoopActor func whatIsKeptIsNotHeld() async throws {
    let place = try TemporaryDirectory()
    defer { place.remove() }
    let store = OpenTurnStore(Database(directory: place.path))
    defer { store.close() }
    let engine = ScriptedEngine()
    let turn = Self.turn(engine)
    let open = await Self.play(turn, TurnLeases(wait: .seconds(600), repository: store)) {
      #expect(turn.recording.items.isEmpty && turn.recording.heldBytes == 0)
    }
    #expect(open?.items == ["1", "2", "3", "4", "5"])
  }

  @Test @LoopActor func whatCannotBeKeptIsHeld() async {
    let engine = ScriptedEngine()
    let turn = Self.turn(engine)
    let repository = MemoryOpenTurns()
    repository.isReadable = false
    let leases = TurnLeases(wait: .seconds(600), repository: repository)
    let open = await Self.play(turn, leases) { #expect(turn.recording.storedItems == 0) }
    #expect(open?.items == ["1", "2", "3", "4", "5"])
  }
}
