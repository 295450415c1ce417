// One turn of the loop: what is done before it blocks, and what is done once it has looked at its sockets.
// Owns the three libuv handles that call back at these points.

internal import CLibUV
import Glibc
import Synchronization

extension Loop {
  /// Runs the loop on the calling thread until `main` returns, and returns `main`'s result.
  ///
  /// Must be called once in a process. From here on SIGPIPE is ignored, since libuv's writes may raise it, and SIGXFSZ: a
  /// file that has reached its largest size (ulimit -f) is then an error of the write, as a full disk is. Child processes
  /// begin with the defaults again.
  package static func run(_ main: @escaping @Sendable @LoopActor () async -> Int32) -> Int32 {
    let executor = LoopActor.shared.executor
    executor.adoptCurrentThread()
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Otherwise each thread of the pool keeps memory of its own, the end of which `trimMemory` does not reach.
    mallopt(M_ARENA_MAX, 1)
    let exit = ExitStatus()
    spawn {
      LoopTurn.startHooks()
      exit.code.store(await main(), ordering: .relaxed)
      uv_stop(executor.loop)
    }
    // The hooks that run jobs are installed by the first job, so this job is run by hand.
    executor.drain {}
    // The loop itself is one more job, and all other jobs run inside of it. So the runtime sees by comparing two pointers
    // that a callback of libuv is on the loop's actor; otherwise it would have to ask the executor each time.
    spawn { uv_run(executor.loop, UV_RUN_DEFAULT) }
    executor.runLastJob()
    return exit.code.load(ordering: .relaxed)
  }
}

/// The hooks of a turn. libuv's order in a turn is: timers, idle, prepare (`beforeBlocking`), wait for sockets and read
/// them, check (`afterSockets`).
@LoopActor
private enum LoopTurn {
  /// While this handle is started, the loop does not block.
  private static let busy = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)

  static func startHooks() {
    let loop = LoopActor.shared.executor.loop
    let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
    uv_prepare_init(loop, prepare)
    uv_prepare_start(prepare) { _ in LoopTurn.beforeBlocking() }
    let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
    uv_check_init(loop, check)
    uv_check_start(check) { _ in LoopTurn.afterSockets() }
    uv_idle_init(loop, busy)
    // The three live as long as the process, and none of them is a reason for the loop to go on.
    for handle in [
      UnsafeMutableRawPointer(prepare), UnsafeMutableRawPointer(check), UnsafeMutableRawPointer(busy),
    ] {
      uv_unref(handle.assumingMemoryBound(to: uv_handle_t.self))
    }
  }

  private static func beforeBlocking() {
    // First, because what the handles then write must leave in this turn.
    Handle.resumePaused()
    FlushQueue.flushUrgent()
    runJobsAndFlush()
  }

  private static func afterSockets() {
    // First: a client whose request needed no waiting gets its answer before Codex is read and jobs are run.
    FlushQueue.flushUrgent()
    PipeReader.readSome()
    runJobsAndFlush()
  }

  private static func runJobsAndFlush() {
    var hasMore = false
    LoopActor.shared.executor.drain { hasMore = FlushQueue.flushSome() }
    if hasMore { uv_idle_start(busy) { @Sendable _ in } } else { uv_idle_stop(busy) }
  }
}

private final class ExitStatus: Sendable {
  let code = Atomic<Int32>(0)
}
