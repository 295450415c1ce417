// The command `bridged version`.

import ArgumentParser
import Bridge

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the versions of the bridge and of the Codex that it runs.", usage: "bridged version [options]"
  )

  @OptionGroup var options: SettingSelection<ProgramFlags>

  @Flag(help: "Print one line of JSON.")
  var json = false

  func run() throws {
    let code = Self.printAll(json: json, options)
    if code != 0 { throw ExitCode(code) }
  }

  /// Prints the versions, also where the settings are at fault: then no Codex is asked. Returns the exit status.
  static func printAll(json: Bool, _ options: SettingSelection<ProgramFlags>? = nil) -> Int32 {
    let configuration = try? options.map { try $0.load() } ?? Configuration.load()
    return Loop.run {
      await VersionCommand.run(configuration, json: json)
      return 0
    }
  }
}
