// Reads settings from the command line. The table of settings says which of them have a flag.

import ArgumentParser
import Bridge

/// The options of every command that reads settings.
struct SettingOptions: ParsableArguments {
  @OptionGroup var flags: SettingFlags

  @Option(
    help: "The settings file, in place of ~/.config/bridged/bridged.env or else /etc/bridged/bridged.env.")
  var envFile: String?

  @Option(name: .customLong("set"), help: "Any setting, as NAME=VALUE. May be repeated.")
  var settings: [String] = []

  /// Loads the settings, each with its source. An invalid setting throws an error whose message is one line. If `asks`, a
  /// person at the terminal is asked whether to trust the settings files of the current directory.
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

/// The flags of the settings that have one.
///
/// ArgumentParser finds the options of a type through its mirror, and decodes them by the names that the mirror gives.
/// Here the mirror and the decoding are made from the table of settings, so that the flags are not listed a second time
/// as properties.
struct SettingFlags: ParsableArguments, CustomReflectable {
  /// The values that were given, by the names of the settings.
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
