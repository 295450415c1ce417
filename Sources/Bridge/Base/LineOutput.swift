// Lines for a descriptor that may be blocked for ever: a pipe that nobody reads, a terminal that was stopped.
// The kernel keeps the queue (a socket pair, one message for each line), and a thread of its own waits for the reader, so
// whoever writes a line never waits. Setting O_NONBLOCK on the descriptor instead would set it for every other process
// that shares it.

import Glibc
import Synchronization

/// Writes whole lines to a descriptor without ever waiting for it.
final class LineOutput: Sendable {
  /// Bytes that may wait for the reader; a line beyond them is lost and counted. With more, older lines are kept; with less,
  /// a short pause of the reader loses lines.
  static let maxWaitingBytes = 1 << 20
  /// Bytes of a line; a longer one is cut, since a message of the socket is bounded too.
  static let maxLineBytes = 64 << 10
  /// How long the end of the process is held up for lines that nobody has read yet.
  static let flushMilliseconds: Int32 = 1000

  /// Where lines are put in; -1 if the system gave no socket or no thread.
  private let queue: Int32
  private let descriptor: Int32
  private let lost = LostLines()

  /// `notice` makes the line that tells how many were lost, without its end.
  init(descriptor: Int32, notice: @escaping @Sendable (_ lost: Int) -> String) {
    self.descriptor = descriptor
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      queue = -1
      return
    }
    var size = Int32(Self.maxWaitingBytes)
    _ = setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    queue = ends[0]
    let writer = Writer(input: ends[1], output: descriptor, lost: lost, notice)
    if !writer.start() {
      // What is written finds the other end closed and takes the direct way.
      close(ends[1])
    }
  }

  deinit { if queue >= 0 { close(queue) } }

  /// How many lines were lost and not told yet.
  var lostLines: Int { lost.count.load(ordering: .relaxed) }

  /// Puts a line and its end into the queue. Never waits; one that finds no room is lost.
  func write(line: String) {
    var bytes = Array(line.utf8.prefix(Self.maxLineBytes))
    bytes.append(0x0A)
    let sent = bytes.withUnsafeBytes {
      send(queue, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }
    if sent == bytes.count { return }
    if errno == EAGAIN || errno == ENOBUFS { return countLost() }
    writeDirectly(bytes)
  }

  /// Waits until every line is written, but not for ever. Nothing can be written afterwards.
  func finish() {
    guard queue >= 0, shutdown(queue, Int32(SHUT_WR)) == 0 else { return }
    // The thread closes its end when it has written the last line.
    var state = pollfd(fd: queue, events: Int16(POLLIN), revents: 0)
    _ = poll(&state, 1, Self.flushMilliseconds)
  }

  private func countLost() { lost.count.wrappingAdd(1, ordering: .relaxed) }

  /// The way without a thread: only what the descriptor takes at once. A pipe that can be written to takes PIPE_BUF bytes.
  private func writeDirectly(_ bytes: [UInt8]) {
    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&state, 1, 0) == 1, state.revents & Int16(POLLOUT) != 0 else { return countLost() }
    _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min($0.count, Int(PIPE_BUF))) }
  }

  /// How many lines were lost and not told yet. Of the output and of its thread, which may outlive it.
  private final class LostLines: Sendable {
    let count = Atomic<Int>(0)
  }

  /// The thread that takes lines out of the queue and waits for the descriptor.
  private final class Writer: Sendable {
    private let input: Int32
    private let output: Int32
    private let lost: LostLines
    private let notice: @Sendable (Int) -> String

    init(input: Int32, output: Int32, lost: LostLines, _ notice: @escaping @Sendable (Int) -> String) {
      self.input = input
      self.output = output
      self.lost = lost
      self.notice = notice
    }

    /// False if there is no thread to be had.
    func start() -> Bool {
      // Signals are for the other threads: one that lands here could interrupt a write.
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_SETMASK, &all, &before)
      defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
      var thread = pthread_t()
      let box = Unmanaged.passRetained(self)
      let status = pthread_create(
        &thread, nil,
        { box in
          guard let box else { return nil }
          Unmanaged<Writer>.fromOpaque(box).takeRetainedValue().run()
          return nil
        }, box.toOpaque())
      guard status == 0 else {
        box.release()
        return false
      }
      pthread_detach(thread)
      return true
    }

    private func run() {
      var buffer = [UInt8](repeating: 0, count: LineOutput.maxLineBytes + 1)
      while true {
        var count = receive(&buffer, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN {
          // Those that were lost came after the ones that had room.
          tellLost()
          count = receive(&buffer, 0)
        }
        if count <= 0 { break }
        write(buffer[..<count])
      }
      tellLost()
      close(input)
    }

    private func receive(_ buffer: inout [UInt8], _ flags: Int32) -> Int {
      buffer.withUnsafeMutableBytes { recv(input, $0.baseAddress, $0.count, flags) }
    }

    private func tellLost() {
      let count = lost.count.exchange(0, ordering: .relaxed)
      if count > 0 { write(Array((notice(count) + "\n").utf8)[...]) }
    }

    /// Waits for the descriptor as long as it takes. What fails for good is given up: there is nobody to tell.
    private func write(_ bytes: ArraySlice<UInt8>) {
      var rest = bytes
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(output, $0.baseAddress, $0.count) }
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          // Somebody who shares the descriptor has made it non-blocking.
          var state = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
          _ = poll(&state, 1, -1)
        } else if errno != EINTR {
          return
        }
      }
    }
  }
}
