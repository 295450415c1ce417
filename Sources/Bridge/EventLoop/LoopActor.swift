// The global actor of the loop thread and its executor: how Swift tasks run between libuv's callbacks.
// The executor owns the job queues; libuv's handles are owned by the `Handle` classes.
// This is the only file that may say `@unchecked Sendable`: its two queues are guarded by thread identity and
// by a libuv mutex, neither of which the compiler can see.

internal import CLibUV
import Glibc
import Synchronization

/// Isolation of everything that runs on the loop thread.
///
/// There is one loop per process. Code isolated to this actor never runs anywhere else and never blocks.
@globalActor
public actor LoopActor {
  /// The only instance.
  public static let shared = LoopActor()

  nonisolated let executor = LoopExecutor()

  /// The executor that runs this actor's jobs on the loop thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }
}

final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
  /// Rounds of "run jobs, flush streams" before the loop polls for I/O again although more is ready.
  private static let maxRoundsPerTurn = 32

  let loop: UnsafeMutablePointer<uv_loop_t>
  private let wake: UnsafeMutablePointer<uv_async_t>
  private let inboxLock: UnsafeMutablePointer<uv_mutex_t>
  /// `pthread_self()` of the loop thread, 0 until `adoptCurrentThread`. Until then every job goes through the inbox.
  private let loopThread = Atomic<UInt>(0)

  /// Touched on the loop thread only. These three are unchecked: nothing that is done to them calls anybody.
  @exclusivity(unchecked) private var ready: [UnownedJob] = []
  @exclusivity(unchecked) private var running: [UnownedJob] = []
  /// Guarded by `inboxLock`. A libuv mutex and not `Synchronization.Mutex`: the thread sanitizer understands it.
  @exclusivity(unchecked) private var inbox: [UnownedJob] = []

  init() {
    loop = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    inboxLock = .allocate(capacity: 1)
    precondition(uv_loop_init(loop) == 0, "libuv could not make its loop")
    precondition(uv_mutex_init(inboxLock) == 0, "libuv could not make a mutex")
    precondition(uv_async_init(loop, wake, { @Sendable _ in }) == 0, "libuv could not make its wake-up handle")
  }

  var isOnLoopThread: Bool {
    loopThread.load(ordering: .relaxed) == UInt(pthread_self())
  }

  /// Declares the calling thread to be the loop thread, for the rest of the process.
  func adoptCurrentThread() {
    loopThread.store(UInt(pthread_self()), ordering: .relaxed)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isOnLoopThread {
      ready.append(job)
      return
    }
    uv_mutex_lock(inboxLock)
    inbox.append(job)
    let wasEmpty = inbox.count == 1
    uv_mutex_unlock(inboxLock)
    if wasEmpty { uv_async_send(wake) }
  }

  func isIsolatingCurrentContext() -> Bool? { isOnLoopThread }

  func checkIsolated() {
    precondition(isOnLoopThread, "loop-isolated code ran off the loop thread")
  }

  /// Runs what is ready; `afterJobs` then flushes what those jobs wrote, which may make more jobs ready.
  func drain(afterJobs: () -> Void) {
    for _ in 0..<Self.maxRoundsPerTurn {
      takeInbox()
      if ready.isEmpty { afterJobs() }
      if ready.isEmpty { return }
      swap(&ready, &running)
      for job in running { run(job) }
      running.removeAll(keepingCapacity: true)
    }
    // Jobs that keep making jobs must not starve the sockets, nor may the loop block while they wait.
    afterJobs()
    uv_async_send(wake)
  }

  /// Runs the one job that is ready, which may itself drain what becomes ready.
  func runOnlyJob() {
    if let job = ready.popLast() { run(job) }
  }

  private func run(_ job: UnownedJob) {
    // Tasks that prefer this executor (`Loop.spawn`) go on at once when they are on their actor already; in the form that
    // names the serial executor alone they would be queued anew. For tasks that do not it is the other way round: they
    // may be suspended wherever they say `await`, even on entering a function of their own actor.
    job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
  }

  private func takeInbox() {
    uv_mutex_lock(inboxLock)
    if !inbox.isEmpty {
      ready.append(contentsOf: inbox)
      inbox.removeAll(keepingCapacity: true)
    }
    uv_mutex_unlock(inboxLock)
  }
}
