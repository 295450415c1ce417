// Turns that wait for their clients: which of them stay, which make room, and with what they go on.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct WaitingTurnsTests {
  /// Parks turns of an engine that does what it is told.
  @LoopActor
  private final class Place {
    let engine = ScriptedEngine()
    let repository = MemoryOpenTurns()
    let leases: TurnLeases

    init(wait: Duration = .seconds(600)) { leases = TurnLeases(wait: wait, repository: repository) }

    /// Starts a turn that has called a function. `id` is the engine's name of the turn, and in that of its call.
    func park(
      _ id: Int, owner: String = "a", session: SessionKey? = nil, items: [String] = ["{}"]
    ) async throws -> ParkedTurn {
      let tools = [Conversation.Tool(name: "f", parameters: [:])]
      var request = TurnRequest(thread: .ephemeral)
      request.tools.functions = tools
      let turn = Turn(request, requestID: "r", owner: Principal(name: owner))
      try await engine.start(turn)
      turn.wasNamed("\(id)")
      for item in items { turn.record(item) }
      let call = Conversation.ToolCall(id: "call-\(id)", name: "f", arguments: "{}")
      let open = OpenTurn(
        owner: turn.owner, session: session, callIDs: [call.id], thread: try #require(turn.threadID),
        turnID: "\(id)",
        said: [], saidBefore: 0, items: [])
      let origin = TurnOrigin(model: nil, shownModel: "m", tools: ToolSet(tools), saidBefore: 0)
      let parked = ParkedTurn(turn, open, [call], origin, leases.hold(turn))
      await leases.park(parked)
      return parked
    }

    /// What the output of a turn's call finds.
    func claim(_ id: Int, owner: String = "a") async -> TurnLeases.Claim {
      let output = Conversation.ToolOutput(callID: "call-\(id)", parts: [.text("out")])
      let ask = Ask(conversation: Conversation(items: [.toolOutput(output)]))
      return await leases.claim(ask, by: Principal(name: owner), session: nil, .test)
    }
  }

  // MARK: Going on

  @Test @LoopActor func itGoesOnOnceAndForItsOwnerAlone() async throws {
    let place = Place()
    let parked = try await place.park(1)
    #expect(place.repository.turns.map(\.items) == [["{}"]])
    #expect(await place.claim(1, owner: "b").isNone)
    #expect(await place.claim(1).live === parked)
    #expect(place.leases.count == 0)
    guard case .goesOn = await place.claim(1) else { return #expect(Bool(false), "it went on twice") }
    await place.leases.ended(parked.turn, parked.origin, isComplete: true)
    #expect(place.repository.turns.isEmpty)
    #expect(await place.claim(1).isNone)
  }

  @Test @LoopActor func whatComesWhileItWaitsIsInItsRecord() async throws {
    let place = Place()
    let parked = try await place.park(1)
    parked.turn.record("[]")
    #expect(await eventually { place.repository.turns.first?.items == ["{}", "[]"] })
  }

  @Test @LoopActor func aTurnThatEndsMeanwhileGoesOnFromItsRecord() async throws {
    let place = Place()
    let parked = try await place.park(1)
    parked.turn.end(.failed(.crashed))
    #expect(place.leases.count == 0)
    #expect(await place.claim(1).suspended?.items == ["{}"])
  }

  @Test @LoopActor func afterTheWaitItGoesOnFromItsRecord() async throws {
    let place = Place(wait: .milliseconds(1))
    let parked = try await place.park(1)
    #expect(await eventually { place.leases.count == 0 })
    #expect(parked.turn.isInterrupted)
    #expect(await place.claim(1).suspended?.items == ["{}"])
  }

  /// The older form names the function, which is the only one that was called.
  @Test @LoopActor func anOutputMayNameTheFunctionInstead() async throws {
    let place = Place()
    let parked = try await place.park(1)
    let unknown = Conversation.ToolOutput(callID: "x", functionName: "g", parts: [.text("out")])
    #expect(!parked.isMeant(by: NamedCalls([unknown])))
    #expect(parked.missingCall(in: NamedCalls([unknown])) == "call-1")
    let known = Conversation.ToolOutput(callID: "x", functionName: "f", parts: [.text("out")])
    #expect(parked.isMeant(by: NamedCalls([unknown, known])))
    #expect(parked.missingCall(in: NamedCalls([known])) == nil)
  }

  /// No turn of its session may begin on the thread before.
  @Test @LoopActor func whoFollowsWaitsForItsEnd() async throws {
    let place = Place(wait: .milliseconds(1))
    place.engine.endsAtOnce = false
    let session = SessionKey(owner: Principal(name: "a"), id: "s")
    let parked = try await place.park(1, session: session)
    #expect(await eventually { place.leases.count == 0 })
    let closed = ClosedFlag()
    Loop.spawn {
      await place.leases.close(session)
      closed.isSet = true
    }
    for _ in 0..<10 { await Loop.nextTurn() }
    #expect(!closed.isSet && parked.turn.isInterrupted)
    parked.turn.end(.interrupted(TokenUsage()))
    #expect(await eventually { closed.isSet })
    #expect(place.repository.turns.map(\.turnID) == ["1"])
  }

  // MARK: Room

  /// The key with most of them gives up its oldest.
  @Test @LoopActor func oneTooManyMakesRoom() async throws {
    let place = Place()
    let other = try await place.park(0, owner: "b")
    var parked: [ParkedTurn] = []
    for id in 1..<TurnLeases.maxParked { parked.append(try await place.park(id)) }
    #expect(!parked.contains { $0.turn.isInterrupted })
    _ = try await place.park(TurnLeases.maxParked)
    #expect(place.leases.count == TurnLeases.maxParked)
    #expect(parked.filter { $0.turn.isInterrupted }.map(\.open.turnID) == ["1"])
    #expect(!other.turn.isInterrupted)
    #expect(await place.claim(1).suspended != nil)
  }

  @Test @LoopActor func whoAsksAPersonStays() async throws {
    let place = Place(wait: .milliseconds(1))
    let asking = try await place.park(0)
    place.engine.asking = [asking.turn]
    for id in 1...TurnLeases.maxParked { _ = try await place.park(id) }
    // Neither their number nor the time ends it.
    #expect(await eventually { place.leases.count == 1 })
    #expect(!asking.turn.isInterrupted)
    place.engine.asking = []
    #expect(await eventually { place.leases.count == 0 })
  }

  /// What happens meanwhile is told in the next answer, and of the rest only how much it was.
  @Test @LoopActor func whatHappensMeanwhileIsBounded() async throws {
    let place = Place()
    let parked = try await place.park(1)
    let command = ToolUse.command(String(repeating: "x", count: TurnStream.maxPendingBytes / 4))
    for number in 1...6 {
      parked.turn.events.push(.tool(ToolReport(number: number, use: command, progress: .began)))
      parked.turn.events.push(.tool(ToolReport(number: number, use: .command(nil), progress: .ended(.done))))
    }
    let told = parked.events.takeAll()
    #expect(told.count == 9 && told.last == .toolsLeftOut(2))
    #expect(parked.events.takeAll() == [])
    var paragraphs = AnswerParagraphs(AnswerParagraphs.Shown(tools: true))
    #expect(paragraphs.take(.toolsLeftOut(2)) == "Codex used 2 more tools meanwhile.")
  }

  // MARK: What cannot be kept

  @Test @LoopActor func whatCannotBeKeptIsToldAndStays() async throws {
    let place = Place()
    place.repository.isFull = true
    let lost = try await place.park(0)
    place.repository.isFull = false
    for id in 1...TurnLeases.maxParked { _ = try await place.park(id) }
    #expect(place.leases.notKeptCount == 1)
    #expect(!lost.turn.isInterrupted)
    #expect(await place.claim(0).live === lost)
    #expect(lost.events.takeAll() == [.notKept])
  }

  /// What is added to it later must not come to the record of an earlier round.
  @Test @LoopActor func aLaterRoundThatCannotBeKeptAddsNothing() async throws {
    let place = Place()
    place.repository.isFull = true
    let lost = try await place.park(0)
    lost.turn.record("[]")
    await Loop.nextTurn()
    #expect(place.repository.turns.isEmpty)
  }

  @Test @LoopActor func whatIsTooLongIsNotKept() async throws {
    let place = Place()
    let long = String(repeating: "x", count: TurnRecording.maxBytes + 1)
    let parked = try await place.park(0, items: [long])
    #expect(place.leases.notKeptCount == 1 && place.repository.turns.isEmpty)
    #expect(await place.claim(0).live === parked)
  }

  // MARK: The end of the bridge

  @Test @LoopActor func aBridgeThatEndsLeavesThemToWhoeverFollows() async throws {
    let place = Place()
    let parked = try await place.park(1)
    place.leases.drain()
    #expect(parked.turn.isInterrupted && place.leases.count == 0)
    guard case .draining = await place.claim(1) else { return #expect(Bool(false), "it goes on here") }
    let late = try await place.park(2)
    #expect(late.turn.isInterrupted && place.leases.count == 0)
    #expect(place.repository.turns.map(\.turnID) == ["1", "2"])
  }
}

/// Whether a session was closed.
@LoopActor
private final class ClosedFlag {
  var isSet = false
}

extension TurnLeases.Claim {
  fileprivate var isNone: Bool { if case .none = self { true } else { false } }
  fileprivate var live: ParkedTurn? { if case .live(let turn) = self { turn } else { nil } }
  fileprivate var suspended: OpenTurn? { if case .suspended(let open) = self { open } else { nil } }
}
