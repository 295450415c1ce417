// Writes a message in the editor that the person has chosen in their own environment, with the terminal handed over to it.

import Glibc

/// An editor at work on the text of a message.
///
/// The text is in a file that nobody else can read, in a directory of its own below the state directory, where Codex's commands
/// cannot write. Both go when the editor has ended.
final class MessageEditor: Sendable {
  /// Why there is no text.
  enum Failure: Error, Equatable, CustomStringConvertible {
    case notStarted(String)
    /// As by `:cq` in vi: what was written is not wanted.
    case ended(status: Int32)
    case unusable(String)

    /// For people.
    var description: String {
      switch self {
      case .notStarted(let reason): "the editor cannot be started: \(reason)"
      case .ended(let status): "the editor ended with status \(status); the message is as it was"
      case .unusable(let reason): "the editor's text cannot be used: \(reason)"
      }
    }
  }

  private static let fileName = "message.md"
  /// The shell splits what the variable has, as other programs do: `VISUAL="code --wait"`.
  private static let shell = "/bin/sh"

  private let directory: String
  private let process: pid_t

  private var path: String { "\(directory)/\(Self.fileName)" }

  /// What VISUAL or EDITOR of the process environment names; nil if neither is set. Settings files have no part in it: they may
  /// lie in a directory that somebody else has written.
  static func command(_ environment: [String: String]) -> String? {
    ["VISUAL", "EDITOR"].lazy.compactMap { environment[$0] }.first { !$0.allSatisfy(\.isWhitespace) }
  }

  /// Starts `command` on a file with `text`. `terminal` becomes its input and `screen` its output.
  init(
    _ command: String, text: String, below parent: String, terminal: Int32, screen: Int32,
    environment: [String: String]
  ) throws(Failure) {
    directory = try Self.makeDirectory(below: parent)
    let path = "\(directory)/\(Self.fileName)"
    do throws(FileError) {
      try FileContents.swap(path, with: Array((text.isEmpty ? "" : text + "\n").utf8))
    } catch {
      FileContents.removeDirectory(directory)
      throw .notStarted("\(path): \(error)")
    }
    let arguments = [Self.shell, "-c", "\(Self.isPlain(command) ? "exec " : "")\(command) \"$@\"", command, path]
    switch Self.spawn(arguments, terminal: terminal, screen: screen, environment) {
    case .success(let process): self.process = process
    case .failure(let failure):
      FileContents.removeDirectory(directory)
      throw failure
    }
  }

  /// Whether a command is a program with its arguments and nothing else. It takes the place of the shell then, which would end by
  /// a Ctrl-C that the editor itself survives.
  private static func isPlain(_ command: String) -> Bool {
    command.utf8.allSatisfy { byte in
      switch UnicodeScalar(byte) {
      case "a"..."z", "A"..."Z", "0"..."9", " ", "-", "_", ".", "/", "+", ":", ",", "~": true
      default: false
      }
    }
  }

  private static func makeDirectory(below parent: String) throws(Failure) -> String {
    var template = Array("\(parent)/edit.XXXXXX".utf8CString)
    let isMade = template.withUnsafeMutableBufferPointer { $0.baseAddress.map { mkdtemp($0) != nil } ?? false }
    guard isMade else { throw .notStarted("\(parent): \(systemError())") }
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  private static func spawn(
    _ arguments: [String], terminal: Int32, screen: Int32, _ environment: [String: String]
  ) -> Result<pid_t, Failure> {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    // The keyboard is opened anew: this program reads its own in non-blocking mode, which the editor would share.
    if let path = path(of: terminal) {
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_RDWR | O_NOCTTY, 0)
    } else {
      posix_spawn_file_actions_adddup2(&actions, terminal, STDIN_FILENO)
    }
    for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
      posix_spawn_file_actions_adddup2(&actions, screen, descriptor)
    }
    // This program ignores and blocks signals that an editor needs.
    var (all, none) = (sigset_t(), sigset_t())
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    let words = arguments.map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var process: pid_t = 0
    let status = posix_spawn(&process, shell, &actions, &attributes, words, variables)
    return status == 0 ? .success(process) : .failure(.notStarted(systemError(status)))
  }

  /// The device of a terminal; nil for what is none.
  private static func path(of terminal: Int32) -> String? {
    var name = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard ttyname_r(terminal, &name, name.count) == 0 else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Waits until the editor has ended, and reads what it has left. Blocking: to be called off the loop.
  func result() -> Result<String, Failure> {
    defer { FileContents.removeDirectory(directory) }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      guard errno == EINTR else { return .failure(.unusable(systemError())) }
    }
    // wait(2): the low seven bits are a signal, the byte above them the exit status.
    guard status == 0 else {
      return .failure(.ended(status: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F))
    }
    switch FileContents.read(path, limit: ChatMessage.maxInputBytes) {
    case .bytes(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self) else {
        return .failure(.unusable("it is not UTF-8"))
      }
      return .success(String(text.trimmingSuffix { $0.isNewline }))
    case .missing: return .failure(.unusable("the file is gone"))
    case .tooLarge: return .failure(.unusable("no message is that long"))
    case .failed(let error): return .failure(.unusable("\(error)"))
    }
  }

  /// Ends the editor, for a program that ends itself, and removes the file.
  func abandon() {
    kill(process, SIGTERM)
    FileContents.removeDirectory(directory)
  }
}
