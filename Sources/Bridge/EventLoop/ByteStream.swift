// Bytes in and out of a socket or pipe, with a bounded write queue.
// Owns the stream's output: what is written in one loop turn leaves in one system call before the loop blocks.

internal import CLibUV

/// A connected TCP socket or one end of a pipe.
@LoopActor
final class ByteStream: Handle {
  /// Above this many unsent bytes a writer should wait for `onWritable`. With more, each slow client costs more memory; with
  /// less, writers are stopped although the network would take more.
  static let highWaterBytes = 64 * 1024
  /// Below this many unsent bytes `onWritable` is called.
  static let lowWaterBytes = 16 * 1024

  /// One buffer serves every read of the loop, since the bytes are consumed before the callback returns. With more, one
  /// peer holds up the others longer; with less, large bodies need more system calls.
  private nonisolated static let readBufferBytes = 64 * 1024
  /// The address of the buffer, as a number that needs no isolation: libuv's allocation callback then does without the check
  /// for the loop's actor, which costs more than the callback itself.
  private nonisolated static let readBuffer = UInt(
    bitPattern: UnsafeMutableRawPointer.allocate(byteCount: readBufferBytes, alignment: 16))

  /// The buffer for code that reads on the loop with system calls of its own.
  static var sharedReadBuffer: UnsafeMutableBufferPointer<UInt8> {
    UnsafeMutableBufferPointer(start: UnsafeMutablePointer(bitPattern: readBuffer), count: readBufferBytes)
  }

  /// Output buffers that no stream needs now. Hardly any stream has something to send between two loop turns, so a few
  /// buffers serve all: an idle connection holds none, and those in use stay in the processor's cache. Unchecked: see
  /// Decisions.
  @exclusivity(unchecked) private static var spares: [ByteBuffer] = []
  private static var spareBytes = 0
  /// Memory of all spare buffers. With more, memory of a burst is kept for nothing; with less, bursts allocate again.
  private static let maxSpareBytes = 1 << 20

  /// After this long in a loop turn, a peer that sends as fast as it can is read on in the next turn. With more, it holds up
  /// the others longer (libuv alone would read two megabytes); with less, a large body takes more turns.
  private static let maxReadingMilliseconds: Int64 = 1

  /// Bytes that libuv is given at once of what the kernel did not take. They are copied for that; with less, a large output
  /// needs more calls.
  private static let maxInFlightBytes = 64 * 1024

  enum End: Sendable, Equatable {
    /// The peer has sent everything (FIN, or the pipe was closed).
    case endOfInput
    case failed(LoopError)
  }

  /// Called with bytes that are only valid during the call.
  var onRead: (@LoopActor (Span<UInt8>) -> Void)?
  /// Called once when no more bytes will come.
  var onEnd: (@LoopActor (End) -> Void)?
  /// Called when unsent bytes fall below the low-water mark after having been above the high one.
  var onWritable: (@LoopActor () -> Void)?
  /// Called when nothing is unsent any more.
  var onFlushed: (@LoopActor () -> Void)?
  /// Called once when a write failed; the peer is gone.
  var onWriteFailure: (@LoopActor (LoopError) -> Void)?

  private var output = ByteBuffer()
  private var inFlightBytes = 0
  private var isDirty = false
  private var isBeingRead = false
  private var wasAboveHighWater = false
  private var shutdownState = ShutdownState.open
  private var readState = ReadState.stopped
  /// Bytes the kernel has taken since the stream was opened: tells a slow reader from one that has stopped.
  private(set) var writtenBytes: UInt64 = 0

  private enum ReadState {
    case stopped, reading
    /// Is read on in the next loop turn.
    case paused
  }

  private enum ShutdownState { case open, afterFlush, done }

  static func tcp() throws(LoopError) -> ByteStream {
    try ByteStream(UV_TCP, as: uv_tcp_t.self) { uv_tcp_init($1, $0) }
  }

  static func pipe() throws(LoopError) -> ByteStream {
    try ByteStream(UV_NAMED_PIPE, as: uv_pipe_t.self) { uv_pipe_init($1, $0, 0) }
  }

  var isReading: Bool { readState != .stopped }
  var unsentBytes: Int { output.count + inFlightBytes }
  var isAboveHighWater: Bool { unsentBytes > Self.highWaterBytes }

  // MARK: Reading

  func startReading() {
    guard !isReading, !isClosing else { return }
    beginReading()
  }

