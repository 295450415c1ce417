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
package actor LoopActor {
  /// The only instance.
  package static let shared = LoopActor()

  nonisolated let executor = LoopExecutor()

  /// The executor that runs this actor's jobs on the loop thread.
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }
}

final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
  /// Rounds of "run jobs, flush streams" before the loop polls its sockets again although more is ready. With more, tasks
  /// that keep waking each other hold up the sockets; with fewer, a chain of tasks takes more turns.
  private static let maxRoundsPerTurn = 32
  /// How long jobs are run in a turn. With more, sockets wait longer; with less, more turns are needed for the same jobs.
  private static let maxNanosecondsPerTurn: UInt64 = 1_000_000
  /// How many jobs are run before the clock is read. With more, the time above is overrun further; with fewer, reading the
  /// clock costs more than the jobs.
  private static let jobsPerClockRead = 16

  let loop: UnsafeMutablePointer<uv_loop_t>
  private let wake: UnsafeMutablePointer<uv_async_t>
  private let inboxLock: UnsafeMutablePointer<uv_mutex_t>
  /// `pthread_self()` of the loop thread, 0 until `adoptCurrentThread`. Until then every job goes through the inbox.
  private let loopThread = Atomic<UInt>(0)

  /// This and the three that follow are touched on the loop thread only. Not checked for overlapping access (Decisions).
  @exclusivity(unchecked) private var ready: [UnownedJob] = []
  @exclusivity(unchecked) private var running: [UnownedJob] = []
  /// The first of `running` that has not been run.
  private var next = 0
  /// Whether jobs were left for after the next poll of the sockets.
  private var leavesJobs = false
  /// Jobs from other threads. Guarded by `inboxLock`, a libuv mutex, because the thread sanitizer does not understand
  /// `Synchronization.Mutex`. Not checked for overlapping access (Decisions).
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

  /// Runs the jobs that are ready; `afterJobs` then flushes what they wrote, which may make more jobs ready.
  func drain(afterJobs: () -> Void) {
    // This is called before and after each poll of the sockets. Without skipping one call, jobs could be run twice in a row
    // with no poll in between.
    if leavesJobs {
      leavesJobs = false
      return afterJobs()
    }
    var deadline: UInt64 = 0
    for _ in 0..<Self.maxRoundsPerTurn {
      takeInbox()
      if !hasJobs { afterJobs() }
      if !hasJobs { return }
      let now = uv_hrtime()
      if deadline == 0 { deadline = now + Self.maxNanosecondsPerTurn }
      guard now <= deadline, runReady(until: deadline) else { break }
    }
    // Neither many jobs nor jobs that keep making jobs may starve the sockets, nor may the loop block while they wait.
    leavesJobs = hasJobs
    afterJobs()
    uv_async_send(wake)
  }

  private var hasJobs: Bool { !ready.isEmpty || next < running.count }

  /// Runs the jobs that were cut off, or else those that are ready. False if time has run out.
  private func runReady(until deadline: UInt64) -> Bool {
    if next == running.count {
      running.removeAll(keepingCapacity: true)
      next = 0
      swap(&ready, &running)
    }
    while next < running.count {
      let job = running[next]
      next += 1
      run(job)
      if next.isMultiple(of: Self.jobsPerClockRead), uv_hrtime() > deadline { return false }
    }
    return true
  }

  /// Runs the job that became ready last, which may itself drain the others.
  func runLastJob() {
    if let job = ready.popLast() { run(job) }
  }

  private func run(_ job: UnownedJob) {
    // Tasks that prefer this executor (`Loop.spawn`) continue at once when they are on their actor already. With the form of
    // this call that names the serial executor alone they would be queued again. Other tasks may be suspended at each
    // `await`, even on entering a function of their own actor.
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
