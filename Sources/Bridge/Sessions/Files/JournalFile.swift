// The journal on disk: the calls that read, append to, cut and remove it. `WriteOrder` decides when each is made.

import Glibc

/// A journal on disk. Every call blocks: at start-up or off the loop.
struct JournalFile: Sendable {
  let path: String

  /// A journal as this process knows it.
  struct Version: Sendable, Equatable {
    var extent = SessionJournal.Extent()
    /// Whether the directory names it on disk too, so that it would still be found after the system has stopped.
    var isNamed = false
  }

  enum AppendResult: Equatable {
    case appended(Version)
    /// The file is gone, or shorter than this process has left it: lines that were committed are no longer on disk.
    case lost
    case failed(FileError)
  }

  enum CutResult: Equatable {
    /// Nil if nothing is left of it.
    case cut(Version?)
    case failed(FileError)
  }

  /// Reads it, and makes sure that what was read is on disk.
  func read() -> FileContents {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { return errno == ENOENT ? .missing : .failed(.system()) }
    defer { close(file) }
    // A bridge that was killed may have written the end of it without waiting for the disk.
    _ = fdatasync(file)
    return FileContents.read(descriptor: file, limit: SessionJournal.maxBytes)
  }

  /// Appends `lines` lines to the journal, nil for a new one, and returns when they are on disk.
  ///
  /// What stands behind the known end is not part of the journal: a crash or an append that failed has left it there.
  func append(_ text: [UInt8], lines: Int, to version: Version?) -> AppendResult {
    let end = version?.extent ?? SessionJournal.Extent()
    guard end.bytes + text.count <= SessionJournal.maxBytes else {
      return .failed(.tooLarge(limitBytes: SessionJournal.maxBytes))
    }
    let creation = version == nil ? O_CREAT : 0
    let file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | creation, 0o600)
    guard file >= 0 else { return version != nil && errno == ENOENT ? .lost : .failed(.system()) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { return .failed(.system()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return .failed(.notRegularFile) }
    guard status.st_size >= end.bytes else { return .lost }
    if status.st_size > end.bytes, ftruncate(file, end.bytes) != 0 { return .failed(.system()) }
    do throws(FileError) {
      try write(text, to: file, at: end.bytes, isNamed: version?.isNamed == true)
    } catch {
      // The next append would cut it too; but there may be none, and the disk may be full.
      _ = ftruncate(file, end.bytes)
      return .failed(error)
    }
    let extent = SessionJournal.Extent(bytes: end.bytes + text.count, lines: end.lines + lines)
    return .appended(Version(extent: extent, isNamed: true))
  }

  private func write(_ text: [UInt8], to file: Int32, at offset: Int, isNamed: Bool) throws(FileError) {
    try FileContents.writeAll(text[...], to: file, at: offset)
    guard fdatasync(file) == 0 else { throw .system() }
    if !isNamed { try FileContents.flushDirectory(of: path) }
  }

  /// Drops the lines that the map has too. The others are on disk at any moment, in the old file or in the new one.
  func cut(_ version: Version, covered: SessionJournal.Extent) -> CutResult {
    let extent = SessionJournal.Extent(
      bytes: version.extent.bytes - covered.bytes, lines: version.extent.lines - covered.lines)
    do throws(FileError) {
      if extent.bytes == 0 {
        try remove()
        return .cut(nil)
      }
      try FileContents.swap(path, with: try rest(of: version, from: covered.bytes))
    } catch {
      return .failed(error)
    }
    return .cut(Version(extent: extent, isNamed: flushDirectory()))
  }

  private func rest(of version: Version, from start: Int) throws(FileError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard file >= 0 else { throw .system() }
    defer { close(file) }
    guard lseek(file, start, SEEK_SET) == start else { throw .system() }
    let length = version.extent.bytes - start
    switch FileContents.read(descriptor: file, limit: SessionJournal.maxBytes) {
    case .bytes(let bytes) where bytes.count >= length: return Array(bytes.prefix(length))
    case .bytes, .missing: throw .system(ENODATA)
    case .failed(let error): throw error
    case .tooLarge: throw .tooLarge(limitBytes: SessionJournal.maxBytes)
    }
  }

  /// Makes sure that the directory names the file on disk too. False if that failed.
  func flushDirectory() -> Bool {
    do throws(FileError) {
      try FileContents.flushDirectory(of: path)
      return true
    } catch {
      return false
    }
  }

  /// Removes it, if it is there. A crash may bring it back, so all of it must be in the map.
  func remove() throws(FileError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw .system() }
  }
}
