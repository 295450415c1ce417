// Images on this machine's disk: only under the allowed roots, after links are resolved.

import Glibc

/// Reads image files.
@LoopActor
final class LocalImage {
  /// Directories that may be read, the working directory first.
  private let roots: [String]
  private let maxBytes: Int

  init(roots: [String], maxBytes: Int) {
    self.roots = roots.map(FileContents.resolved)
    self.maxBytes = maxBytes
  }

  /// The contents of the file a `file:` URL names. Blocking work is done off the loop.
  func read(fileURL: String) async throws(ImageFailure) -> [UInt8] {
    let path = try Self.path(fileURL, workingDirectory: roots.first ?? "/")
    let roots = roots
    let limit = maxBytes
    let result = await Loop.offLoop { Self.read(path, roots: roots, limit: limit) }
    return try result.get()
  }

  /// `file:///path`, `file:/path`, or `file:path` for one below the working directory; a host other than localhost
  /// is somebody else's file.
  nonisolated static func path(_ url: String, workingDirectory: String) throws(ImageFailure) -> String {
    var rest = Substring(url).dropFirst("file:".count)
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
      let host = rest.prefix { $0 != "/" }
      guard host.isEmpty || host.lowercased() == "localhost" else {
        throw .refused("a file: URL must not name another host")
      }
      rest = rest.dropFirst(host.count)
    }
    guard let path = Router.percentDecoded(rest), !path.isEmpty, !path.contains("\0") else {
      throw .refused("the file's path is malformed")
    }
    return path.utf8.first == UInt8(ascii: "/") ? path : "\(workingDirectory)/\(path)"
  }

  /// Opens first and asks then what was opened, so that nothing can be exchanged in between.
  private nonisolated static func read(
    _ path: String,
    roots: [String],
    limit: Int
  ) -> Result<[UInt8], ImageFailure> {
    // O_NONBLOCK: opening a FIFO must not wait for somebody to write to it.
    let file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    let denied = Result<[UInt8], ImageFailure>.failure(
      .refused("the file does not exist, or is not under the working directory or \(Settings.imageRoots.name)"))
    // One answer for "missing" and "forbidden": it must not tell which files exist elsewhere.
    guard file >= 0 else { return denied }
    defer { close(file) }
    guard let resolved = realpath("/proc/self/fd/\(file)", nil) else { return denied }
    defer { free(resolved) }
    guard roots.contains(where: { isPath(resolved, below: $0) }) else { return denied }
    switch FileContents.read(descriptor: file, limit: limit) {
    case .bytes(let bytes): return .success(bytes)
    case .tooLarge: return .failure(.tooLarge)
    case .missing, .failed: return denied
    }
  }

  /// By bytes: names that are the same text to Swift may be two directories.
  private nonisolated static func isPath(_ path: UnsafePointer<CChar>, below root: String) -> Bool {
    let start = root.utf8.last == UInt8(ascii: "/") ? root : root + "/"
    return strncmp(path, start, start.utf8.count) == 0
  }
}
