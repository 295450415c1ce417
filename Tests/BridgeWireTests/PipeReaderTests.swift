// What a child writes: all of it, in order, and its end; several children take turns.

import Glibc
import Testing

@testable import Bridge
@testable import BridgeTestSupport

/// A pipe of which the test has the writing end.
@LoopActor
final class TestPipe {
  let reader: PipeReader
  private var writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    // No child of another test may hold an end of it.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    reader = try PipeReader(descriptor: ends[0])
    writer = ends[1]
    _ = fcntl(writer, F_SETFL, O_NONBLOCK)
  }

  /// Returns how many bytes the pipe had room for.
  @discardableResult
  func write(_ bytes: [UInt8]) -> Int { max(0, Glibc.write(writer, bytes, bytes.count)) }

  /// Writes as much as the pipe has room for, and returns how much that is.
  @discardableResult
  func fill() -> Int {
    var filled = 0
    while true {
      let count = write([UInt8](repeating: 0x78, count: 4096))
      if count == 0 { return filled }
      filled += count
    }
  }

  func endOutput() {
    if writer >= 0 { Glibc.close(writer) }
    writer = -1
  }

  func close() {
    endOutput()
    reader.close()
  }
}

@Suite(.onLoop)
struct PipeReaderTests {
  @LoopActor
  private final class Heard {
    var bytes: [UInt8] = []
    var order: [String] = []
    var ends: [ByteStream.End] = []

    func listen(to pipe: TestPipe) {
      pipe.reader.onRead = { [unowned self] in bytes += $0.array }
      pipe.reader.onEnd = { [unowned self] in ends.append($0) }
      pipe.reader.startReading()
    }
  }

  @Test @LoopActor
  func whatIsWrittenArrivesInOrderAndThenItsEnd() async throws {
    let pipe = try TestPipe()
    defer { pipe.close() }
    let heard = Heard()
    heard.listen(to: pipe)
    let text = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 251) }
    var written = 0
    while written < text.count {
      written += pipe.write(Array(text[written...]))
      await Loop.nextTurn()
    }
    pipe.endOutput()
    #expect(await eventually { !heard.ends.isEmpty })
    #expect(heard.bytes == text)
    await Loop.sleep(.milliseconds(5))
    #expect(heard.ends == [.endOfInput])
  }

  @Test @LoopActor
  func whatWasWrittenBeforeTheEndIsReadAlthoughNobodyListenedYet() async throws {
    let pipe = try TestPipe()
    defer { pipe.close() }
    pipe.write(Array("last words".utf8))
    pipe.endOutput()
    await Loop.nextTurn()
    let heard = Heard()
    heard.listen(to: pipe)
    #expect(await eventually { !heard.ends.isEmpty })
    #expect(String(decoding: heard.bytes, as: UTF8.self) == "last words")
  }

  @Test @LoopActor
  func nothingIsToldAfterClosing() async throws {
    let pipe = try TestPipe()
    defer { pipe.endOutput() }
    let heard = Heard()
    pipe.reader.onRead = { [unowned heard, unowned pipe] in
      heard.bytes += $0.array
      pipe.reader.close()
    }
    pipe.reader.onEnd = { [unowned heard] in heard.ends.append($0) }
    pipe.fill()
    pipe.reader.startReading()
    // The descriptor goes with it: there is nobody left to write to.
    #expect(await eventually { pipe.write([1]) == 0 && errno == EPIPE })
    #expect(!heard.bytes.isEmpty && heard.bytes.count <= 32 * 1024)
    #expect(heard.ends.isEmpty)
  }

  /// Neither is read to its end before the other.
  @Test @LoopActor
  func childrenThatWriteWithoutEndTakeTurns() async throws {
    let pipes = [try TestPipe(), try TestPipe()]
    defer { for pipe in pipes { pipe.close() } }
    let heard = Heard()
    for (name, pipe) in zip(["a", "b"], pipes) {
      pipe.fill()
      pipe.reader.onRead = { [unowned heard, unowned pipe] _ in
        // The turn's time, which begins after its first read, is over after the second.
        usleep(2000)
        heard.order.append(name)
        if heard.order.count < 20 { pipe.fill() }
      }
      pipe.reader.startReading()
    }
    #expect(await eventually { heard.order.count >= 20 })
    let order = heard.order.prefix(20)
    for name in ["a", "b"] { #expect(order.split(separator: name).allSatisfy { $0.count <= 2 }) }
  }

  /// Nor do those that say little keep the loop from its sockets.
  @Test @LoopActor
  func manyChildrenAreReadInSeveralTurns() async throws {
    let pipes = try (0..<20).map { _ in try TestPipe() }
    defer { for pipe in pipes { pipe.close() } }
    let heard = Heard()
    for pipe in pipes {
      pipe.write([1])
      pipe.reader.onRead = { [unowned heard] in
        usleep(1000)
        heard.bytes += $0.array
      }
      pipe.reader.startReading()
    }
    var most = 0
    while heard.bytes.count < pipes.count {
      let before = heard.bytes.count
      await Loop.nextTurn()
      most = max(most, heard.bytes.count - before)
    }
    #expect(most < pipes.count / 2)
  }

  /// A pipe that has ended stays readable.
  @Test @LoopActor
  func anEndThatNobodyClosesIsToldOnce() async throws {
    let pipe = try TestPipe()
    defer { pipe.close() }
    let heard = Heard()
    heard.listen(to: pipe)
    pipe.endOutput()
    #expect(await eventually { !heard.ends.isEmpty })
    for _ in 0..<20 { await Loop.nextTurn() }
    #expect(heard.ends == [.endOfInput])
  }

  @Test @LoopActor
  func theRestIsReadAtOnce() async throws {
    let pipe = try TestPipe()
    defer { pipe.close() }
    let heard = Heard()
    heard.listen(to: pipe)
    let written = pipe.fill()
    pipe.reader.readRest()
    #expect(heard.bytes.count == written && written > 0)
  }
}
