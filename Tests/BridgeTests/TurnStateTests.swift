// The small machines of a running turn: facts in, actions out.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

struct SentTextTests {
  @Test func anAnswerIsTakenBackUpToWhatIsFinal() {
    var answer = SentAnswer.nothing
    func retract() -> Bool { answer.retract() }
    #expect(!retract())
    answer.addText()
    answer.addText()
    #expect(answer == .unfinished(afterFinal: false))
    #expect(retract())
    #expect(answer == .nothing)
    answer.addText()
    answer.callEnded()
    #expect(answer == .final)
    #expect(!retract())
    answer.addText()
    #expect(retract())
    #expect(answer == .final)
    #expect(!retract())
  }

  @Test func aCallWithoutTextChangesNothing() {
    var answer = SentAnswer.nothing
    answer.callEnded()
    #expect(answer == .nothing)
  }

  @Test func whatWasSaidBesideTheAnswerIsSaidOnce() {
    var beside = SentBesideAnswer.nothing
    func tell() -> Bool { beside.addText() }
    beside.retry()
    #expect(beside == .nothing)
    #expect(tell())
    beside.retry()
    #expect(!tell())
    #expect(beside == .repeated)
    beside.retry()
    #expect(!tell())
    beside.callEnded()
    #expect(tell())
  }
}

struct TurnEndingTests {
  private static let failure = TurnOutcome.failed(.crashed)

  @Test func theEngineIsToldOnce() {
    var ending = TurnEnding.none
    func interrupt(at seconds: Int) -> Bool { ending.interrupt(at: .seconds(seconds)) }
    #expect(
      !ending.hasBegun && ending.decidedOutcome == nil
        && ending.expiry(at: .seconds(99), maxInterrupt: .seconds(5)) == nil)
    #expect(interrupt(at: 1))
    #expect(!interrupt(at: 2))
    #expect(ending.hasBegun && ending.decidedOutcome == nil)
    #expect(ending.expiry(at: .seconds(6), maxInterrupt: .seconds(5)) == nil)
    #expect(ending.expiry(at: .milliseconds(6001), maxInterrupt: .seconds(5)) == .unconfirmedInterrupt)
  }

  @Test func theLastDecisionHolds() {
    var ending = TurnEnding.none
    _ = ending.interrupt(at: .zero)
    _ = ending.interrupt(at: .seconds(1), with: Self.failure)
    _ = ending.interrupt(at: .seconds(1))
    #expect(ending.decidedOutcome == Self.failure)
    ending.engineKnowsNoTurn(at: .seconds(1))
    #expect(ending.decidedOutcome == Self.failure)
    _ = ending.interrupt(at: .seconds(1), with: .failed(.unavailable(.draining)))
    #expect(ending.decidedOutcome == .failed(.unavailable(.draining)))
  }

  @Test func theEndOfATurnThatIsOverIsWaitedForBriefly() {
    var ending = TurnEnding.none
    ending.engineKnowsNoTurn(at: .seconds(1))
    #expect(ending == .none, "nobody has asked it")
    _ = ending.interrupt(at: .zero)
    ending.engineKnowsNoTurn(at: .milliseconds(4900))
    ending.engineKnowsNoTurn(at: .milliseconds(5500))
    #expect(ending.expiry(at: .milliseconds(5900), maxInterrupt: .seconds(5)) == nil)
    #expect(ending.expiry(at: .milliseconds(5901), maxInterrupt: .seconds(5)) == .over)
  }
}

struct ProviderOutageTests {
  @Test func isToldOnceInAnOutage() {
    var outage = ProviderOutage.none
    func reconnects(_ reason: String, at seconds: Int) -> Bool {
      outage.recordReconnect(because: reason, at: .seconds(seconds), lastProgressAt: .zero, hasSpoken: false)
    }
    #expect(reconnects("1/5", at: 1))
    #expect(!reconnects("2/5", at: 2))
    #expect(outage.current(lastProgressAt: .zero)?.reason == "2/5")
    #expect(outage.current(lastProgressAt: .zero)?.since == .seconds(1))
    // Text came, and then it begins anew.
    #expect(outage.current(lastProgressAt: .seconds(3)) == nil)
    let isToldAgain = outage.recordReconnect(
      because: "1/5", at: .seconds(4), lastProgressAt: .seconds(3), hasSpoken: false)
    #expect(isToldAgain)
    outage.end()
    #expect(outage.current(lastProgressAt: .zero) == nil)
  }

  /// It mostly ends with the next attempt.
  @Test func aCallThatHadBegunWellIsToldOfLater() {
    var outage = ProviderOutage.none
    func reconnects(_ reason: String, at seconds: Int) -> Bool {
      outage.recordReconnect(because: reason, at: .seconds(seconds), lastProgressAt: .seconds(1), hasSpoken: true)
    }
    #expect(!reconnects("1/5", at: 1))
    #expect(!reconnects("1/5", at: 1))
    #expect(outage.current(lastProgressAt: .seconds(1))?.reason == "1/5")
    #expect(reconnects("2/5", at: 2))
    #expect(!reconnects("3/5", at: 3))
  }
}

