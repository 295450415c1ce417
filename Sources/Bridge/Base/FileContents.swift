// Whole small files, read and replaced with plain system calls. Blocking: at start-up or off the loop.

import Glibc

/// The contents of a file, or why there are none.
enum FileContents: Equatable, Sendable {
  case bytes([UInt8])
  case missing
  case tooLarge
  case failed(String)

  /// Reads a regular file of at most `limit` bytes.
  static func read(_ path: String, limit: Int) -> FileContents {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      return errno == ENOENT || errno == ENOTDIR ? .missing : .failed(systemError())
    }
    defer { close(file) }
    return read(descriptor: file, limit: limit)
  }

  /// Reads an open regular file of at most `limit` bytes.
  static func read(descriptor file: Int32, limit: Int) -> FileContents {
    var status = stat()
    guard fstat(file, &status) == 0 else { return .failed(systemError()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .failed("not a regular file") }
    guard status.st_size <= limit else { return .tooLarge }
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit + 1, 65_536))
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return .failed(systemError()) }
      guard count > 0 else { return .bytes(result) }
      result.append(contentsOf: chunk[..<count])
      guard result.count <= limit else { return .tooLarge }
    }
  }

  /// The path, absolute and with links resolved; unchanged if there is nothing at it.
  static func resolved(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Replaces a file whole or not at all, and returns when the change is on disk. Nil on success.
  static func replace(_ path: String, with bytes: [UInt8]) -> String? {
    swap(path, with: bytes) ?? flushDirectory(of: path)
  }

  /// Replaces a file whole or not at all. Until `flushDirectory`, a crash may bring the old one back. Nil on success.
  ///
  /// The new contents are written beside it, flushed and renamed over it.
  static func swap(_ path: String, with bytes: [UInt8]) -> String? {
    let temporary = "\(path).\(getpid())\(temporarySuffix)"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return systemError() }
    var failure = writeFlushed(bytes, to: file)
    if close(file) != 0, failure == nil { failure = systemError() }
    if failure == nil, rename(temporary, path) != 0 { failure = systemError() }
    if failure != nil { unlink(temporary) }
    return failure
  }

  /// Makes it durable that a file has been made, replaced or removed. Nil on success.
  static func flushDirectory(of path: String) -> String? {
    let slash = path.lastIndex(of: "/")
    let directory = open(slash.map { String(path[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return systemError() }
    defer { close(directory) }
    return fsync(directory) == 0 ? nil : systemError()
  }

  /// Removes what a process that was killed while it replaced the file has left. Nobody else may be replacing it now.
  static func removeUnfinished(_ path: String) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    guard let entries = opendir(directory.isEmpty ? "/" : directory) else { return }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let found = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      guard found.hasPrefix("\(name)."), found.hasSuffix(temporarySuffix) else { continue }
      unlink("\(directory)/\(found)")
    }
  }

  /// Why no file can be made in a directory; nil if one can. Tried, because permissions do not tell: not those of a full
  /// or read-only disk, nor anybody's to root.
  static func creationFailure(in directory: String) -> String? {
    let path = "\(directory)/.codex_write_test.\(getpid())\(temporarySuffix)"
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return systemError() }
    defer { close(file) }
    return unlink(path) == 0 ? nil : systemError()
  }

  private static let temporarySuffix = ".tmp"

  /// Removes a file, if it is there.
  static func remove(_ path: String) { unlink(path) }

  /// Flushed so often, a large file does not hold up others' flushes: a file system may write out all that is new to be
  /// done with one of them.
  private static let flushBytes = 1 << 20

  private static func writeFlushed(_ bytes: [UInt8], to file: Int32) -> String? {
    var start = 0
    repeat {
      let end = min(start + flushBytes, bytes.count)
      if let failure = writeAll(bytes[start..<end], to: file, at: start) { return failure }
      guard fdatasync(file) == 0 else { return systemError() }
      start = end
    } while start < bytes.count
    return nil
  }

  /// Writes all bytes from `offset` of the file on. Nil on success; else some of them may be written.
  static func writeAll(_ bytes: ArraySlice<UInt8>, to file: Int32, at offset: Int) -> String? {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.dropFirst(sent).withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, offset + sent) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return systemError() }
      sent += count
    }
    return nil
  }
}

/// The text of `errno`.
func systemError(_ code: Int32 = errno) -> String {
  String(cString: strerror(code))
}
