// The read end of a child's pipe, which is read once the sockets have been served.
// Owns the descriptor, and the order in which the pipes that have something to read are read.

internal import CLibUV
internal import DequeModule
import Glibc

/// The end of a pipe from which what a child writes is read.
///
/// libuv only tells when there is something (uv_poll_t); it would read on while the sockets wait, up to two megabytes at a
/// time.
@LoopActor
final class PipeReader: Handle {
  /// Bytes of one read. To deal with them takes half a millisecond when thousands of answers stream. With more, the sockets
  /// wait longer; with less, more system calls are made.
  private static let bytesPerRead = 32 * 1024
  /// How long all pipes are read, after a first read, before the loop looks at its sockets again. With less, fewer tokens
  /// share a write; with more, whoever asks for something waits longer.
  private static let maxNanosecondsPerTurn: UInt64 = 750_000

  /// Bytes that are read of a child that has ended: as many as its pipe holds.
  private static let maxRestBytes = 256 * 1024

  /// The pipes that have something to read, in the order in which they got it.
  private static var waiting: Deque<PipeReader> = []

  /// Called with bytes that are only valid during the call.
  var onRead: (@LoopActor (Span<UInt8>) -> Void)?
  /// Called once when no more bytes will come.
  var onEnd: (@LoopActor (ByteStream.End) -> Void)?

  private let descriptor: Int32
  private var isWaiting = false

  /// Takes over `descriptor`, the read end of a pipe, unless it throws.
  init(descriptor: Int32) throws(LoopError) {
    self.descriptor = descriptor
    try super.init(UV_POLL, as: uv_poll_t.self) { uv_poll_init($1, $0, descriptor) }
  }

  func startReading() {
    guard !isClosing else { return }
    let status = uv_poll_start(pointer(as: uv_poll_t.self), Int32(UV_READABLE.rawValue)) { poll, status, _ in
      PipeReader.owner(of: poll)?.isReadable(status)
    }
    if status < 0 { end(.failed(LoopError(status, "read"))) }
  }

  private func isReadable(_ status: Int32) {
    guard status == 0 else { return end(.failed(LoopError(status, "read"))) }
    guard !isWaiting else { return }
    isWaiting = true
    Self.waiting.append(self)
  }

  /// Reads what there is in the pipes, or as much of it as a turn has time for. libuv reports what is left again, and the loop
  /// does not block before that.
  static func readSome() {
    var deadline: UInt64?
    while let reader = waiting.popFirst() {
      reader.isWaiting = false
      while true {
        let hasMore = reader.readOnce()
        // In most turns one pipe has a little, and the clock need not be read.
        guard hasMore || !waiting.isEmpty else { return }
        let now = uv_hrtime()
        let end = deadline ?? now + maxNanosecondsPerTurn
        deadline = end
        guard now < end else { return }
        if !hasMore { break }
      }
    }
  }

  /// Reads what is there now, `maxRestBytes` at most. For the last output of a child that has ended.
  func readRest() {
    var bytes = 0
    while bytes < Self.maxRestBytes, readOnce() { bytes += Self.bytesPerRead }
  }

  /// Returns whether there may be more.
  private func readOnce() -> Bool {
    guard !isClosing else { return false }
    let buffer = ByteStream.sharedReadBuffer.extracting(..<Self.bytesPerRead)
    let count = read(descriptor, buffer.baseAddress, buffer.count)
    if count > 0 {
      onRead?(buffer.span.extracting(..<count))
      return count == buffer.count
    }
    if count == 0 {
      end(.endOfInput)
    } else if errno != EAGAIN, errno != EINTR {
      end(.failed(LoopError(-errno, "read")))
    }
    return false
  }

  private func end(_ end: ByteStream.End) {
    if !isClosing { uv_poll_stop(pointer(as: uv_poll_t.self)) }
    let callback = onEnd
    onRead = nil
    onEnd = nil
    callback?(end)
  }

  override func willClose() {
    onRead = nil
    onEnd = nil
  }

  override func didClose() { Glibc.close(descriptor) }
}
