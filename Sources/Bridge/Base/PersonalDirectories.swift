// Where files of the person who runs the bridge belong (XDG Base Directory Specification 0.8). All of them lie outside of
// the directory Codex works in, so that what the model writes there decides nothing.

import Glibc

/// The directories of one person's bridges.
struct PersonalDirectories: Sendable {
  /// The person's settings file, whether it is there or not; nil without a home.
  let settingsFile: String?
  /// What bridges keep from one start to the next; nil without a home.
  let state: String?

  /// `STATE_DIRECTORY` is what systemd gives to services whose user has no home.
  init(environment: [String: String]) {
    let directory = { (name: String) in environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
    let home = directory("HOME")
    let settings = directory("XDG_CONFIG_HOME") ?? home.map { "\($0)/.config" }
    settingsFile = settings.map { "\($0)/bridged/bridged.env" }
    let given = directory("STATE_DIRECTORY")?.split(separator: ":").first.map(String.init)
    state = (directory("XDG_STATE_HOME") ?? home.map { "\($0)/.local/state" }).map { "\($0)/bridged" } ?? given
  }

  /// Where the sessions of a working directory are kept. Its last name is there for people, the digest tells it from others
  /// of that name. `workingDirectory` is absolute and without links.
  func state(of workingDirectory: String) -> String? {
    let name = workingDirectory.split(separator: "/").last ?? "root"
    let digest = SHA256Digest(of: workingDirectory).hex.prefix(Self.digestDigits)
    return state.map { "\($0)/\(Self.shortened(name))-\(digest)" }
  }

  private static let digestDigits = 8
  /// A name in a directory has at most 255 bytes, and something is put behind this one.
  private static let maxNameBytes = 100

  private static func shortened(_ name: Substring) -> Substring {
    var name = name
    while name.utf8.count > maxNameBytes { name.removeLast() }
    return name
  }
}

extension Configuration {
  var personalDirectories: PersonalDirectories { PersonalDirectories(environment: environment) }

  /// Where sessions are kept; absolute, and without links as far as it exists.
  var stateDirectory: String {
    get throws(ConfigurationError) {
      if let set = self[Settings.stateDirectory] { return FileContents.resolvedAsFarAsItExists(set) }
      guard let own = personalDirectories.state(of: workingDirectory) else {
        throw ConfigurationError(
          description:
            "there is no place for sessions, because HOME is not set; set \(Settings.stateDirectory.name)")
      }
      return FileContents.resolvedAsFarAsItExists(own)
    }
  }

  /// The lines a person has typed in `bridged chat`; nil if there is no place for them.
  var chatHistoryPath: String? { personalDirectories.state.map { "\($0)/chat_history" } }

  /// The settings file that was read, or else the one that would be if somebody made it; without links as far as it exists.
  var settingsFile: String? {
    (readSettingsFile ?? personalDirectories.settingsFile).map(FileContents.resolvedAsFarAsItExists)
  }

  /// Where Codex keeps its login, configuration and threads; nil without a home.
  var codexHomeDirectory: String? {
    let home = self[Settings.codexHome] ?? environment["HOME"].map { "\($0)/.codex" }
    return home.map(FileContents.resolvedAsFarAsItExists)
  }

  /// Directories that a sandbox lets Codex's commands write to, without links. They work in `workingDirectory`.
  func writableRoots(of sandbox: SandboxMode, in workingDirectory: String) -> [String] {
    switch sandbox {
    case .readOnly: []
    case .workspaceWrite:
      [workingDirectory] + Self.temporaryDirectories(environment)
        + furtherWritableRoots.map(FileContents.resolvedAsFarAsItExists)
    case .dangerFullAccess: ["/"]
    }
  }

  /// What `workspace-write` opens besides the working directory.
  static func temporaryDirectories(_ environment: [String: String]) -> [String] {
    ["/tmp", environment["TMPDIR"] ?? "/tmp"].map(FileContents.resolved)
  }

  /// Those that CODEX_CONFIG opens. What Codex's own config.toml opens is not known here.
  private var furtherWritableRoots: [String] {
    self[Settings.codexConfig].filter { $0.prefix { $0 != "=" }.contains("writable_roots") }
      .flatMap { $0.matches(of: /"([^"]*)"|'([^']*)'/).compactMap { ($0.1 ?? $0.2).map(String.init) } }
  }
}
