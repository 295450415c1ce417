// Reads settings from the command line. The table of settings says which of them have a flag; each command says which flags
// it has.

import ArgumentParser
import Bridge

/// The options of a command that reads settings.
struct SettingSelection<Choice: FlagChoice>: ParsableArguments {
  @OptionGroup var flags: SettingFlags<Choice>

  @Option(
    help: "The settings file, in place of ~/.config/bridged/bridged.env or else /etc/bridged/bridged.env.",
    completion: .file())
  var envFile: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Any setting, as NAME=VALUE. May be repeated.", valueName: "name=value"))
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

  /// The settings for a command that prints something, with errors among their notices told.
  func loadQuietly() throws -> Configuration {
    let configuration = try load()
    Log.bootstrap(configuration, quietly: true)
    Log.report(configuration.notices)
    return configuration
  }
}

/// The options of commands that need all settings.
typealias SettingOptions = SettingSelection<AllFlags>

/// Which settings' flags a command has.
protocol FlagChoice {
  /// How a flag is shown in the help; nil for one that the command has not.
  static func visibility(of flag: String) -> ArgumentVisibility?
  /// What the help says of a flag, where that is not what the table of settings says.
  static func help(of flag: String) -> String?
}

extension FlagChoice {
  static func help(of flag: String) -> String? { nil }
}

enum AllFlags: FlagChoice {
  static func visibility(of flag: String) -> ArgumentVisibility? { .default }
}

/// Those of `bridged chat`, which does not listen. The others are read as before, so that nobody's command fails.
enum ChatFlags: FlagChoice {
  static func visibility(of flag: String) -> ArgumentVisibility? {
    ["host", "port"].contains(flag) ? .hidden : .default
  }
}

/// Those that say where a running bridge is.
enum AddressFlags: FlagChoice {
  static func visibility(of flag: String) -> ArgumentVisibility? {
    help(of: flag) == nil ? nil : .default
  }

  static func help(of flag: String) -> String? {
    switch flag {
    case "host": "Where the bridge listens (HOST). Its key is CODEX_BRIDGE_API_KEY."
    case "port": "The TCP port that it listens on (PORT)."
    default: nil
    }
  }
}

/// Those that say which Codex is meant.
enum ProgramFlags: FlagChoice {
  static func visibility(of flag: String) -> ArgumentVisibility? { flag == "codex-bin" ? .default : nil }
}

/// The flags of the settings that have one and that the command has.
///
/// ArgumentParser finds the options of a type through its mirror, and decodes them by the names that the mirror gives.
/// Here the mirror and the decoding are made from the table of settings, so that the flags are not listed a second time
/// as properties.
struct SettingFlags<Choice: FlagChoice>: ParsableArguments, CustomReflectable {
  /// The values that were given, by the names of the settings.
  private(set) var values: [String: String] = [:]

  private typealias Flag = Option<String?>

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  private static var flagged: [(flag: String, visibility: ArgumentVisibility, setting: any AnySetting)] {
    Settings.all.compactMap { setting in
      guard let flag = setting.flag, let visibility = Choice.visibility(of: flag) else { return nil }
      return (flag, visibility, setting)
    }
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    for (flag, _, setting) in Self.flagged {
      values[setting.name] = try container.decode(Flag.self, forKey: Key(stringValue: flag)).wrappedValue
    }
  }

  var customMirror: Mirror {
    let options = Self.flagged.map { flag, visibility, setting -> Mirror.Child in
      let help = ArgumentHelp(
        "\(Choice.help(of: flag) ?? SettingsDocuments.flagHelp(setting))", visibility: visibility)
      return (flag, Flag(name: .customLong(flag), help: help, completion: Self.completion(of: flag, setting)))
    }
    return Mirror(self, children: options)
  }

  /// What a shell offers for the value.
  private static func completion(of flag: String, _ setting: any AnySetting) -> CompletionKind? {
    switch flag {
    case "workdir": .directory
    case "codex-bin": .file()
    default: setting.choices.isEmpty ? nil : .list(setting.choices)
    }
  }
}
