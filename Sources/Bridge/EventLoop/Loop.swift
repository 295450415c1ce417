// The event loop as the rest of the program sees it: tasks on it, its clock, work beside it. The C loop itself belongs to
// `LoopExecutor`; what is done in each of its turns is in `LoopTurn`.

internal import CLibUV
import Glibc

/// The one libuv loop of this process.
package enum Loop {
  /// Gives what is free in the C library's memory back to the system (malloc_trim(3)), beside the loop: it takes
  /// milliseconds. What is needed again has to be fetched anew, page by page, so this is for quiet times.
  @LoopActor static func trimMemory() async { await offLoop { _ = malloc_trim(0) } }

  /// Processors this process may use at the same time, at least one. libuv 1.44 does not see what its control group is
  /// given.
  static var processors: Int { min(Int(uv_available_parallelism()), ProcessStatus.processorQuota() ?? .max) }

  /// Starts a task on the loop thread. The only place where tasks are born.
  ///
  /// The executor preference keeps every resumption of the task on the loop; without it each one would make a
  /// detour through the global thread pool.
  @discardableResult
  package static func spawn(_ body: @escaping @Sendable @LoopActor () async -> Void) -> Task<Void, Never> {
    Task(executorPreference: LoopActor.shared.executor) { await body() }
  }

  /// Milliseconds of a monotonic clock, as of the start of this loop turn.
  @LoopActor static var now: Duration {
    .milliseconds(Int64(uv_now(LoopActor.shared.executor.loop)))
  }

  /// How long this loop turn has lasted.
  @LoopActor static var turnMilliseconds: Int64 {
    Int64(uv_hrtime() / 1_000_000) - Int64(uv_now(LoopActor.shared.executor.loop))
  }

  /// Runs blocking `work` on libuv's thread pool and returns its result, or throws its error, on the loop.
  @LoopActor static func offLoop<T: Sendable, E: Error>(
    _ work: @escaping @Sendable () throws(E) -> T
  ) async throws(E) -> T {
    let result = Waiter<Result<T, E>>()
    let box = OffLoopWork(work: { Result(catching: work) }, result: result)
    let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
    request.pointee.data = Unmanaged.passRetained(box as AnyOffLoopWork).toOpaque()
    let status = uv_queue_work(
      LoopActor.shared.executor.loop,
      request,
      { @Sendable request in
        guard let data = request?.pointee.data else { return }
        Unmanaged<AnyOffLoopWork>.fromOpaque(data).takeUnretainedValue().run()
      },
      { request, _ in
        guard let request, let data = request.pointee.data else { return }
        let box = Unmanaged<AnyOffLoopWork>.fromOpaque(data).takeRetainedValue()
        request.deallocate()
        box.finish()
      }
    )
    precondition(status == 0, "uv_queue_work fails only without a work function")
    return try await result.value().get()
  }

  /// Suspends the caller for `duration`, or until its task is cancelled.
  @LoopActor static func sleep(_ duration: Duration) async {
    let wait = Waiter<Void>()
    let timer = LoopTimer { wait.finish() }
    timer.start(after: duration)
    await withTaskCancellationHandler {
      await wait.value()
    } onCancel: {
      spawn { wait.finish() }
    }
    timer.close()
  }
}

/// Work for the thread pool without its type: the C callbacks cannot capture a generic result.
private class AnyOffLoopWork {
  /// Called on a thread of the pool.
  func run() {}
  /// Called on the loop once `run` has returned.
  @LoopActor func finish() {}
}

private final class OffLoopWork<Value: Sendable>: AnyOffLoopWork {
  private let work: @Sendable () -> Value
  private let result: Waiter<Value>
  private var value: Value?

  init(work: @escaping @Sendable () -> Value, result: Waiter<Value>) {
    self.work = work
    self.result = result
  }

  override func run() { value = work() }

  override func finish() {
    if let value { result.finish(with: value) }
  }
}
