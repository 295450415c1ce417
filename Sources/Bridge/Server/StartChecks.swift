// What must hold before anything is started. Each refusal is one line that says what to change.

import Glibc

/// Checks settings against each other and against this machine.
enum StartChecks {
  static func run(_ configuration: Configuration) throws(ConfigurationError) {
    let keys = configuration[Settings.apiKeys]
    guard !keys.isEmpty else {
      throw ConfigurationError(description: "\(Settings.apiKeys.name) names no key")
    }
    // What is not UTF-8 was replaced when it was read: two such keys could have become one.
    guard !keys.contains(where: { $0.contains("\u{FFFD}") }) else {
      throw ConfigurationError(description: "\(Settings.apiKeys.name) is not UTF-8")
    }
    for host in configuration[Settings.host] where keys.contains(Settings.defaultKey) {
      guard try isLoopback(host) else {
        throw ConfigurationError(
          description: "\(Settings.host.name)=\(host) can be reached from other machines, but "
            + "\(Settings.apiKeys.name) contains the default key that everybody knows; set a key of your own")
      }
    }
    try checkDirectories(configuration)
  }

  /// What every command that runs Codex needs.
  static func checkDirectories(_ configuration: Configuration) throws(ConfigurationError) {
    for directory in Profiles(configuration).all.map(\.workingDirectory) {
      guard isDirectory(directory) else {
        throw ConfigurationError(
          description: "\(Settings.workingDirectory.name)=\(directory): expected an existing directory")
      }
      if !configuration[Settings.skipGitCheck], !isInGitRepository(directory) {
        throw ConfigurationError(
          description: "\(directory) is in no git repository, and \(Settings.skipGitCheck.name) is false")
      }
    }
    if let state = configuration[Settings.stateDirectory], !isDirectory(state) {
      throw ConfigurationError(
        description: "\(Settings.stateDirectory.name)=\(state): expected an existing directory")
    }
    try SandboxReach.check(configuration)
  }

  private static func isLoopback(_ host: String) throws(ConfigurationError) -> Bool {
    do throws(LoopError) {
      return try ListenAddress.resolve([host], port: 0).allSatisfy(\.address.isLoopback)
    } catch {
      throw ConfigurationError(description: "\(Settings.host.name)=\(host): \(error)")
    }
  }

  private static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func isInGitRepository(_ directory: String) -> Bool {
    var path = FileContents.resolved(directory)[...]
    while true {
      if access("\(path)/.git", F_OK) == 0 { return true }
      guard let slash = path.lastIndex(of: "/") else { return false }
      path = path[..<slash]
    }
  }
}
