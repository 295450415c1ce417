// What a program writes to standard output, from its start to its end.

import Glibc

/// Why a program gave no output that can be used. The text is for people.
struct ProgramFailure: Error, Sendable, CustomStringConvertible {
  let description: String
}

/// Runs a program that ends by itself.
@LoopActor
enum ProgramOutput {
  /// What is kept of standard error, to tell why the program failed.
  private static let complaintBytes = 2048

  /// How a program has ended, and what it has written.
  struct Ended: Sendable {
    let exit: ChildProcess.Exit?
    let output: [UInt8]
    /// The beginning of standard error.
    let complaint: [UInt8]
  }

  /// The output of a program that ends with exit code 0 within `limit`, of at most `maxBytes`.
  static func read(
    of command: ChildProcess.Command, maxBytes: Int, within limit: Duration
  ) async throws(ProgramFailure) -> [UInt8] {
    let ended = try await run(command, maxBytes: maxBytes, within: limit)
    guard ended.exit?.code == 0, ended.exit?.signal == 0 else {
      let complaint = String(decoding: ended.complaint, as: UTF8.self).trimmingSpaces()
      let exit = ended.exit?.description ?? "no exit code"
      throw ProgramFailure(description: complaint.isEmpty ? exit : "\(exit): \(complaint)")
    }
    return ended.output
  }

  /// Runs a program that gets `input`. Throws if it cannot be started, writes more than `maxBytes`, or has not ended within
  /// `limit`; it is killed then.
  static func run(
    _ command: ChildProcess.Command, input: String = "", maxBytes: Int, within limit: Duration
  ) async throws(ProgramFailure) -> Ended {
    let gathering = Gathering(maxBytes: maxBytes)
    do throws(LoopError) {
      let process = try ChildProcess(command) { gathering.ended($0) }
      gathering.begin(process, input)
      let timer = LoopTimer { [weak process] in
        gathering.fault = "it has not ended after \(limit)"
        process?.signalGroup(SIGKILL)
      }
      timer.start(after: limit)
      await gathering.end.value()
      timer.close()
    } catch {
      throw ProgramFailure(description: error.description)
    }
    if let fault = gathering.fault { throw ProgramFailure(description: fault) }
    return Ended(exit: gathering.exit, output: gathering.output, complaint: gathering.complaint)
  }

  /// What has come of a program so far.
  @LoopActor
  private final class Gathering {
    private let maxBytes: Int
    private(set) var output: [UInt8] = []
    private(set) var complaint: [UInt8] = []
    private(set) var exit: ChildProcess.Exit?
    var fault: String?
    private var input: ByteStream?
    let end = Waiter<Void>()
    /// The process and its two outputs, each of which has to end.
    private var open = 3

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    func begin(_ process: ChildProcess, _ input: String) {
      self.input = process.standardInput
      if input.isEmpty {
        process.standardInput.close()
      } else {
        // A program may end without having read it.
        process.standardInput.onWriteFailure = { _ in }
        process.standardInput.write(input)
        process.standardInput.shutDownAfterFlush()
      }
      process.standardOutput.onRead = { [weak process] in self.received($0, from: process) }
      process.standardError.onRead = {
        let room = max(0, ProgramOutput.complaintBytes - self.complaint.count)
        self.complaint.append($0.extracting(first: min(room, $0.count)))
      }
      for output in [process.standardOutput, process.standardError] {
        output.onEnd = { [weak output] _ in
          output?.close()
          self.closeOne()
        }
        output.startReading()
      }
    }

    private func received(_ bytes: Span<UInt8>, from process: ChildProcess?) {
      guard output.count + bytes.count <= maxBytes else {
        fault = "its output is longer than \(maxBytes) bytes"
        process?.signalGroup(SIGKILL)
        return
      }
      output.append(bytes)
    }

    func ended(_ exit: ChildProcess.Exit) {
      self.exit = exit
      input?.close()
      closeOne()
    }

    private func closeOne() {
      open -= 1
      if open == 0 { end.finish() }
    }
  }
}
