// Images on this machine's disk: only under the allowed roots, after links are resolved.

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

  /// Judges what the path leads to before it is opened, and opens that very file, so that nothing can be exchanged in between
  /// and nothing outside of the roots is touched.
  private nonisolated static func read(
    _ path: String,
    roots: [String],
    limit: Int
  ) -> Result<[UInt8], ImageFailure> {
    // One answer for "missing" and "forbidden": it must not tell which files exist elsewhere.
    let denied = Result<[UInt8], ImageFailure>.failure(
      .refused("the file does not exist, or is not under the working directory or \(Settings.imageRoots.name)"))
    guard let file = try? FoundFile(path), file.isRegular else { return denied }
    for root in roots where file.isBelow(root) {
      switch file.contents(limit: limit) {
      case .bytes(let bytes): return .success(bytes)
      case .tooLarge: return .failure(.tooLarge)
      case .missing, .failed: return denied
      }
    }
    return denied
  }
}
