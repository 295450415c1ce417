// A child process with three pipes, leading its own process group.
// Owns the process handle; the pipes are handles of their own, owned by whoever speaks over them.

internal import CLibUV
import Glibc

/// A running child process.
@LoopActor
final class ChildProcess: Handle {
  /// How a child ended.
  struct Exit: Sendable, Equatable, CustomStringConvertible {
    let code: Int
    let signal: Int32

    var description: String { signal == 0 ? "exit code \(code)" : "signal \(signal)" }
  }

  struct Command: Sendable {
    var file: String
    var arguments: [String]
    /// The whole environment of the child, each entry "NAME=value"; nothing is inherited.
    var environment: [String]
    var workingDirectory: String?

    /// The same, killed by the kernel when the bridge ends, in whatever way. Without setpriv(1) it is as it was.
    var endedWithBridge: Command {
      guard let setpriv = Programs.find("setpriv", path: "/usr/bin:/bin:/usr/local/bin") else { return self }
      var command = self
      command.file = setpriv
      command.arguments = ["--pdeathsig", "KILL", file] + arguments
      return command
    }
  }

  let standardInput: ByteStream
  let standardOutput: PipeReader
  let standardError: PipeReader
  private(set) var processID: Int32 = 0
  private var onExit: (@LoopActor (Exit) -> Void)?

  /// Starts the child in a session and process group of its own.
  ///
  /// A program that is missing or not executable fails here, as `ENOENT` or `EACCES`.
  init(_ command: Command, onExit: @escaping @LoopActor (Exit) -> Void) throws(LoopError) {
    standardInput = try .pipe()
    let outputs: [OutputPipe]
    do throws(LoopError) {
      outputs = try OutputPipe.make(2)
    } catch {
      standardInput.close()
      throw error
    }
    // The child has copies once it runs.
    defer { for output in outputs { Glibc.close(output.childEnd) } }
    standardOutput = outputs[0].reader
    standardError = outputs[1].reader
    self.onExit = onExit
    try super.init(UV_PROCESS, as: uv_process_t.self) { process, loop in
      // uv_spawn initialises the handle itself, and leaves one that must be closed when it fails.
      process.initialize(to: uv_process_t())
      process.pointee.loop = loop
      return 0
    }
    let status = spawn(command, outputs: outputs.map(\.childEnd))
    if status < 0 {
      for handle in [standardInput, standardOutput, standardError] { handle.close() }
      close()
      throw LoopError(status, "start \(command.file)")
    }
  }

  /// Sends `signal` to the child's whole process group.
  func signalGroup(_ signal: Int32) {
    if processID > 0 { _ = kill(-processID, signal) }
  }

  /// A pipe that the child writes to. libuv would make a socket pair instead, in which each line is a message of its own:
  /// reading many short lines costs twice as much there, and a program in the child that opens /dev/stdout is refused.
  @LoopActor
  private struct OutputPipe {
    /// Bytes the pipe holds: as many as a socket does by default. In the usual 64 kB of a pipe, a child that writes as fast
    /// as it can soon has room for one line at a time only, and both sides are woken for each line. With more, a turn that is
    /// cut has more output still to come. Where the system does not give that much, less will do.
    private static let bytes: Int32 = 256 * 1024
    /// fcntl(2); the C library's header has it for C alone.
    private static let setPipeSize: Int32 = 1031

    let reader: PipeReader
    let childEnd: Int32

    static func make(_ count: Int) throws(LoopError) -> [OutputPipe] {
      var pipes: [OutputPipe] = []
      do throws(LoopError) {
        while pipes.count < count { pipes.append(try OutputPipe()) }
      } catch {
        for pipe in pipes {
          pipe.reader.close()
          Glibc.close(pipe.childEnd)
        }
        throw error
      }
      return pipes
    }

    private init() throws(LoopError) {
      var ends: [uv_file] = [-1, -1]
      try LoopError.check(uv_pipe(&ends, Int32(UV_NONBLOCK_PIPE.rawValue), 0), "make a pipe")
      _ = fcntl(ends[0], Self.setPipeSize, Self.bytes)
      do throws(LoopError) {
        reader = try PipeReader(descriptor: ends[0])
      } catch {
        for end in ends { Glibc.close(end) }
        throw error
      }
      childEnd = ends[1]
    }
  }

  private func spawn(_ command: Command, outputs: [Int32]) -> Int32 {
    var arguments = CStringArray([command.file] + command.arguments)
    var environment = CStringArray(command.environment)
    defer {
      arguments.free()
      environment.free()
    }
    var stdio = [uv_stdio_container_t](repeating: uv_stdio_container_t(), count: 1 + outputs.count)
    // Seen from the child.
    stdio[0].flags = uv_stdio_flags(UV_CREATE_PIPE.rawValue | UV_READABLE_PIPE.rawValue)
    stdio[0].data.stream = standardInput.pointer(as: uv_stream_t.self)
    for (index, output) in outputs.enumerated() {
      stdio[1 + index].flags = UV_INHERIT_FD
      stdio[1 + index].data.fd = output
    }
    let handle = pointer(as: uv_process_t.self)
    let owner = handle.pointee.data
    var status: Int32 = 0
    stdio.withUnsafeMutableBufferPointer { stdio in
      withOptionalCString(command.workingDirectory) { directory in
        var options = uv_process_options_t()
        options.exit_cb = { process, code, signal in
          ChildProcess.owner(of: process)?.exited(Exit(code: Int(code), signal: signal))
        }
        options.file = arguments.first
        options.args = arguments.base
        options.env = environment.base
        options.cwd = directory
        options.flags = UInt32(UV_PROCESS_DETACHED.rawValue)
        options.stdio_count = Int32(stdio.count)
        options.stdio = stdio.baseAddress
        status = uv_spawn(LoopActor.shared.executor.loop, handle, &options)
      }
    }
    handle.pointee.data = owner
    if status == 0 { processID = handle.pointee.pid }
    return status
  }

  private func exited(_ exit: Exit) {
    let callback = onExit
    // Programs that it has started in its process group are ended with it.
    signalGroup(SIGKILL)
    close()
    callback?(exit)
  }

  override func willClose() {
    onExit = nil
    processID = 0
  }
}

private func withOptionalCString(_ string: String?, _ body: (UnsafePointer<CChar>?) -> Void) {
  if let string { string.withCString { body($0) } } else { body(nil) }
}

/// A NULL-terminated `char **` for the duration of a system call.
private struct CStringArray {
  let base: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    base = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { (base + index).initialize(to: strdup(string)) }
    (base + count).initialize(to: nil)
  }

  var first: UnsafePointer<CChar>? { base[0].map { UnsafePointer($0) } }

  mutating func free() {
    for index in 0..<count { Glibc.free(base[index]) }
    base.deallocate()
  }
}
