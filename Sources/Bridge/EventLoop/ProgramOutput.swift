// What a program writes to standard output, from its start to its end.

import Glibc

/// Why a program gave no output that can be used. The text is for people.
struct ProgramFailure: Error, Sendable, CustomStringConvertible {
  let description: String
}

/// Runs a program that asks for nothing and ends by itself.
@LoopActor
enum ProgramOutput {
  /// What is kept of standard error, to tell why the program failed.
  private static let complaintBytes = 2048

  /// The output of a program that ends with exit code 0 within `limit`, of at most `maxBytes`.
  static func read(
    of command: ChildProcess.Command, maxBytes: Int, within limit: Duration
  ) async throws(ProgramFailure) -> [UInt8] {
    let gathering = Gathering(maxBytes: maxBytes)
    do throws(LoopError) {
      let process = try ChildProcess(command) { gathering.ended($0) }
      gathering.begin(process)
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
    guard gathering.exit?.code == 0, gathering.exit?.signal == 0 else {
      let complaint = String(decoding: gathering.complaint, as: UTF8.self).trimmingSpaces()
      let exit = gathering.exit?.description ?? "no exit code"
      throw ProgramFailure(description: complaint.isEmpty ? exit : "\(exit): \(complaint)")
    }
    return gathering.output
  }

  /// What has come of a program so far.
  @LoopActor
  private final class Gathering {
    private let maxBytes: Int
    private(set) var output: [UInt8] = []
    private(set) var complaint: [UInt8] = []
    private(set) var exit: ChildProcess.Exit?
    var fault: String?
    let end = Waiter<Void>()
    /// The process and its two outputs, each of which has to end.
    private var open = 3

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    func begin(_ process: ChildProcess) {
      process.standardInput.close()
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
      closeOne()
    }

    private func closeOne() {
      open -= 1
      if open == 0 { end.finish() }
    }
  }
}
