// The loop's executor under tasks of every kind and origin: each finishes, and loop-isolated code stays on the loop.

import Glibc
import Synchronization
import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct ExecutorStressTests {
  /// An ordinary actor, with the runtime's own executor.
  private actor Counter {
    private(set) var count = 0
    func add() { count += 1 }
    func addAfterHop() async {
      await Journey.onLoop()
      count += 1
    }
  }

  /// An actor that shares the loop's executor.
  private actor Neighbour {
    nonisolated var unownedExecutor: UnownedSerialExecutor { LoopActor.shared.unownedExecutor }
    private var count = 0
    func add() {
      LoopActor.assertIsolated()
      count += 1
    }
  }

  /// How a task comes into the world.
  enum Birth: CaseIterable, Sendable {
    /// As all of the bridge's are.
    case spawned
    /// On the loop, without the preference.
    case bare
    case detached
    /// On an ordinary actor.
    case onAnotherActor
  }

  /// What a task goes through, the same for the same seed.
  private struct Journey: Sendable {
    let seed: UInt64
    let counter: Counter
    let neighbour: Neighbour
    let strangers: Strangers

    @LoopActor
    func run(steps: Int = 12, depth: Int = 0) async {
      var random = Choices(seed)
      for _ in 0..<steps {
        await step(random.next(), depth)
        LoopActor.assertIsolated()
        #expect(LoopActor.shared.executor.isOnLoopThread)
      }
    }

    @LoopActor
    private func step(_ choice: UInt64, _ depth: Int) async {
      switch choice % 16 {
      case 0: await Loop.sleep(.zero)
      case 1: #expect(await Loop.offLoop { choice } == choice)
      case 2: await counter.add()
      case 3: await counter.addAfterHop()
      case 4: await neighbour.add()
      case 5: await Self.anywhere(counter)
      case 6: await Task.yield()
      case 7: await strangers.visit()
      case 8: await cancelled()
      case 9 where depth < 2:
        await withTaskGroup(of: Void.self) { group in
          for child: UInt64 in 0..<3 {
            group.addTask { await inner(choice &+ child).run(steps: 3, depth: depth + 1) }
          }
        }
      case 10 where depth < 2:
        async let one: Void = inner(choice).run(steps: 3, depth: depth + 1)
        async let other: Void = Self.anywhere(counter)
        _ = await (one, other)
      case 11:
        let wait = Waiter<Void>()
        Self.later(choice / 16 % 5) { wait.finish() }
        await wait.value()
      case 12:
        let events = TurnStream()
        Self.later(choice / 16 % 5) { events.push(.usage(TokenUsage())) }
        #expect(await events.next() == [.usage(TokenUsage())])
      case 13:
        let body = RequestBody(framing: .chunked, maxBytes: 1, share: ContentBudget().share())
        Self.later(choice / 16 % 5) { body.ended() }
        #expect((try? await body.collect()) == [])
      case 14: await Task.detached { await Self.onLoop() }.value
      default: try? await Task.sleep(nanoseconds: 1)
      }
    }

    private func inner(_ seed: UInt64) -> Journey {
      Journey(seed: seed, counter: counter, neighbour: neighbour, strangers: strangers)
    }

    /// A wait that is ended by its task's cancellation, which comes from another thread.
    @LoopActor
    private func cancelled() async {
      let task = Loop.spawn { await Loop.sleep(.seconds(3600)) }
      strangers.run { task.cancel() }
      await task.value
    }

    @concurrent
    private static func anywhere(_ counter: Counter) async {
      await counter.add()
      await onLoop()
      await Task.yield()
    }

    /// Does something after so many rounds of the loop's jobs: before, while and after the caller begins to wait for it.
    @LoopActor
    private static func later(_ rounds: UInt64, _ body: @escaping @Sendable @LoopActor () -> Void) {
      Loop.spawn { if rounds == 0 { body() } else { later(rounds - 1, body) } }
    }

    @LoopActor
    static func onLoop() async { LoopActor.assertIsolated() }
  }

  @LoopActor
  private func allArrive(_ births: [Birth], count: Int) async {
    let counter = Counter()
    let neighbour = Neighbour()
    let strangers = Strangers()
    let arrived = Atomic<Int>(0)
    let isOver = Waiter<Void>()
    for number in 0..<count {
      let journey = Journey(
        seed: UInt64(number), counter: counter, neighbour: neighbour, strangers: strangers)
      let goal = count
      let arrive: @Sendable @LoopActor () -> Void = {
        if arrived.wrappingAdd(1, ordering: .relaxed).newValue == goal { isOver.finish() }
      }
      strangers.run { Self.bear(births[number % births.count], journey, arrive) }
      if number % 64 == 0 { await Loop.nextTurn() }
    }
    let alarm = LoopTimer { isOver.finish() }
    alarm.start(after: .seconds(120))
    await isOver.value()
    alarm.close()
    #expect(arrived.load(ordering: .relaxed) == count, "tasks were lost")
    strangers.stop()
  }

  private static func bear(
    _ birth: Birth,
    _ journey: Journey,
    _ arrive: @escaping @Sendable @LoopActor () -> Void
  ) {
    switch birth {
    case .spawned:
      Loop.spawn {
        await journey.run()
        arrive()
      }
    case .bare:
      Task { @LoopActor in
        await journey.run()
        arrive()
      }
    case .detached:
      Task.detached {
        await journey.run()
        await arrive()
      }
    case .onAnotherActor:
      Task {
        await journey.counter.add()
        await journey.run()
        await journey.counter.add()
        await arrive()
      }
    }
  }

  /// As in the bridge: every task prefers the loop.
  @Test @LoopActor func tasksThatPreferTheLoopAllArrive() async {
    await allArrive([.spawned], count: 4000)
  }

  /// Nothing in the bridge makes such tasks; a library it uses may.
  @Test @LoopActor func tasksWithoutPreferenceArriveToo() async {
    await allArrive(Birth.allCases, count: 4000)
  }
}

/// Threads that know nothing of the loop and resume whom they are told to.
private final class Strangers: Sendable {
  private let threads = [WorkerThread(), WorkerThread()]
  private let next = Atomic<Int>(0)

  func run(_ work: @escaping @Sendable () -> Void) {
    threads[next.wrappingAdd(1, ordering: .relaxed).oldValue % threads.count].run(work)
  }

  /// Suspends the caller until one of the threads resumes it.
  func visit() async {
    await withCheckedContinuation { continuation in run { continuation.resume() } }
  }

  func stop() { for thread in threads { thread.stop() } }
}

/// Choices that are the same in every run.
private struct Choices {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33
  }
}
