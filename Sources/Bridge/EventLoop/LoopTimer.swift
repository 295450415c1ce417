// Timers on the loop. A timer holds its callback until closed.

internal import CLibUV

/// A timer: once after a delay, or repeating.
@LoopActor
final class LoopTimer: Handle {
  private var onFire: (@LoopActor () -> Void)?

  init(onFire: @escaping @LoopActor () -> Void) {
    self.onFire = onFire
    // uv_timer_init cannot fail: it only fills in memory.
    do {
      try super.init(UV_TIMER, as: uv_timer_t.self) { uv_timer_init($1, $0) }
    } catch {
      preconditionFailure("uv_timer_init failed: \(error)")
    }
  }

  /// Starts or restarts the timer. Resolution: one millisecond; `repeating` nil means once.
  func start(after delay: Duration, repeating: Duration? = nil) {
    guard !isClosing else { return }
    uv_timer_start(
      pointer(as: uv_timer_t.self),
      { timer in LoopTimer.owner(of: timer)?.onFire?() },
      delay.wholeMilliseconds,
      repeating?.wholeMilliseconds ?? 0
    )
  }

  /// Stops the timer; it can be started again.
  func stop() {
    guard !isClosing else { return }
    uv_timer_stop(pointer(as: uv_timer_t.self))
  }

  override func willClose() { onFire = nil }
}

/// Calls back at equal intervals while it is started, and has a timer only then. Whoever starts it has to stop it, since an
/// open timer keeps itself alive.
@LoopActor
struct Ticker {
  private var timer: LoopTimer?

  /// Calls back for the first time after one interval. Does nothing when it is started already.
  mutating func start(every interval: Duration, _ onTick: @escaping @LoopActor () -> Void) {
    guard timer == nil else { return }
    let timer = LoopTimer(onFire: onTick)
    timer.start(after: interval, repeating: interval)
    self.timer = timer
  }

  mutating func stop() {
    timer?.close()
    timer = nil
  }
}

extension Duration {
  /// Milliseconds, rounded up; negative durations are 0.
  var wholeMilliseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
    let fraction = UInt64(attoseconds / 1_000_000_000_000_000)
    let rest = attoseconds % 1_000_000_000_000_000 == 0 ? UInt64(0) : 1
    return overflow ? .max / 2 : product &+ fraction &+ rest
  }

  /// Seconds as a floating-point number, for logs and metrics.
  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
