// Lines for a pipe that is read late, or never.

import Glibc
import Testing

@testable import Bridge

@Suite(.timeLimit(.minutes(5)))
struct LineOutputTests {
  /// A pipe with room for one page.
  private struct Pipe {
    let reader: Int32
    let writer: Int32

    init() {
      var ends: [Int32] = [-1, -1]
      #expect(pipe(&ends) == 0)
      reader = ends[0]
      writer = ends[1]
      // fcntl(2), F_SETPIPE_SZ.
      #expect(fcntl(writer, 1031, 4096) == 4096)
    }

    /// All lines up to the one that `isLast`, or to the end.
    func lines(until isLast: (String) -> Bool) -> [String] {
      var lines: [String] = []
      var rest: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = buffer.withUnsafeMutableBytes { read(reader, $0.baseAddress, $0.count) }
        guard count > 0 else { return lines }
        rest += buffer[..<count]
        while let end = rest.firstIndex(of: 0x0A) {
          lines.append(String(decoding: rest[..<end], as: UTF8.self))
          rest.removeFirst(end + 1)
          if lines.last.map(isLast) == true { return lines }
        }
      }
    }

    func close() {
      Glibc.close(reader)
      Glibc.close(writer)
    }
  }

  @Test func whatIsReadComesInOrderAndWhole() {
    let pipe = Pipe()
    defer { pipe.close() }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    let texts = (0..<50).map { "line \($0) " + String(repeating: "x", count: 100 * $0) }
    for text in texts { output.write(line: text) }
    #expect(pipe.lines { $0.hasPrefix("line 49 ") } == texts)
    #expect(output.lostLines == 0)
  }

  /// Ten thousand lines into a pipe of a page: a write that waited would wait for ever.
  @Test func nobodyWaitsForAPipeThatNobodyReads() {
    let pipe = Pipe()
    defer { pipe.close() }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    let count = 10_000
    for number in 0..<count { output.write(line: "line \(number) " + String(repeating: "x", count: 200)) }
    #expect(output.lostLines > 0)
    // It flows again: what had room comes first, then how many had none, and what is written from then on.
    let lines = pipe.lines { $0.hasPrefix("lost ") }
    let told = lines.last.flatMap { Int($0.dropFirst("lost ".count)) } ?? 0
    #expect(lines.count - 1 + told == count)
    for (number, line) in lines.dropLast().enumerated() { #expect(line.hasPrefix("line \(number) ")) }
    output.write(line: "after")
    #expect(pipe.lines { $0 == "after" } == ["after"])
  }

  @Test func theEndOfTheProcessWaitsForWhatIsRead() {
    let pipe = Pipe()
    defer { pipe.close() }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    output.write(line: "the last words")
    output.finish()
    var state = pollfd(fd: pipe.reader, events: Int16(POLLIN), revents: 0)
    #expect(poll(&state, 1, 0) == 1)
    #expect(pipe.lines { _ in true } == ["the last words"])
  }

  @Test func theEndOfTheProcessDoesNotWaitForAPipeThatNobodyReads() {
    let pipe = Pipe()
    // The thread still waits to write, so the other end stays open: its number would become another test's file.
    defer { close(pipe.reader) }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    for _ in 0..<100 { output.write(line: String(repeating: "x", count: 1000)) }
    output.finish()
  }

  @Test func aReaderThatIsGoneIsNoTrouble() {
    let pipe = Pipe()
    defer { close(pipe.writer) }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    close(pipe.reader)
    for _ in 0..<1000 { output.write(line: "nobody") }
    output.finish()
  }

  @Test func aLongLineIsCut() {
    let pipe = Pipe()
    defer { pipe.close() }
    let output = LineOutput(descriptor: pipe.writer) { "lost \($0)" }
    output.write(line: String(repeating: "x", count: LineOutput.maxLineBytes + 10))
    #expect(pipe.lines { _ in true } == [String(repeating: "x", count: LineOutput.maxLineBytes)])
  }
}
