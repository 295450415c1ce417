// A child process with three pipes, leading its own process group.
// Owns the process handle; the pipes are ByteStreams of their own, owned by whoever speaks over them.

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
  }

  let standardInput: ByteStream
  let standardOutput: ByteStream
  let standardError: ByteStream
  private(set) var processID: Int32 = 0
  private var onExit: (@LoopActor (Exit) -> Void)?

  /// Starts the child in a session and process group of its own.
  ///
  /// A program that is missing or not executable fails here, as `ENOENT` or `EACCES`.
  init(_ command: Command, onExit: @escaping @LoopActor (Exit) -> Void) throws(LoopError) {
    standardInput = try .pipe()
    standardOutput = try .pipe()
    standardError = try .pipe()
    self.onExit = onExit
    let pipes = [standardInput, standardOutput, standardError].map { $0.pointer(as: uv_stream_t.self) }
    try super.init(UV_PROCESS, as: uv_process_t.self) { process, loop in
      // uv_spawn initialises the handle itself, and leaves one that must be closed when it fails.
      process.initialize(to: uv_process_t())
      process.pointee.loop = loop
      return 0
    }
    let status = spawn(command, pipes: pipes)
    if status < 0 {
      for stream in [standardInput, standardOutput, standardError] { stream.close() }
      close()
      throw LoopError(status, "start \(command.file)")
    }
  }

  /// Sends `signal` to the child's whole process group.
  func signalGroup(_ signal: Int32) {
    if processID > 0 { _ = kill(-processID, signal) }
  }

  private func spawn(_ command: Command, pipes: [UnsafeMutablePointer<uv_stream_t>]) -> Int32 {
    var arguments = CStringArray([command.file] + command.arguments)
    var environment = CStringArray(command.environment)
    defer {
      arguments.free()
      environment.free()
    }
    var stdio = [uv_stdio_container_t](repeating: uv_stdio_container_t(), count: pipes.count)
    for (index, pipe) in pipes.enumerated() {
      // Seen from the child: it reads its input and writes the other two.
      let direction = index == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE
      stdio[index].flags = uv_stdio_flags(UV_CREATE_PIPE.rawValue | direction.rawValue)
      stdio[index].data.stream = pipe
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
    // What it has started in its group has nobody left to work for.
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
