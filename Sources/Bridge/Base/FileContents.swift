// Whole small files, read and replaced with plain system calls. Blocking: at start-up or off the loop.

import Glibc

/// The contents of a file, or why there are none.
enum FileContents: Equatable, Sendable {
  case bytes([UInt8])
  case missing
  case tooLarge
  case failed(FileError)

  /// Reads an open regular file of at most `limit` bytes.
  static func read(descriptor file: Int32, limit: Int) -> FileContents {
    var status = stat()
    guard fstat(file, &status) == 0 else { return .failed(.system()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .failed(.notRegularFile) }
    guard status.st_size <= limit else { return .tooLarge }
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit + 1, 65_536))
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return .failed(.system()) }
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

  /// The path, absolute and with the links of those parts resolved that exist; the last ones may not exist yet.
  static func resolvedAsFarAsItExists(_ path: String) -> String {
    var start = path.utf8.first == UInt8(ascii: "/") ? path : "\(resolved("."))/\(path)"
    var missing: [Substring] = []
    while access(start, F_OK) != 0, let slash = start.lastIndex(of: "/"), slash > start.startIndex {
      missing.insert(start[start.index(after: slash)...], at: 0)
      start = String(start[..<slash])
    }
    return ([resolved(start)] + missing.map(String.init)).joined(separator: "/")
  }

  /// Whether a path lies below a directory, both without links. By bytes: names that are the same text to Swift may be two
  /// directories.
  static func isPath(_ path: UnsafePointer<CChar>, below root: String) -> Bool {
    let start = root.utf8.last == UInt8(ascii: "/") ? root : root + "/"
    return strncmp(path, start, start.utf8.count) == 0
  }

  /// Whether a path is a directory or lies below it, both without links.
  static func isPath(_ path: String, inside root: String) -> Bool {
    path.utf8.elementsEqual(root.utf8) || isPath(path, below: root)
  }

  /// Makes a directory that only its owner may use, and those above it that are missing.
  static func makeDirectories(_ path: String) throws(FileError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else { throw .system(ENOTDIR) }
      return
    }
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex { try makeDirectories(String(path[..<slash])) }
    // Another process may have made it meanwhile.
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system() }
  }

  /// Replaces a file whole or not at all, and returns when the change is on disk.
  static func replace(_ path: String, with bytes: [UInt8]) throws(FileError) {
    try swap(path, with: bytes)
    try flushDirectory(of: path)
  }

  /// Replaces a file whole or not at all. Until `flushDirectory`, a crash may bring the old one back.
  ///
  /// The new contents are written beside it, flushed and renamed over it.
  static func swap(_ path: String, with bytes: [UInt8]) throws(FileError) {
    let temporary = "\(path).\(getpid())\(temporarySuffix)"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .system() }
    do throws(FileError) {
      try writeAndClose(bytes, to: file)
      guard rename(temporary, path) == 0 else { throw .system() }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Makes it durable that a file has been made, replaced or removed.
  static func flushDirectory(of path: String) throws(FileError) {
    let slash = path.lastIndex(of: "/")
    let directory = open(slash.map { String(path[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw .system() }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw .system() }
  }

  /// Removes what a process that was killed while it replaced the file has left. Nobody else may be replacing it now.
  static func removeUnfinished(_ path: String) {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[..<$0]) } ?? "."
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    for found in names(in: directory.isEmpty ? "/" : directory) {
      guard found.hasPrefix("\(name)."), found.hasSuffix(temporarySuffix) else { continue }
      unlink("\(directory)/\(found)")
    }
  }

  /// Removes a directory and the files in it. One that has directories in it stays.
  static func removeDirectory(_ path: String) {
    for name in names(in: path) { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// The names of what is in a directory; none if it cannot be read.
  private static func names(in directory: String) -> [String] {
    guard let entries = opendir(directory) else { return [] }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Throws if no file can be made in a directory. One is made, because permissions do not tell: not those of a full or
  /// read-only disk, nor anybody's to root.
  static func requireRoom(in directory: String) throws(FileError) {
    let path = "\(directory)/.codex_write_test.\(getpid())\(temporarySuffix)"
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw .system() }
    defer { close(file) }
    guard unlink(path) == 0 else { throw .system() }
  }

  private static let temporarySuffix = ".tmp"

  /// Removes a file, if it is there.
  static func remove(_ path: String) { unlink(path) }

  /// Bytes between two flushes of one file. With more, a large file holds up the flushes of other files: a file system may
  /// write out everything that is new before one of them returns. With less, a large file takes longer.
  private static let bytesPerFlush = 1 << 20

  private static func writeAndClose(_ bytes: [UInt8], to file: Int32) throws(FileError) {
    do throws(FileError) {
      try writeFlushed(bytes, to: file)
    } catch {
      close(file)
      throw error
    }
    guard close(file) == 0 else { throw .system() }
  }

  private static func writeFlushed(_ bytes: [UInt8], to file: Int32) throws(FileError) {
    var start = 0
    repeat {
      let end = min(start + bytesPerFlush, bytes.count)
      try writeAll(bytes[start..<end], to: file, at: start)
      guard fdatasync(file) == 0 else { throw .system() }
      start = end
    } while start < bytes.count
  }

  /// Writes all bytes from `offset` of the file on. When it throws, some of them may have been written.
  static func writeAll(_ bytes: ArraySlice<UInt8>, to file: Int32, at offset: Int) throws(FileError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.dropFirst(sent).withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, offset + sent) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .system() }
      sent += count
    }
  }
}