  private func beginReading() {
    let status = uv_read_start(
      pointer(as: uv_stream_t.self),
      { @Sendable _, _, buffer in
        let base = UnsafeMutablePointer<CChar>(bitPattern: ByteStream.readBuffer)
        buffer?.pointee = uv_buf_init(base, UInt32(ByteStream.readBufferBytes))
      },
      { stream, count, buffer in
        ByteStream.owner(of: stream)?.didRead(count, UnsafeRawPointer(buffer?.pointee.base))
      }
    )
    // A stream that has failed since it was opened says so here; its end is reported like any other.
    guard status == 0 else { return end(.failed(LoopError(status, "read"))) }
    readState = .reading
  }

  func stopReading() {
    guard isReading, !isClosing else { return }
    readState = .stopped
    uv_read_stop(pointer(as: uv_stream_t.self))
  }

  private func didRead(_ count: Int, _ base: UnsafeRawPointer?) {
    if count > 0 {
      let bytes = UnsafeBufferPointer(start: base?.assumingMemoryBound(to: UInt8.self), count: count)
      isBeingRead = true
      onRead?(bytes.span)
      isBeingRead = false
      pauseIfGreedy(count)
      FlushQueue.flushUrgentIfGathered()
    } else if count == Int(UV_EOF.rawValue) {
      end(.endOfInput)
    } else if count < 0 {
      end(.failed(LoopError(Int32(count), "read")))
    }
  }

  /// A peer that sends as fast as it can is read on in the next loop turn.
  private func pauseIfGreedy(_ count: Int) {
    guard count == Self.readBufferBytes, Loop.turnMilliseconds >= Self.maxReadingMilliseconds,
      readState == .reading, !isClosing
    else { return }
    readState = .paused
    uv_read_stop(pointer(as: uv_stream_t.self))
    pauseUntilNextTurn()
  }

  override func resumeFromPause() {
    if readState == .paused { beginReading() }
  }

  private func end(_ end: End) {
    stopReading()
    let callback = onEnd
    onEnd = nil
    callback?(end)
  }

  // MARK: Writing

  /// Queues bytes; they leave before the loop next blocks.
  func write(_ bytes: Span<UInt8>) {
    write { $0.append(bytes) }
  }

  func write(_ string: String) { write { $0.append(string) } }

  /// Queues bytes without copying them if nothing is queued before them.
  func write(_ bytes: consuming ByteBuffer) {
    guard output.isEmpty else { return bytes.withBytes { write($0) } }
    guard canWrite else { return }
    output = bytes
    markDirty()
  }

  /// Lets `fill` append to the output in place. Returns whether it did. `fill` must not write to this stream itself.
  @discardableResult @inline(__always)
  func write(_ fill: (inout ByteBuffer) -> Void) -> Bool {
    guard canWrite else { return false }
    var bytes = takeOutput()
    let before = bytes.count
    fill(&bytes)
    let hasGrown = bytes.count > before
    assert(output.isEmpty, "bytes were written to a stream that is being written to")
    swap(&bytes, &output)
    if hasGrown { markDirty() }
    return hasGrown
  }

  /// Sends FIN once everything queued has left. Nothing can be written afterwards.
  func shutDownAfterFlush() {
    guard shutdownState == .open, !isClosing else { return }
    shutdownState = .afterFlush
    markDirty()
  }

  /// Sends what was written since the last flush.
  func flushIfDirty() {
    guard isDirty else { return }
    isDirty = false
    flush()
  }

  /// Takes the output out of the stream, to work on it: Swift checks each access to a member of an object that is worked on
  /// in place. A stream without a buffer gets a spare one, which serves the next write if it stays empty.
  private func takeOutput() -> ByteBuffer {
    var bytes = ByteBuffer()
    swap(&bytes, &output)
    guard !bytes.hasStorage, let spare = Self.spares.popLast() else { return bytes }
    Self.spareBytes -= spare.capacity
    return spare
  }

  private static func keepSpare(_ spare: consuming ByteBuffer) {
    guard spare.hasStorage, spareBytes + spare.capacity <= maxSpareBytes else { return }
    spareBytes += spare.capacity
    spares.append(spare)
  }

  /// Whether what is written may still arrive.
  var canWrite: Bool { shutdownState == .open && !isClosing }

  private func markDirty() {
    // Noted when it is written and not when it is flushed: one flush may take everything at once, and the writer, which has
    // been told to wait, must still be called.
    if isAboveHighWater { wasAboveHighWater = true }
    guard !isDirty else { return }
    isDirty = true
    if isBeingRead { FlushQueue.addUrgent(self) } else { FlushQueue.add(self) }
  }

