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
    #expect(queue.enter() != nil)
    #expect(queue.enter() == nil)
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
    let done = Wait()
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
    let answer = Wait()
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
}
