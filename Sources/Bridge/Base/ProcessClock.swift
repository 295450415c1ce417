// The clock of process starts.

import Glibc

/// The clock by which the kernel tells when a process was started. It goes on while the machine sleeps.
enum ProcessClock {
  /// Hundredths of a second since the machine was started, on every Linux in use (sysconf(3), _SC_CLK_TCK).
  typealias Ticks = Int

  static var now: Ticks {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return ticks(.seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
  }

  /// As many whole ticks as there are in `duration`.
  static func ticks(_ duration: Duration) -> Ticks {
    let perSecond = Int(sysconf(Int32(_SC_CLK_TCK)))
    return Int(duration / .milliseconds(1)) * perSecond / 1000
  }
}