  private func flush() {
    // While a write is in flight nothing may pass it; its completion flushes again.
    guard !isClosing, inFlightBytes == 0 else { return updateWaterMark() }
    if !output.isEmpty {
      var bytes = takeOutput()
      let sent = bytes.trySend(to: pointer(as: uv_stream_t.self))
      if sent >= 0 {
        writtenBytes &+= UInt64(sent)
        bytes.consume(Int(sent))
      } else if sent != UV_EAGAIN.rawValue {
        return fail(LoopError(sent, "write"))
      }
      if bytes.isEmpty { Self.keepSpare(bytes) } else { queueRest(bytes) }
    }
    if inFlightBytes == 0, shutdownState == .afterFlush { finishShutdown() }
    updateWaterMark()
    if unsentBytes == 0 { onFlushed?() }
  }

  /// Gives the next piece of what the kernel did not take to libuv, which writes it when the peer makes room. Only a piece,
  /// because it has to be copied, and the output may be 10 MB long.
  private func queueRest(_ bytes: consuming ByteBuffer) {
    inFlightBytes = min(bytes.count, Self.maxInFlightBytes)
    let request = WriteRequest(stream: self, bytes: bytes.copyForC(inFlightBytes))
    bytes.consume(inFlightBytes)
    output = bytes
    let status = request.start(on: pointer(as: uv_stream_t.self))
    if status < 0 {
      inFlightBytes = 0
      fail(LoopError(status, "write"))
    }
  }

  fileprivate func didWrite(_ count: Int, status: Int32) {
    inFlightBytes = 0
    guard !isClosing else { return }
    guard status == 0 else { return fail(LoopError(status, "write")) }
    writtenBytes &+= UInt64(count)
    flush()
  }

  private func finishShutdown() {
    shutdownState = .done
    let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
    let status = uv_shutdown(request, pointer(as: uv_stream_t.self)) { @Sendable request, _ in
      request?.deallocate()
    }
    if status < 0 { request.deallocate() }
  }

  private func updateWaterMark() {
    if isAboveHighWater {
      wasAboveHighWater = true
    } else if wasAboveHighWater, unsentBytes <= Self.lowWaterBytes {
      wasAboveHighWater = false
      onWritable?()
    }
  }

  private func fail(_ error: LoopError) {
    shutdownState = .done
    output = ByteBuffer()
    let callback = onWriteFailure
    onWriteFailure = nil
    callback?(error)
  }

  override func willClose() {
    onRead = nil
    onEnd = nil
    onWritable = nil
    onFlushed = nil
    onWriteFailure = nil
    output = ByteBuffer()
  }
}

/// A `uv_write` under way, with the bytes it sends.
@LoopActor
private final class WriteRequest {
  private let stream: ByteStream
  /// A copy outside of Swift's memory, which libuv may read until the write has ended.
  private let bytes: UnsafeMutableBufferPointer<CChar>
  private let request = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)

  init(stream: ByteStream, bytes: UnsafeMutableBufferPointer<CChar>) {
    self.stream = stream
    self.bytes = bytes
  }

  /// On success libuv keeps this object alive until the write has ended.
  func start(on target: UnsafeMutablePointer<uv_stream_t>) -> Int32 {
    request.pointee.data = Unmanaged.passRetained(self).toOpaque()
    var buffer = uv_buf_init(bytes.baseAddress, UInt32(bytes.count))
    let status = uv_write(request, target, &buffer, 1) { request, status in
      guard let data = request?.pointee.data else { return }
      let me = Unmanaged<WriteRequest>.fromOpaque(data).takeRetainedValue()
      me.stream.didWrite(me.bytes.count, status: status)
      me.free()
    }
    if status < 0 {
      Unmanaged.passUnretained(self).release()
      free()
    }
    return status
  }

  private func free() {
    bytes.deallocate()
    request.deallocate()
  }
}

extension ByteBuffer {
  /// A copy of the first bytes outside of Swift's memory, for the caller to free.
  fileprivate func copyForC(_ count: Int) -> UnsafeMutableBufferPointer<CChar> {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    withBytes { bytes in bytes.extracting(..<count).withUnsafeBytes { copy.copyMemory(from: $0) } }
    return copy.bindMemory(to: CChar.self)
  }

  /// One `uv_try_write` of everything held. Returns the bytes taken, or a negative libuv code.
  fileprivate func trySend(to stream: UnsafeMutablePointer<uv_stream_t>) -> Int32 {
    withBytes { bytes in
      bytes.withUnsafeBytes { raw in
        let base = UnsafeMutableRawPointer(mutating: raw.baseAddress)?.assumingMemoryBound(to: CChar.self)
        var buffer = uv_buf_init(base, UInt32(min(raw.count, Int(Int32.max))))
        return uv_try_write(stream, &buffer, 1)
      }
    }
  }
}
