// The event loop as the rest of the program sees it: run it, spawn tasks on it, work beside it.
// Owns the "before blocking" step; the C loop itself belongs to `LoopExecutor`.

internal import CLibUV
import Glibc
import Synchronization

/// The one libuv loop of this process.
public enum Loop {
  /// Runs the loop on the calling thread until `main` returns, and returns `main`'s result.
  ///
  /// Must be called once in a process. From here on SIGPIPE is ignored, since libuv's writes may raise it, and SIGXFSZ: a
  /// file that has reached its largest size (ulimit -f) is an error of the write then, as a full disk is. Child processes
  /// begin with the defaults again.
  public static func run(_ main: @escaping @Sendable @LoopActor () async -> Int32) -> Int32 {
    let executor = LoopActor.shared.executor
    executor.adoptCurrentThread()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Else each thread of the pool keeps memory of its own, the end of which `trimMemory` does not reach.
    mallopt(M_ARENA_MAX, 1)
    let exit = ExitStatus()
    spawn {
      startTurnHooks()
      exit.code.store(await main(), ordering: .relaxed)
      uv_stop(executor.loop)
    }
    // The hooks that drain the queue are installed by the first job, so that one is run by hand.
    executor.drain {}
    // The loop is one job more, inside of which all others run: that what libuv calls is on the loop's actor is then seen
    // by comparing two pointers, where the runtime would else have to ask the executor, and before it the main one.
    spawn { uv_run(executor.loop, UV_RUN_DEFAULT) }
    executor.runLastJob()
    return exit.code.load(ordering: .relaxed)
  }

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
  public static func spawn(_ body: @escaping @Sendable @LoopActor () async -> Void) -> Task<Void, Never> {
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
    let result: Result<T, E> = await withUnsafeContinuation { continuation in
      let box = OffLoopWork(work: { Result(catching: work) }) { continuation.resume(returning: $0) }
      let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
      request.pointee.data = Unmanaged.passRetained(box as AnyOffLoopWork).toOpaque()
      let status = uv_queue_work(
        LoopActor.shared.executor.loop,
        request,
        { @Sendable request in
          guard let data = request?.pointee.data else { return }
          Unmanaged<AnyOffLoopWork>.fromOpaque(data).takeUnretainedValue().run()
        },
        { @Sendable request, _ in
          guard let request, let data = request.pointee.data else { return }
          let box = Unmanaged<AnyOffLoopWork>.fromOpaque(data).takeRetainedValue()
          request.deallocate()
          box.finish()
        }
      )
      precondition(status == 0, "uv_queue_work fails only without a work function")
    }
    return try result.get()
  }

  /// Suspends the caller for `duration`, or until its task is cancelled.
  @LoopActor static func sleep(_ duration: Duration) async {
    let wait = Wait()
    let timer = LoopTimer { wait.finish() }
    timer.start(after: duration)
    await withTaskCancellationHandler {
      await wait.value()
    } onCancel: {
      spawn { wait.finish() }
    }
    timer.close()
  }

  @LoopActor private static func startTurnHooks() {
    let loop = LoopActor.shared.executor.loop
    // These three live as long as the process and are not counted as reasons to keep the loop alive.
    let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
    uv_prepare_init(loop, prepare)
    uv_prepare_start(prepare) { _ in
      // First: what comes of it must not wait for the loop to wake again.
      Handle.endRests()
      FlushQueue.flushAnswers()
      Loop.runJobsAndFlush()
    }
    let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
    uv_check_init(loop, check)
    uv_check_start(check) { _ in
      // First: nobody who was answered waits for what Codex has to say, or for jobs.
      FlushQueue.flushAnswers()
      PipeReader.readSome()
      Loop.runJobsAndFlush()
    }
    uv_idle_init(loop, busy)
    for handle in [
      UnsafeMutableRawPointer(prepare), UnsafeMutableRawPointer(check), UnsafeMutableRawPointer(busy),
    ] {
      uv_unref(handle.assumingMemoryBound(to: uv_handle_t.self))
    }
  }

  /// While it is started the loop does not block.
  @LoopActor private static let busy = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)

  @LoopActor private static func runJobsAndFlush() {
    var hasMore = false
    LoopActor.shared.executor.drain { hasMore = FlushQueue.flushSome() }
    if hasMore { uv_idle_start(busy) { @Sendable _ in } } else { uv_idle_stop(busy) }
  }
}

/// One event that tasks wait for; finishing before the wait is remembered, finishing twice is harmless.
@LoopActor
final class Wait {
  private var waiters: [UnsafeContinuation<Void, Never>] = []
  private(set) var isFinished = false

  func finish() {
    isFinished = true
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  func value() async {
    if isFinished { return }
    // Asked again where nothing can come between: a task that does not prefer the loop may be suspended, and the loop
    // go on, before the body below is run.
    await withUnsafeContinuation { continuation in
      if isFinished { continuation.resume() } else { waiters.append(continuation) }
    }
  }
}

private final class ExitStatus: Sendable {
  let code = Atomic<Int32>(0)
}

/// Type-erased work item: the C callback cannot capture a generic result.
private class AnyOffLoopWork {
  func run() {}
  func finish() {}
}

private final class OffLoopWork<T: Sendable>: AnyOffLoopWork {
  private let work: @Sendable () -> T
  private let completion: (T) -> Void
  private var result: T?

  init(work: @escaping @Sendable () -> T, completion: @escaping (T) -> Void) {
    self.work = work
    self.completion = completion
  }

  override func run() { result = work() }

  override func finish() {
    if let result { completion(result) }
  }
}
