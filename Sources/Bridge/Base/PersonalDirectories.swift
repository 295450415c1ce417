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
