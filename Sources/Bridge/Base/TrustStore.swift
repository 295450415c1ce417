// Which contents of `.env` files a person has trusted. They are kept in a file outside of all projects: a program that can
// write to a project must not be able to trust what it has written there.

import Glibc

/// Paths of settings files and the digests of their trusted contents.
struct TrustStore: Sendable {
  enum Verdict: Sendable, Equatable {
    case trusted
    /// Other content of the same file was trusted.
    case changed
    case unknown
  }

  private static let fileName = "trusted.json"
  /// Files that are remembered; beyond them the oldest are forgotten, and a person is asked about these again.
  private static let maxFiles = 1000
  /// Bytes of the store that are read: room for `maxFiles` of the longest paths.
  private static let maxBytes = 8 << 20

  let path: String
  private var digests: JSONObject

  /// Reads the store. Throws when it lies inside `roots`, where programs that Codex runs may write, or when users other than
  /// its owner can change it.
  init(_ directories: PersonalDirectories, outside roots: [String]) throws(ConfigurationError) {
    guard let state = directories.state else {
      throw ConfigurationError(description: "there is no place to note what is trusted, because HOME is not set")
    }
    path = FileContents.resolvedAsFarAsItExists("\(state)/\(Self.fileName)")
    digests = try Self.read(path)
    try requirePlace(outside: roots)
  }

  /// Throws if the store lies in one of these directories.
  func requirePlace(outside roots: [String]) throws(ConfigurationError) {
    guard let root = roots.first(where: { FileContents.isPath(path, inside: $0) }) else { return }
    throw ConfigurationError(
      description:
        "what is trusted cannot be noted in \(path), because programs that Codex runs may write to \(root)")
  }

  func verdict(on file: String, _ digest: SHA256Digest) -> Verdict {
    guard let known = digests[file]?.stringValue else { return .unknown }
    return known == digest.hex ? .trusted : .changed
  }

  /// Notes that a person trusts this content of a file.
  mutating func trust(_ file: String, _ digest: SHA256Digest) throws(ConfigurationError) {
    let others = digests.members.filter { !$0.hasKey(file) }.suffix(Self.maxFiles - 1)
    digests = JSONObject(others + [.init(key: file, value: .string(digest.hex))])
    let text = JSONValue.object(JSONObject([.init(key: "files", value: .object(digests))])).jsonBytes + [0x0A]
    do throws(FileError) {
      if let slash = path.lastIndex(of: "/") { try FileContents.makeDirectories(String(path[..<slash])) }
      try FileContents.replace(path, with: text)
    } catch {
      throw ConfigurationError(description: "\(path) cannot be written: \(error)")
    }
  }

  private static func read(_ path: String) throws(ConfigurationError) -> JSONObject {
    let contents: FileContents
    let foreignWriter: String?
    do throws(FileError) {
      let file = try FoundFile(path)
      foreignWriter = file.foreignWriter
      contents = file.contents(limit: maxBytes)
    } catch {
      guard error.isMissing else { throw ConfigurationError(description: "\(path): \(error)") }
      return JSONObject()
    }
    if let foreignWriter { throw ConfigurationError(description: "\(path) does not count: \(foreignWriter)") }
    guard case .bytes(let bytes) = contents, let value = try? JSONValue(parsing: bytes),
      let files = value["files"]?.objectValue
    else {
      throw ConfigurationError(description: "\(path) cannot be read or is damaged; remove it to begin anew")
    }
    return files
  }
}
