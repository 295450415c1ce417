// POSIX signals as loop callbacks.

internal import CLibUV

/// Calls back on the loop whenever a signal arrives.
@LoopActor
final class SignalSource: Handle {
  private var onSignal: (@LoopActor () -> Void)?

  init(_ signal: Int32, onSignal: @escaping @LoopActor () -> Void) throws(LoopError) {
    self.onSignal = onSignal
    try super.init(UV_SIGNAL, as: uv_signal_t.self) { uv_signal_init($1, $0) }
    let status = uv_signal_start(
      pointer(as: uv_signal_t.self),
      { handle, _ in SignalSource.owner(of: handle)?.onSignal?() },
      signal
    )
    if status < 0 {
      close()
      throw LoopError(status, "watch signal \(signal)")
    }
  }

  override func willClose() { onSignal = nil }
}
