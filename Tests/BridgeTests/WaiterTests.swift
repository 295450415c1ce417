// The wait primitive and the condition that is built on it.

import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop) struct WaiterTests {
  @Test @LoopActor func aValueThatCameBeforeIsKept() async {
    let waiter = Waiter<Int>()
    #expect(!waiter.isFinished)
    waiter.finish(with: 1)
    #expect(waiter.isFinished)
    #expect(await waiter.value() == 1)
    #expect(await waiter.value() == 1)
  }

  @Test @LoopActor func theFirstValueCounts() async {
    let waiter = Waiter<Int>()
    waiter.finish(with: 1)
    waiter.finish(with: 2)
    #expect(await waiter.value() == 1)
  }

  @Test @LoopActor func allThatWaitAreWoken() async {
    let waiter = Waiter<Int>()
    let end = Waiter<Void>()
    var values: [Int] = []
    for _ in 0..<3 {
      Loop.spawn {
        values.append(await waiter.value())
        if values.count == 3 { end.finish() }
      }
    }
    Loop.spawn { waiter.finish(with: 7) }
    await end.value()
    #expect(values == [7, 7, 7])
  }

  @Test @LoopActor func aConditionIsLookedAtAfterEachSignal() async {
    let signal = ChangeSignal()
    var number = 0
    Loop.spawn {
      for _ in 0..<3 {
        number += 1
        signal.send()
        await Loop.sleep(.zero)
      }
    }
    await signal.wait { number == 3 }
    #expect(number == 3)
  }

  @Test @LoopActor func aConditionThatHoldsNeedsNoSignal() async {
    let signal = ChangeSignal()
    await signal.wait { true }
    #expect(await signal.wait(atMost: .zero) { true })
  }

  @Test @LoopActor func aWaitMayEndWithoutTheCondition() async {
    let signal = ChangeSignal()
    #expect(await signal.wait(atMost: .milliseconds(5)) { false } == false)
  }

  @Test @LoopActor func aLimitOfAnotherWakesNobodyForGood() async {
    let signal = ChangeSignal()
    var isDone = false
    let end = Waiter<Bool>()
    Loop.spawn {
      await signal.wait { isDone }
      end.finish(with: isDone)
    }
    await signal.wait(atMost: .milliseconds(5)) { false }
    #expect(!end.isFinished)
    isDone = true
    signal.send()
    #expect(await end.value())
  }
}
