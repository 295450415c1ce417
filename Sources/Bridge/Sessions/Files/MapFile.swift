// The session map on disk. Every call blocks: at start-up or off the loop.

import Glibc

/// The file of the session map.
struct MapFile: Sendable {
  let path: String

  /// What is in it; nothing if there is none. Throws for a file that cannot be read: to go on without it would overwrite it.
  func read() throws(ConfigurationError) -> ThreadMap.Contents {
    let reason: String
    switch FileContents.read(path, limit: ThreadMap.maxBytes) {
    case .missing: return .records(SessionTable())
    case .bytes(let bytes): return ThreadMap.decode(bytes)
    case .failed(let error): reason = error.description
    case .tooLarge: reason = "it is larger than \(ThreadMap.maxBytes) bytes"
    }
    throw ConfigurationError(description: "\(path) cannot be read: \(reason)")
  }

  /// Replaces it whole by one that can be read again, and returns when that is on disk.
  func write(_ table: SessionTable, generation: UInt64) throws(FileError) {
    let bytes = ThreadMap.encode(table, generation: generation)
    guard bytes.count <= ThreadMap.maxBytes else { throw .tooLarge(limitBytes: ThreadMap.maxBytes) }
    try FileContents.replace(path, with: bytes)
  }

  /// The same, with what became of it as a value.
  func replacing(with table: SessionTable, generation: UInt64) -> Result<Void, FileError> {
    do throws(FileError) {
      return .success(try write(table, generation: generation))
    } catch {
      return .failure(error)
    }
  }

  /// Whether it was taken away.
  var isMissing: Bool { access(path, F_OK) != 0 && errno == ENOENT }
}
