// The keyboard of a terminal: bytes as they are typed. Owns the terminal's mode and gives it back.

internal import CLibUV
import Glibc

/// Standard input or another descriptor that is open on a terminal, in raw mode: the system neither echoes nor edits, and
/// Ctrl-C is a byte like others.
@LoopActor
final class TerminalInput: Handle {
  /// More than the system keeps for a terminal (4096 bytes), so that one read takes all there is: where the terminal cannot
  /// be opened anew, a second read would wait for the next key.
  private nonisolated static let bufferBytes = 16 * 1024
  /// The address of the only buffer, which is consumed before the next read. A number needs no isolation, so that libuv's
  /// allocation callback does without a check.
  private nonisolated static let buffer = UInt(
    bitPattern: UnsafeMutableRawPointer.allocate(byteCount: bufferBytes, alignment: 16))

  /// Called with bytes that are only valid during the call.
  var onRead: (@LoopActor (Span<UInt8>) -> Void)?
  /// Called once when no more bytes will come: the terminal is gone.
  var onEnd: (@LoopActor () -> Void)?

  /// Opens the terminal again, so that making it non-blocking does not concern other programs that share `descriptor`, and
  /// switches it to raw mode.
  init(descriptor: Int32) throws(LoopError) {
    try super.init(UV_TTY, as: uv_tty_t.self) { uv_tty_init($1, $0, descriptor, 0) }
    do throws(LoopError) {
      try setRaw(true)
    } catch {
      close()
      throw error
    }
  }

  /// Switches between raw mode and the mode in which the terminal was found.
  func setRaw(_ isRaw: Bool) throws(LoopError) {
    let mode = isRaw ? UV_TTY_MODE_RAW : UV_TTY_MODE_NORMAL
    try LoopError.check(uv_tty_set_mode(pointer(as: uv_tty_t.self), mode), "set the mode of the terminal")
  }

  func startReading() throws(LoopError) {
    let status = uv_read_start(
      pointer(as: uv_stream_t.self),
      { @Sendable _, _, buffer in
        let base = UnsafeMutablePointer<CChar>(bitPattern: TerminalInput.buffer)
        buffer?.pointee = uv_buf_init(base, UInt32(TerminalInput.bufferBytes))
      },
      { stream, count, _ in TerminalInput.owner(of: stream)?.didRead(count) }
    )
    try LoopError.check(status, "read the terminal")
  }

  /// Leaves the keyboard to another program until `startReading`.
  func stopReading() { uv_read_stop(pointer(as: uv_stream_t.self)) }

  /// Reads what was typed before this call and is still with the system.
  func readAhead() {
    var descriptor: uv_os_fd_t = -1
    guard !isClosing, uv_fileno(pointer(as: uv_handle_t.self), &descriptor) == 0 else { return }
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while !isClosing, poll(&wait, 1, 0) == 1, wait.revents & Int16(POLLIN) != 0 {
      let count = read(descriptor, UnsafeMutableRawPointer(bitPattern: Self.buffer), Self.bufferBytes)
      guard count > 0 else { return }
      didRead(count)
    }
  }

  private func didRead(_ count: Int) {
    if count > 0 {
      let bytes = UnsafeBufferPointer(start: UnsafePointer<UInt8>(bitPattern: Self.buffer), count: count)
      onRead?(bytes.span)
    } else if count < 0 {
      let callback = onEnd
      onEnd = nil
      callback?()
    }
  }

  override func willClose() {
    onRead = nil
    onEnd = nil
    try? setRaw(false)
  }
}
