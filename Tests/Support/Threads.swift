// POSIX threads for tests: code that knows nothing of the loop.

import Glibc

/// A detached thread.
enum Thread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Body(run)).toOpaque())
    precondition(status == 0, "no thread")
    pthread_detach(thread)
  }
}

/// A thread that does what it is given, in order.
///
/// Guarded by a POSIX mutex and not by `Synchronization.Mutex`: the thread sanitizer understands it.
final class WorkerThread: @unchecked Sendable {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let hasWork = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var work: [@Sendable () -> Void] = []
  private var isStopped = false

  init() {
    precondition(pthread_mutex_init(lock, nil) == 0, "no mutex")
    precondition(pthread_cond_init(hasWork, nil) == 0, "no condition")
    Thread.start { self.serve() }
  }

  deinit {
    pthread_cond_destroy(hasWork)
    pthread_mutex_destroy(lock)
    hasWork.deallocate()
    lock.deallocate()
  }

  func run(_ body: @escaping @Sendable () -> Void) { change { work.append(body) } }

  /// Ends the thread once its work is done.
  func stop() { change { isStopped = true } }

  private func change(_ body: () -> Void) {
    pthread_mutex_lock(lock)
    body()
    pthread_cond_signal(hasWork)
    pthread_mutex_unlock(lock)
  }

  private func serve() {
    while true {
      pthread_mutex_lock(lock)
      while work.isEmpty, !isStopped { pthread_cond_wait(hasWork, lock) }
      let batch = work
      work = []
      pthread_mutex_unlock(lock)
      if batch.isEmpty { return }
      for body in batch { body() }
    }
  }
}
