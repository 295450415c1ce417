// How settings are given on the command line. Which of them have a flag of their own is a matter of the table of settings.

import ArgumentParser
import Bridge

/// What every command takes that reads settings.
struct SettingOptions: ParsableArguments {
  @OptionGroup var flags: SettingFlags

  @Option(
    help: "The settings file, in place of ~/.config/bridged/bridged.env or else /etc/bridged/bridged.env.")
  var envFile: String?

  @Option(name: .customLong("set"), help: "Any setting, as NAME=VALUE. May be repeated.")
  var settings: [String] = []

  /// The settings with where each came from; a bad one ends the program with one line. Where `asks` is true, a person at the
  /// terminal is asked about files of the current directory.
  func load(asks: Bool = false) throws -> Configuration {
    var values: [String: String] = [:]
    for setting in settings {
      let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw ValidationError("--set \(setting): expected NAME=VALUE") }
      values[String(parts[0])] = String(parts[1])
    }
    values.merge(flags.values) { $1 }
    let format = Settings.logFormatName
    Log.choose(format: values[format] ?? Configuration.processEnvironment[format])
    return try Configuration.load(flags: values, file: envFile, ask: asks ? TrustDialog.question : nil)
  }
}

/// The flags of the settings that have one of their own.
///
/// ArgumentParser asks a type's mirror for its options, and then decodes them by the names that the mirror gave. So a mirror and
/// an initializer made from the table of settings take the place of properties that would repeat it.
struct SettingFlags: ParsableArguments, CustomReflectable {
  /// What was given, by the names of the settings.
  private(set) var values: [String: String] = [:]

  private typealias Flag = Option<String?>

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private static var flagged: [(flag: String, setting: any AnySetting)] {
    Settings.all.compactMap { setting in setting.flag.map { ($0, setting) } }
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for (flag, setting) in Self.flagged {
      values[setting.name] = try container.decode(Flag.self, forKey: Key(stringValue: flag)).wrappedValue
    }
  }

  var customMirror: Mirror {
    let options = Self.flagged.map { flag, setting -> Mirror.Child in
      let help = ArgumentHelp(SettingsDocuments.flagHelp(setting))
      return (flag, Flag(name: .customLong(flag), help: help))
    }
    return Mirror(self, children: options)
  }
}
