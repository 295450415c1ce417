// Bytes out of a child's pipe, read once the sockets have been served.
// Owns the read end and its place in the queue of pipes that have something to read.

internal import CLibUV
internal import DequeModule
import Glibc

/// The end of a pipe from which what a child writes is read.
///
/// libuv only tells when there is something (uv_poll_t); it would read on while the sockets wait, up to two megabytes at a
/// time.
@LoopActor
final class PipeReader: Handle {
  /// Bytes of one read. Beside thousands of streams they take half a millisecond.
  private static let bytesAtOnce = 32 * 1024
  /// How long all pipes are read, after a first read, before the loop looks at its sockets again. With less, fewer tokens
  /// share a write; with more, whoever asks for something waits longer.
  private static let maxNanosecondsPerTurn: UInt64 = 750_000

  private static let maxRestBytes = 256 * 1024

  /// Those that have something to read, in the order in which they got it.
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

  /// Reads what there is in the pipes, or as much of it as a turn has time for. What stays makes libuv tell again, and the
  /// loop does not block meanwhile.
  static func readSome() {
    var deadline: UInt64?
    while let reader = waiting.popFirst() {
      reader.isWaiting = false
      while true {
        let hasMore = reader.readOnce()
        // Mostly there is one, and it says little.
        guard hasMore || !waiting.isEmpty else { return }
        let now = uv_hrtime()
        let end = deadline ?? now + maxNanosecondsPerTurn
        deadline = end
        guard now < end else { return }
        if !hasMore { break }
      }
    }
  }

  /// Reads what is there now, up to what a pipe holds. For the last words of a child that has ended.
  func readRest() {
    var bytes = 0
    while bytes < Self.maxRestBytes, readOnce() { bytes += Self.bytesAtOnce }
  }

  /// Returns whether there may be more.
  private func readOnce() -> Bool {
    guard !isClosing else { return false }
    let buffer = ByteStream.sharedReadBuffer.extracting(..<Self.bytesAtOnce)
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
