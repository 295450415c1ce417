// Files that decide what the bridge does must lie where Codex's commands cannot write. Otherwise the model could change them
// and so act outside of its sandbox.

/// Compares the places of such files with what the sandbox opens.
@LoopActor
enum SandboxReach {
  private struct Place: Sendable {
    let what: String
    let path: String
    /// What to change.
    let setting: String
  }

  /// Throws if one of them lies in a directory that `workspace-write` opens.
  nonisolated static func check(_ configuration: Configuration) throws(ConfigurationError) {
    for profile in Profiles(configuration).all where profile.sandbox == .workspaceWrite {
      for place in try places(configuration) {
        guard let root = root(around: place.path, profile, configuration) else { continue }
        throw ConfigurationError(
          description:
            "\(place.what) \(place.path) lies in \(root), where \(Settings.sandboxMode.name)=workspace-write lets "
            + "Codex's commands write; move it and set \(place.setting)")
      }
    }
  }

  /// What a person should know although the bridge starts.
  static func warnings(_ configuration: Configuration) -> [String] {
    Profiles(configuration).all.flatMap { warnings($0, configuration) }
  }

  private static func warnings(_ profile: TurnProfile, _ configuration: Configuration) -> [String] {
    switch profile.sandbox {
    case .readOnly: return []
    case .workspaceWrite:
      guard let program = try? ChildCommand(configuration, demo: nil).locate().map(FileContents.resolved),
        let root = root(around: program, profile, configuration)
      else { return [] }
      return [
        "the program \(program) lies in \(root), where Codex's commands may write: they can replace it "
          + "(\(Settings.codexBinary.name))"
      ]
    case .dangerFullAccess:
      return [
        "\(Settings.sandboxMode.name)=danger-full-access: commands may write everywhere, to the sessions and the settings "
          + "of the bridge too"
      ]
    }
  }

  private nonisolated static func places(_ configuration: Configuration) throws(ConfigurationError) -> [Place] {
    var places = [
      Place(
        what: "the state directory", path: try configuration.stateDirectory, setting: Settings.stateDirectory.name)
    ]
    if let home = configuration.codexHomeDirectory {
      places.append(Place(what: "Codex's home", path: home, setting: Settings.codexHome.name))
    }
    if let file = configuration.settingsFile {
      places.append(Place(what: "the settings file", path: file, setting: "--env-file"))
    }
    return places
  }

  private nonisolated static func root(
    around path: String, _ profile: TurnProfile, _ configuration: Configuration
  ) -> String? {
    configuration.writableRoots(of: profile.sandbox, in: profile.workingDirectory)
      .first { FileContents.isPath(path, inside: $0) }
  }
}
