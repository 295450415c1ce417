// A file that is judged before it is opened. To open can itself do harm: a FIFO's writer is woken and then killed, and a
// device may act. So the file is found with O_PATH, which touches nothing, and what is opened later is the very same file.

import Glibc

/// A file that was found but not opened.
struct FoundFile: ~Copyable {
  /// O_PATH of open(2), which Swift's view of the C library leaves out; the same on all processors that Swift is made for.
  private static let pathOnly: Int32 = 0o10_000_000

  private let descriptor: Int32
  /// What it is, whose it is, and who may do what.
  let status: stat

  /// Finds what a path leads to, through links.
  init(_ path: String) throws(FileError) {
    let found = open(path, Self.pathOnly | O_CLOEXEC)
    guard found >= 0 else { throw .system() }
    var status = stat()
    guard fstat(found, &status) == 0 else {
      let error = FileError.system()
      close(found)
      throw error
    }
    descriptor = found
    self.status = status
  }

  deinit { close(descriptor) }

  var isRegular: Bool { status.st_mode & S_IFMT == S_IFREG }
  var isDirectory: Bool { status.st_mode & S_IFMT == S_IFDIR }

  /// Why somebody else may decide what is in it; nil if only root and the user of this process can.
  var foreignWriter: String? {
    if status.st_uid != 0, status.st_uid != geteuid() { return "it belongs to another user" }
    if status.st_mode & (S_IWGRP | S_IWOTH) != 0 { return "its group or others may write to it (chmod go-w)" }
    return nil
  }

  /// Whether it really lies below a directory whose links are resolved.
  func isBelow(_ root: String) -> Bool {
    guard let resolved = realpath(link, nil) else { return false }
    defer { free(resolved) }
    return FileContents.isPath(resolved, below: root)
  }

  /// Reads it, if it is a regular file of at most `limit` bytes.
  func contents(limit: Int) -> FileContents {
    guard isRegular else { return .failed(.notRegularFile) }
    let file = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard file >= 0 else { return .failed(.system()) }
    defer { close(file) }
    return FileContents.read(descriptor: file, limit: limit)
  }

  /// The name by which the kernel knows it, whatever happens to the path it was found by.
  private var link: String { "/proc/self/fd/\(descriptor)" }
}

extension FileContents {
  /// Reads a regular file of at most `limit` bytes. Anything else is not even opened.
  static func read(_ path: String, limit: Int) -> FileContents {
    do throws(FileError) {
      return try FoundFile(path).contents(limit: limit)
    } catch {
      return error.isMissing ? .missing : .failed(error)
    }
  }
}
