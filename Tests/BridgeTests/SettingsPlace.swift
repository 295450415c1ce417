// A person's home and a directory to start in, for tests of where settings come from.

import Glibc

@testable import Bridge

/// Both lie outside of the directories for temporary files, where no note of trust counts.
struct SettingsPlace {
  let home: ScratchDirectory
  let directory: ScratchDirectory

  /// The home has a settings file without settings, so that those of the machine are not read.
  init() throws {
    home = try ScratchDirectory(in: "/var/tmp")
    directory = try ScratchDirectory(in: "/var/tmp")
    try FileContents.makeDirectories(home.file(".config/bridged"))
    try writeOwn("")
  }

  var environment: [String: String] { ["HOME": home.path] }

  /// The person's settings file.
  func writeOwn(_ text: String) throws { try home.write(text, to: ".config/bridged/bridged.env") }

  /// Has a person trust a file of the directory.
  func trust(_ name: String) throws {
    try LocalSettings.find(directory.file(name))?.trust(environment: environment)
  }

  func load(
    flags: [String: String] = [:], environment: [String: String] = [:], file: String? = nil,
    ask: Configuration.TrustQuestion? = nil
  ) throws(ConfigurationError) -> Configuration {
    try Configuration.load(
      flags: flags, environment: self.environment.merging(environment) { $1 }, file: file,
      directory: directory.path,
      ask: ask)
  }

  /// The line that refuses to start; nil if none does.
  func refusal(
    environment: [String: String] = [:], file: String? = nil, ask: Configuration.TrustQuestion? = nil
  ) -> String? {
    do throws(ConfigurationError) {
      _ = try load(environment: environment, file: file, ask: ask)
      return nil
    } catch {
      return error.description
    }
  }
}

extension Configuration {
  /// The texts of notices of a level.
  func notices(_ level: Notice.Level) -> [String] { notices.filter { $0.level == level }.map(\.text) }
}
