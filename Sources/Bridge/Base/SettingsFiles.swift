// The files that settings come from. A settings file lies where only its owner writes; `.env.local` and `.env` of the
// current directory may have been written by anybody, a cloned repository or the model, so they decide nothing until a
// person has trusted what is in them.

import Glibc

/// A file of the current directory that names settings of ours.
package struct LocalSettings: Sendable {
  /// Its absolute path.
  package let path: String
  /// All of it.
  package let text: String
  /// The settings it names, with their values, in the order of the documents.
  package let settings: [(name: String, value: String)]
  /// Whether other content of it was trusted before.
  package internal(set) var hasChanged = false

  let digest: SHA256Digest
  let contents: DotEnv
}

extension Configuration {
  /// Decides whether a person trusts a file; called at most once for each.
  package typealias TrustQuestion = (LocalSettings) -> Bool
}

/// Reads the files and remembers what is to be said about them.
struct SettingsFiles {
  static let localNames: [(name: String, origin: Configuration.Origin)] = [
    (".env.local", .envLocalFile), (".env", .envFile),
  ]
  /// Bytes of a file that is read. Settings are some kilobytes, so a larger file is something else.
  private static let maxBytes = 1 << 20

  private(set) var sources: [Configuration.Source] = []
  private var notices: [Configuration.Notice] = []
  private var readPaths: [String] = []
  private var trust: TrustStore?
  private let environment: [String: String]
  private let directories: PersonalDirectories
  private let systemFile: String

  init(environment: [String: String], systemFile: String = "/etc/bridged/bridged.env") {
    self.environment = environment
    self.systemFile = systemFile
    directories = PersonalDirectories(environment: environment)
  }

  /// The list of files that were read, then all other notices.
  var allNotices: [Configuration.Notice] {
    let files = readPaths.isEmpty ? "none" : readPaths.joined(separator: ", ")
    return [.init(level: .info, text: "settings files read: \(files)")] + notices
  }

  // MARK: The settings file

  /// Reads the first that exists: the one that was named, the person's, the system's.
  mutating func readSettingsFile(named: String?) throws(ConfigurationError) {
    if let named {
      guard try read(named) else {
        throw ConfigurationError(description: "--env-file \(named): there is no such file")
      }
      return
    }
    if let own = directories.settingsFile, try read(own) { return }
    _ = try read(systemFile, isOthers: true)
  }

  /// Returns whether there is such a file. `isOthers` marks a file that the bridge may not be allowed to read: systemd then
  /// reads it and passes its content on in the environment, so that the commands that Codex runs cannot read it.
  private mutating func read(_ path: String, isOthers: Bool = false) throws(ConfigurationError) -> Bool {
    let foreignWriter: String?
    let contents: FileContents
    do throws(FileError) {
      let file = try FoundFile(path)
      foreignWriter = file.foreignWriter
      contents = file.contents(limit: Self.maxBytes)
    } catch {
      foreignWriter = nil
      contents = error.isMissing ? .missing : .failed(error)
    }
    if let foreignWriter { throw ConfigurationError(description: "\(path) is not read: \(foreignWriter)") }
    let failure: String
    switch contents {
    case .missing: return false
    case .tooLarge: failure = "too large"
    case .failed(let error): failure = error.description
    case .bytes(let bytes):
      use(DotEnv(bytes), .settingsFile(path), path: path)
      return true
    }
    guard isOthers else { throw ConfigurationError(description: "\(path): \(failure)") }
    notices.append(.init(level: .info, text: "\(path) is skipped: \(failure)"))
    return true
  }

  private mutating func use(_ file: DotEnv, _ origin: Configuration.Origin, path: String) {
    readPaths.append(path)
    sources.append(.init(origin, file.values))
    // The text of the line is not shown, because it may be a secret whose name was forgotten.
    notices += file.faults.map {
      .init(level: .warning, text: "\(origin), line \($0.line): \($0.reason.rawValue); the line is ignored")
    }
  }

  // MARK: Files of the current directory

  /// Reads `.env.local` and `.env` as far as they are trusted.
  mutating func readLocalFiles(
    in directory: String, workingDirectory: String, ask: Configuration.TrustQuestion?
  ) throws(ConfigurationError) {
    for (name, origin) in Self.localNames {
      switch Self.inspect(file: name, in: directory) {
      case .nothing: continue
      case .unreadable(let path, let reason):
        notices.append(.init(level: .error, text: "\(path) is skipped: \(reason)"))
      case .settings(let file):
        guard try isTrusted(file, in: directory, workingDirectory: workingDirectory, ask: ask) else { continue }
        use(file.contents, origin, path: file.path)
      }
    }
  }

