// Permits: first come, first served, and never more than there are.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct PermitQueueTests {
  @Test @LoopActor func grantsWhatIsFree() async throws {
    let queue = PermitQueue(permits: 2, maxWaiting: 1)
    #expect(queue.isUnused)
    let first = try #require(queue.enter())
    let second = try #require(queue.enter())
    #expect(await first.wait())
    #expect(await second.wait())
    #expect(queue.runningCount == 2)
    #expect(queue.waitingCount == 0)
  }

  @Test @LoopActor func refusesWhenTooManyWait() throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 2)
    let tickets = (0..<3).map { _ in queue.enter() }
    #expect(tickets.allSatisfy { $0 != nil })
    #expect(queue.enter() == nil)
    #expect(queue.waitingCount == 2)
    try #require(tickets[2]).release()
    let last = queue.enter()
    #expect(last != nil)
    #expect(queue.enter() == nil)
    for ticket in [tickets[1], last, tickets[0]] { ticket?.release() }
    #expect(queue.isUnused)
  }

  @Test @LoopActor func mayHaveNoRoomToWait() {
    let queue = PermitQueue(permits: 1, maxWaiting: 0)
    let ticket = queue.enter()
    #expect(ticket != nil)
    #expect(queue.enter() == nil)
    ticket?.release()
    #expect(queue.enter() != nil)
  }

  @Test @LoopActor func servesInOrder() async throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 100)
    let first = try #require(queue.enter())
    var order: [Int] = []
    let done = Waiter<Void>()
    for index in 0..<20 {
      let ticket = try #require(queue.enter())
      Loop.spawn {
        #expect(await ticket.wait())
        #expect(queue.runningCount == 1)
        order.append(index)
        await Loop.nextTurn()
        ticket.release()
        if index == 19 { done.finish() }
      }
    }
    await Loop.nextTurn()
    #expect(order == [])
    first.release()
    await done.value()
    #expect(order == Array(0..<20))
    #expect(queue.isUnused)
  }

  @Test @LoopActor func oneWhoLeavesIsPassedOver() async throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 10)
    let running = try #require(queue.enter())
    let leaving = try #require(queue.enter())
    let staying = try #require(queue.enter())
    leaving.release()
    #expect(queue.waitingCount == 1)
    #expect(await !leaving.wait())
    running.release()
    #expect(await staying.wait())
    #expect(queue.runningCount == 1)
  }

  @Test @LoopActor func wakesOneWhoLeavesWhileWaiting() async throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 10)
    let running = try #require(queue.enter())
    let leaving = try #require(queue.enter())
    let answer = Waiter<Void>()
    var wasGranted = true
    Loop.spawn {
      wasGranted = await leaving.wait()
      answer.finish()
    }
    await Loop.nextTurn()
    leaving.release()
    await answer.value()
    #expect(!wasGranted)
    running.release()
    #expect(queue.isUnused)
  }

  @Test @LoopActor func releasingTwiceGivesBackOnce() throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 10)
    let first = try #require(queue.enter())
    let second = try #require(queue.enter())
    let third = try #require(queue.enter())
    first.release()
    first.release()
    #expect(queue.runningCount == 1)
    #expect(queue.waitingCount == 1)
    third.release()
    third.release()
    second.release()
    second.release()
    #expect(queue.isUnused)
    #expect(queue.enter() != nil)
  }

  @Test @LoopActor func newcomersDoNotOvertake() throws {
    let queue = PermitQueue(permits: 2, maxWaiting: 10)
    let running = (0..<2).compactMap { _ in queue.enter() }
    let waiting = (0..<3).compactMap { _ in queue.enter() }
    running[0].release()
    _ = queue.enter()
    #expect(queue.runningCount == 2)
    #expect(queue.waitingCount == 3)
    for ticket in running + waiting { ticket.release() }
    #expect(queue.runningCount == 1)
  }

  /// Random comings and goings: never more permits than there are, and all of them back in the end.
  @Test @LoopActor func keepsCount() {
    var random = SeededGenerator(12)
    let queue = PermitQueue(permits: 3, maxWaiting: 5)
    var tickets: [PermitQueue.Ticket] = []
    for _ in 0..<3000 {
      if Bool.random(using: &random) {
        if let ticket = queue.enter() { tickets.append(ticket) } else { #expect(tickets.count == 8) }
      } else if !tickets.isEmpty {
        tickets.remove(at: Int.random(in: tickets.indices, using: &random)).release()
      }
      #expect(queue.runningCount == min(3, tickets.count))
      #expect(queue.waitingCount == max(0, tickets.count - 3))
    }
    for ticket in tickets { ticket.release() }
    #expect(queue.isUnused)
  }

  // MARK: Lanes

  private static let lanes = ["a", "b", "c"].map(Principal.init(name:))

  @Test @LoopActor func lanesTakeTurns() async throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 100)
    let running = try #require(queue.enter(Self.lanes[0]))
    var served: [String] = []
    let done = Waiter<Void>()
    // Ten of the first lane wait before anybody else comes.
    for lane in Array(repeating: Self.lanes[0], count: 10) + [Self.lanes[1], Self.lanes[1], Self.lanes[2]] {
      let ticket = try #require(queue.enter(lane))
      Loop.spawn {
        #expect(await ticket.wait())
        served.append(lane.name)
        ticket.release()
        if served.count == 13 { done.finish() }
      }
    }
    running.release()
    await done.value()
    #expect(served == ["a", "b", "c", "a", "b"] + Array(repeating: "a", count: 8))
    #expect(queue.isUnused)
  }

  @Test @LoopActor func aLaneTakesNoMoreThanItsShare() async throws {
    var limits = PermitQueue.Limits(permits: 4, maxWaiting: 4)
    limits.permitsPerLane = 3
    limits.maxWaitingPerLane = 2
    let queue = PermitQueue(limits)
    let first = (0..<5).compactMap { _ in queue.enter(Self.lanes[0]) }
    #expect(first.count == 5)
    #expect(queue.runningCount == 3)
    #expect(queue.enter(Self.lanes[0]) == nil)
    let other = try #require(queue.enter(Self.lanes[1]))
    #expect(await other.wait())
    #expect(queue.runningCount == 4)
    other.release()
    // The permit that is free now is not the first lane's to take.
    #expect(queue.runningCount == 3)
    #expect(queue.waitingCount == 2)
    first[0].release()
    #expect(await first[3].wait())
    for ticket in first { ticket.release() }
    #expect(queue.isUnused)
  }

  @Test @LoopActor func tellsHowManyAreBefore() throws {
    let queue = PermitQueue(permits: 1, maxWaiting: 100)
    let running = try #require(queue.enter(Self.lanes[0]))
    #expect(running.position == nil)
    let first = try (0..<3).map { _ in try #require(queue.enter(Self.lanes[0])) }
    let second = try (0..<2).map { _ in try #require(queue.enter(Self.lanes[1])) }
    // Served in the order a0 b0 a1 b1 a2.
    #expect(first.map(\.position) == [0, 2, 4])
    #expect(second.map(\.position) == [1, 3])
    first[0].release()
    // Now a1 b0 a2 b1.
    #expect(first.map(\.position) == [nil, 0, 2])
    #expect(second.map(\.position) == [1, 3])
    running.release()
    #expect(first[1].position == nil)
    #expect(second.map(\.position) == [0, 2])
    #expect(first[2].position == 1)
    for ticket in second + first { ticket.release() }
    #expect(queue.isUnused)
  }

  @Test @LoopActor func learnsHowLongPermitsAreHeld() async throws {
    let queue = PermitQueue(permits: 2, maxWaiting: 0)
    #expect(queue.averageHold == nil)
    #expect(queue.expectedRoom(orElse: .seconds(7)) == .seconds(7))
    let ticket = try #require(queue.enter())
    await Loop.sleep(.milliseconds(20))
    ticket.release()
    let hold = try #require(queue.averageHold)
    #expect(hold >= .milliseconds(15))
    #expect(queue.expectedRoom(orElse: .seconds(7)) >= .seconds(1))
  }
}
