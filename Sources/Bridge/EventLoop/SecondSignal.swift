// The way out of a process whose loop is stuck: the second signal that asks it to end is obeyed where it arrives.

import Glibc
import Synchronization

/// Ends the process at the second of the signals that ask it to end, whatever the loop does.
///
/// Only what is safe in a signal handler happens there: atomic numbers, libuv's own handler, `_exit`.
enum SecondSignal {
  private static let count = Atomic<Int>(0)
  /// libuv's handler, which is the same for every signal and tells the loop; 0 until it is known.
  private static let loopHandler = Atomic<UInt>(0)

  /// Counts `signals`, which the loop watches already (`SignalSource`): the first goes on to the loop.
  ///
  /// To stop watching one of them gives its default action back.
  static func endsProcess(_ signals: [Int32]) {
    // The first access to a static member initialises it, which must not happen inside a signal handler.
    count.store(0, ordering: .relaxed)
    for signal in signals {
      var watched = sigaction()
      guard sigaction(signal, nil, &watched) == 0 else { continue }
      let handler = watched.__sigaction_handler.sa_handler
      loopHandler.store(UInt(bitPattern: unsafeBitCast(handler, to: Int.self)), ordering: .relaxed)
      watched.__sigaction_handler.sa_handler = { signal in SecondSignal.arrived(signal) }
      sigaction(signal, &watched, nil)
    }
  }

  private static func arrived(_ signal: Int32) {
    if count.wrappingAdd(1, ordering: .relaxed).oldValue > 0 { _exit(128 + signal) }
    let handler = UnsafeRawPointer(bitPattern: loopHandler.load(ordering: .relaxed))
    unsafeBitCast(handler, to: (@convention(c) (Int32) -> Void)?.self)?(signal)
  }
}
