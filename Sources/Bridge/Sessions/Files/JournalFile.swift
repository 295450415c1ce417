// The journal of the session map as a file: the calls that read, append to, cut and remove it.

import Glibc

/// A journal on disk. Every call blocks: at start-up or off the loop.
struct JournalFile: Sendable {
  let path: String

  /// A journal as it was left.
  struct Version: Sendable, Equatable {
    var extent = SessionJournal.Extent()
    /// Whether the directory is known to name it, should the system stop now.
    var isNamed = false
  }

  enum AppendResult: Equatable {
    case appended(Version)
    /// The file is gone or shorter than it was left: lines that were promised are no longer on disk.
    case lost
    case failed(String)
  }

  enum CutResult: Equatable {
    /// Nil if nothing is left of it.
    case cut(Version?)
    case failed(String)
  }

  /// The contents.
  func read() -> FileContents {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return errno == ENOENT ? .missing : .failed(.system()) }
    defer { close(file) }
    // Who wrote the end of it may have been killed before it was on disk, and what was read is taken to be.
    _ = fdatasync(file)
    return FileContents.read(descriptor: file, limit: SessionJournal.maxBytes)
  }

  /// Appends `lines` lines to the journal, nil for a new one, and returns when they are on disk.
  ///
  /// What is behind the known end is no part of the journal, be it left by a crash or by an append that failed.
  func append(_ text: [UInt8], lines: Int, to version: Version?) -> AppendResult {
    let end = version?.extent ?? SessionJournal.Extent()
    guard end.bytes + text.count <= SessionJournal.maxBytes else { return .failed("the journal is full") }
    let creation = version == nil ? O_CREAT : 0
    let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | creation, 0o600)
    guard file >= 0 else { return version != nil && errno == ENOENT ? .lost : .failed(systemError()) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { return .failed(systemError()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .failed("not a regular file") }
    guard status.st_size >= end.bytes else { return .lost }
    if status.st_size > end.bytes, ftruncate(file, end.bytes) != 0 { return .failed(systemError()) }
    do throws(FileError) {
      try write(text, to: file, at: end.bytes, isNamed: version?.isNamed == true)
    } catch {
      // The next append does it too; but it may never come, and the disk may be full.
      _ = ftruncate(file, end.bytes)
      return .failed(error.description)
    }
    let extent = SessionJournal.Extent(bytes: end.bytes + text.count, lines: end.lines + lines)
    return .appended(Version(extent: extent, isNamed: true))
  }

  private func write(_ text: [UInt8], to file: Int32, at offset: Int, isNamed: Bool) throws(FileError) {
    try FileContents.writeAll(text[...], to: file, at: offset)
    guard fdatasync(file) == 0 else { throw .system() }
    if !isNamed { try FileContents.flushDirectory(of: path) }
  }

  /// Drops what is `covered` by the map. The rest is on disk at any moment, in the old file or in the new one.
  func cut(_ version: Version, covered: SessionJournal.Extent) -> CutResult {
    let extent = SessionJournal.Extent(
      bytes: version.extent.bytes - covered.bytes, lines: version.extent.lines - covered.lines)
    if extent.bytes == 0 { return remove().map(CutResult.failed) ?? .cut(nil) }
    guard let rest = rest(of: version, from: covered.bytes) else { return .failed("it cannot be read") }
    do throws(FileError) {
      try FileContents.swap(path, with: rest)
    } catch {
      return .failed(error.description)
    }
    return .cut(Version(extent: extent, isNamed: (try? FileContents.flushDirectory(of: path)) != nil))
  }

  private func rest(of version: Version, from start: Int) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard lseek(file, start, SEEK_SET) == start,
      case .bytes(let bytes) = FileContents.read(descriptor: file, limit: SessionJournal.maxBytes),
      bytes.count >= version.extent.bytes - start
    else { return nil }
    return Array(bytes.prefix(version.extent.bytes - start))
  }

  /// Removes it, if it is there. Nil on success.
  ///
  /// Should a crash bring it back, all of it is in the map.
  func remove() -> String? { unlink(path) == 0 || errno == ENOENT ? nil : systemError() }
}
