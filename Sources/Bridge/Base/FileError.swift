// Why a file could not be read, made or written.

import Glibc

/// Why a file could not be read, made or written.
enum FileError: Error, Equatable, CustomStringConvertible {
  /// A system call failed with this error number; without one, the call that was made last.
  case system(_ code: Int32 = errno)
  /// A directory, a device, a FIFO or a socket stands where a file was expected.
  case notRegularFile
  /// The contents would be, or are, larger than what can be read again.
  case tooLarge(limitBytes: Int)

  /// Whether there is nothing of that name.
  var isMissing: Bool { self == .system(ENOENT) || self == .system(ENOTDIR) }

  /// The reason alone, without the path and without a full stop.
  var description: String {
    switch self {
    case .system(let code): systemError(code)
    case .notRegularFile: "not a regular file"
    case .tooLarge(let bytes): "it would be larger than the \(bytes >> 20) MiB that can be read again"
    }
  }
}

/// The text of `errno`.
func systemError(_ code: Int32 = errno) -> String {
  String(cString: strerror(code))
}