  /// Throws if what was trusted is noted where Codex's commands might write, which shows when all settings are known.
  func requireTrustBeyond(_ workingDirectory: String) throws(ConfigurationError) {
    guard sources.contains(where: { [.envLocalFile, .envFile].contains($0.origin) }) else { return }
    try trust?.requirePlace(outside: [workingDirectory])
  }

  enum Found {
    /// No file, or one that names no setting of ours.
    case nothing
    case unreadable(path: String, reason: String)
    case settings(LocalSettings)
  }

  static func inspect(file name: String, in directory: String) -> Found {
    let resolved = FileContents.resolved(directory)
    let path = resolved == "/" ? "/\(name)" : "\(resolved)/\(name)"
    do throws(FileError) {
      let file = try FoundFile("\(directory)/\(name)")
      // Virtual environments of Python are often called `.env` too.
      if file.isDirectory { return .nothing }
      switch file.contents(limit: maxBytes) {
      case .missing: return .nothing
      case .tooLarge: return .unreadable(path: path, reason: "too large")
      case .failed(let error): return .unreadable(path: path, reason: error.description)
      case .bytes(let bytes): return inspect(bytes, path: path)
      }
    } catch {
      return error.isMissing ? .nothing : .unreadable(path: path, reason: error.description)
    }
  }

  private static func inspect(_ bytes: [UInt8], path: String) -> Found {
    let contents = DotEnv(bytes)
    let settings = Settings.all.map(\.name).compactMap { name in contents.values[name].map { (name, $0) } }
    guard !settings.isEmpty else { return .nothing }
    return .settings(
      LocalSettings(
        path: path, text: String(decoding: bytes, as: UTF8.self), settings: settings,
        digest: SHA256Digest(of: bytes.span), contents: contents))
  }

  /// Asks where there is somebody to ask; throws if trusted content has changed and still nobody trusts it.
  private mutating func isTrusted(
    _ found: LocalSettings, in directory: String, workingDirectory: String, ask: Configuration.TrustQuestion?
  ) throws(ConfigurationError) -> Bool {
    var file = found
    do throws(ConfigurationError) {
      if trust == nil {
        trust = try TrustStore(
          directories, outside: Self.untrustedPlaces(environment, directory) + [workingDirectory])
      }
    } catch {
      notices.append(.init(level: .error, text: "\(file.path) is skipped: \(error)"))
      return false
    }
    switch trust?.verdict(on: file.path, file.digest) ?? .unknown {
    case .trusted: return true
    case .changed: file.hasChanged = true
    case .unknown: break
    }
    if let ask, ask(file) {
      try trust?.trust(file.path, file.digest)
      return true
    }
    let advice = "look at it and run: bridged trust \(file.path.shellQuoted)"
    if file.hasChanged {
      throw ConfigurationError(description: "\(file.path) has changed since it was trusted; \(advice)")
    }
    let names = file.settings.map(\.name).joined(separator: ", ")
    notices.append(
      .init(
        level: ask == nil ? .error : .info,
        text: "\(file.path) is skipped, because nobody has trusted it; it sets \(names). To use it, \(advice)"))
    return false
  }

  /// Directories in which the record of trusted files does not count, because programs that Codex runs may write there.
  static func untrustedPlaces(_ environment: [String: String], _ directory: String) -> [String] {
    [FileContents.resolved(directory)] + Configuration.temporaryDirectories(environment)
  }
}

// MARK: Trusting

extension LocalSettings {
  /// The file at a path; nil if there is none or it names no setting of ours. Throws if it is none that needs trust, or cannot
  /// be read.
  package static func find(_ path: String) throws(ConfigurationError) -> LocalSettings? {
    let slash = path.lastIndex(of: "/")
    let name = String(slash.map { path[path.index(after: $0)...] } ?? path[...])
    guard SettingsFiles.localNames.contains(where: { $0.name == name }) else {
      throw ConfigurationError(
        description:
          "\(path): only \(SettingsFiles.localNames.map(\.name).joined(separator: " and ")) need trust; "
          + "any other file can be named with --env-file")
    }
    switch SettingsFiles.inspect(file: name, in: slash.map { String(path[...$0]) } ?? ".") {
    case .nothing: return nil
    case .unreadable(let path, let reason): throw ConfigurationError(description: "\(path): \(reason)")
    case .settings(let file): return file
    }
  }

  /// Notes that its content is trusted from now on.
  package func trust(environment: [String: String] = Configuration.processEnvironment) throws(ConfigurationError) {
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let places = SettingsFiles.untrustedPlaces(environment, ".") + [FileContents.resolved(directory)]
    var store = try TrustStore(PersonalDirectories(environment: environment), outside: places)
    try store.trust(path, digest)
  }
}
