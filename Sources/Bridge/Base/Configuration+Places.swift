// Where things lie that the settings decide: sessions, history, the home of Codex, what its commands may write to.

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
