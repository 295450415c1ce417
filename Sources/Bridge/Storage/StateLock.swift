// One bridge per session map: two would overwrite each other's sessions.

import Glibc

/// An advisory lock on the state directory, held until it is released or the process ends, however that happens.
struct StateLock: Sendable {
  static let fileName = ".codex_threads.lock"
  /// Written behind the process id in the lock's file by a bridge that is about to let others in.
  private static let leaving = "stopping"
  /// How long a bridge that is leaving is waited for. It needs its drain time at most; a longer wait would hide a bridge that
  /// hangs, a shorter one would refuse an upgrade that only takes its time.
  private static let maxWaitSeconds = 120
  private static let retryMicroseconds: UInt32 = 100_000

  private let descriptor: Int32?
  private let path: String

  /// Locks `directory`. While another bridge holds it and is shutting down, waits for that to end; otherwise it is an
  /// error that names the process. Blocks: for the time before anything is served.
  ///
  /// A directory that cannot be written, or a file system without locks, is used without one.
  init(directory: String) throws(ConfigurationError) {
    let path = "\(directory)/\(Self.fileName)"
    // Opened for reading alone: a file that is open for writing keeps its file system from being made read-only.
    let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else {
      descriptor = nil
      self.path = path
      return
    }
    var attempts = 0
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      guard errno == EWOULDBLOCK else {
        Log.warning("the state directory cannot be locked", ["directory": directory, "error": systemError()])
        close(file)
        descriptor = nil
        self.path = path
        return
      }
      let holder = Self.holder(path)
      guard holder.hasSuffix(Self.leaving), attempts < Self.maxWaitSeconds * 10 else {
        close(file)
        throw ConfigurationError(
          description:
            "another bridge (process \(holder)) uses the sessions in \(directory); stop it, or give this "
            + "one an existing directory of its own with \(Settings.stateDirectory.name), and a "
            + "\(Settings.port.name) of its own")
      }
      if attempts == 0 { Log.info("waiting for another bridge to stop", ["process": holder]) }
      attempts += 1
      usleep(Self.retryMicroseconds)
    }
    descriptor = file
    self.path = path
    write("\(getpid())")
  }

  /// Has a bridge that starts from now on wait for `release`.
  func announceLeaving() { write("\(getpid()) \(Self.leaving)") }

  /// Lets other bridges lock the directory. Must be called once.
  func release() {
    guard let descriptor else { return }
    // A child that is just being started has a copy of the descriptor, which would hold the lock until its program runs.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  private static func holder(_ path: String) -> String {
    guard case .bytes(let bytes) = FileContents.read(path, limit: 64) else { return "unknown" }
    return String(decoding: bytes, as: UTF8.self).printable
  }

  private func write(_ text: String) {
    guard descriptor != nil else { return }
    let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return }
    defer { close(file) }
    _ = text.withCString { Glibc.write(file, $0, strlen($0)) }
  }
}