@Suite(.onLoop)
struct RunningTurnTests {
  @LoopActor private func running() -> RunningTurn {
    RunningTurn(
      turn: Turn(TurnRequest(thread: .ephemeral), requestID: "r"), thread: ThreadID("t"),
      mapper: TurnEventMapper(baseline: nil), now: Loop.now)
  }

  @Test @LoopActor func keepsWhatComesBeforeItsName() {
    let running = running()
    let lines = ["one", "two"].map { Array($0.utf8) }
    for line in lines {
      let isKept = running.keepForLater(line.span)
      #expect(isKept)
    }
    #expect(running.started(nil) == [] && running.turnID == nil, "an answer without a name is none")
    #expect(running.started("u") == lines && running.turnID == "u")
    let late = lines[0]
    let isKept = running.keepForLater(late.span)
    #expect(!isKept)
    #expect(running.started("v") == [] && running.turnID == "u")
  }

  @Test @LoopActor func earlyLinesHaveABound() {
    let running = running()
    let line = [UInt8](repeating: 0x78, count: 4 << 20)
    var kept: [Bool] = []
    for _ in 0..<5 { kept.append(running.keepForLater(line.span)) }
    #expect(kept == [true, true, true, true, false])
  }

  @Test @LoopActor func tellsWhatItIsDoing() {
    let running = running()
    func item(_ type: String, _ id: String = "1") -> JSONValue {
      ["item": ["id": .string(id), "type": .string(type), "command": "ls", "text": "text"]]
    }
    #expect(running.activity == .thinking)
    #expect(running.recordReconnect(because: "no network"))
    #expect(running.activity == .reconnecting("no network"))
    running.modelActed()
    running.modelActed()
    #expect(running.activity == .thinking)
    running.received(Notification.itemCompleted, item("agentMessage"))
    #expect(running.activity == .writing)
    running.received(Notification.itemStarted, item("commandExecution", "2"))
    #expect(running.activity == .working(.command("ls")))
    running.received(Notification.itemCompleted, item("commandExecution", "2"))
    #expect(running.activity == .writing)
    running.report(.declinedUnseen("do something"))
    #expect(running.activity == .thinking)
    #expect(running.interrupt() && !running.interrupt())
    #expect(running.activity == .stopping)
    let events = running.turn.events.gathered()
    #expect(events.first == .reconnecting("no network") && events.count { $0 == .began } == 1)
    #expect(events.last == .question(.declinedUnseen("do something")))
    running.turn.end(.interrupted(TokenUsage()))
  }
}

@Suite(.onLoop)
struct TurnTests {
  @LoopActor private final class Runner: TurnRunner {
    private(set) var interrupted = 0
    func progress(of turn: Turn) -> TurnProgress? { TurnProgress(activity: .thinking, lastActivityAt: .zero) }
    func interrupt(_ turn: Turn) { interrupted += 1 }
    func resume(_ turn: Turn, with reply: ToolReply) {}
    func steer(_ turn: Turn, with parts: [Conversation.Part], then: @escaping @LoopActor (SteerReply) -> Void) {
      then(.taken(TokenUsage()))
    }
  }

  /// What is not running, or is told to end, cannot be told more.
  @Test @LoopActor func isToldMoreWhileItRuns() {
    let runner = Runner()
    let turn = Turn(TurnRequest(thread: .persistent), requestID: "r")
    var replies: [SteerReply] = []
    let steer = { @LoopActor in turn.steer(with: [.text("more")]) { replies.append($0) } }
    steer()
    turn.wasAccepted(on: ThreadID("t"), by: runner)
    steer()
    turn.interrupt()
    steer()
    turn.end(.interrupted(TokenUsage()))
    steer()
    #expect(replies == [.refused, .taken(TokenUsage()), .refused, .refused])
  }

  @Test @LoopActor func goesFromItsRequestToItsEnd() {
    let runner = Runner()
    let turn = Turn(TurnRequest(thread: .persistent), requestID: "r")
    var timesRead = 0
    turn.onContentRead = { timesRead += 1 }
    #expect(!turn.hasThread && turn.threadID == nil && turn.progress == nil)
    turn.threadWasOpened()
    #expect(turn.hasThread && turn.threadID == nil)
    turn.wasAccepted(on: ThreadID("t"), by: runner)
    #expect(turn.hasThread && turn.threadID == ThreadID("t") && turn.progress != nil)
    turn.interrupt()
    turn.interrupt()
    #expect(runner.interrupted == 1)
    turn.end(.interrupted(TokenUsage()))
    #expect(turn.progress == nil && turn.threadID == ThreadID("t") && timesRead == 1)
    #expect(turn.events.gathered() == [.ended(.interrupted(TokenUsage()))])
  }
}
