import ArgumentParser
import Bridge

struct Config: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the effective settings, and where each value came from.")

  @OptionGroup var options: SettingOptions

  func run() throws {
    let configuration = try options.load()
    for setting in Settings.all {
      let origin = configuration.origin(of: setting)
      print("\(setting.name)=\(configuration.shown(setting))  # \(origin.rawValue)")
    }
    for warning in configuration.warnings { print("# warning: \(warning)") }
  }
}
